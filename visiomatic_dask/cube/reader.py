"""What a reader is: the contract between a file format and everything that wants pixels."""

from __future__ import annotations

import sys
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube.window import Window


@runtime_checkable
class Reader(Protocol):
    """Pixels of one layer, read window by window.

    A reader is a frozen description (a path, an offset, a scale), never an open file: it is hashable, it can be
    pickled and sent to a worker, and any number of threads may read through one at a time.
    ``tests/contracts/reader_contract.py`` is the suite that every reader passes.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer, in array order; the last two axes are y and x."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of what `read` returns: the precision of the source."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the files behind the layer."""
        ...

    @property
    def token(self) -> str:
        """Canonical text that tells this layer of this version from any other; part of every key."""
        ...

    @property
    def source_itemsize(self) -> int:
        """Bytes that one pixel takes in the source: what reading it costs."""
        ...

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape, in array order, of the blocks that the source can only be read by.

        Storage chunks and compressed tiles, which start at index 0 along every axis (but see `first_chunk_rows`); or
        all of an axis that runs faster than x. Ones along every axis, where any run of pixels along x can be read by
        itself.
        """
        ...

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window.

        Parameters
        ----------
        window : Window
            Within `shape`; y upwards on the screen, as in FITS.

        Returns
        -------
        ndarray of `dtype`, shape ``window.shape``
            A fresh array that the caller may change. Missing integers (FITS BLANK) are NaN.

        Raises
        ------
        InvalidRequest
            If the window does not lie within `shape`.
        CubeChanged
            If the file is not the version that was opened.
        UnreadableCube
            If the file cannot be read, or ends before its data do.
        """
        ...


def first_chunk_rows(reader: Reader) -> int:
    """Rows below the first boundary between the chunks of a reader.

    0 where chunks start at row 0. A reader of files that have the top of the picture first counts its chunks from
    there, so that what is left over comes first: it says so by an attribute of the same name.
    """
    rows: int = getattr(reader, "first_chunk_rows", 0)
    return rows


def read_bits(reader: Reader, window: Window) -> NDArray[np.uint32] | None:
    """Read a window of float32 in the byte order that is not the machine's, as it is stored: its bits, unswapped.

    None where the pixels are stored in another way, or the reader has no attribute of the same name that gives them so.
    Whoever goes through pixels but once can swap them on the way.
    """
    bits = getattr(reader, "read_bits", None)
    found: NDArray[np.uint32] | None = None if bits is None or sys.byteorder != "little" else bits(window)
    return found
