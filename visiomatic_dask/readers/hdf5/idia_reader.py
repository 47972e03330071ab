"""Cubes that are stored twice, by planes and by spectra: each window is read where it is in fewer pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.readers.byte_ranges import contiguous_window
from visiomatic_dask.readers.chunk_parts import count_chunks
from visiomatic_dask.readers.oriented_reader import OrientedReader

_LEAST = 4096
"""Bytes that reading a single value costs: a page."""


@dataclass(frozen=True)
class IdiaReader:
    """An array and its rotated copy.

    Attributes
    ----------
    main : Reader
        The array, x fastest.
    rotated : OrientedReader
        The same pixels from a dataset that has the spectral axis fastest.
    """

    main: Reader
    rotated: OrientedReader

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer."""
        return self.main.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of what `read` returns."""
        return self.main.dtype

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the file."""
        return self.main.fingerprint

    @property
    def token(self) -> str:
        """That of the array: the pixels are the same."""
        return self.main.token

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the file."""
        return self.main.source_itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks of the array: planes are what is read most."""
        return self.main.chunks

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        chosen = self.rotated if self.prefers_rotated(window) else self.main
        return chosen.read(window)

    def prefers_rotated(self, window: Window) -> bool:
        """Whether a window takes less than half the effort from the rotated dataset: turning it takes some, too."""
        back = [self.rotated.order.index(axis) for axis in range(len(self.shape))]
        start, stop, step = (tuple(one[axis] for axis in back) for one in (window.start, window.stop, window.step))
        turned = Window(start, stop, step)
        return 2 * effort(self.rotated.inner, turned) < effort(self.main, window)


def effort(reader: Reader, window: Window) -> int:
    """Estimate what reading a window of a row-major or chunked array costs.

    Parameters
    ----------
    reader : Reader
        Of an array in the order of its file.
    window : Window
        Within it.

    Returns
    -------
    int
        Bytes of all chunks that are touched; or of all runs, each of which costs a page at least.
    """
    if math.prod(reader.chunks) > 1:
        return count_chunks(reader.chunks, window) * math.prod(reader.chunks) * reader.source_itemsize
    wide, run, axis = contiguous_window(window), reader.source_itemsize, len(reader.shape) - 1
    while axis > 0 and wide.shape[axis] == reader.shape[axis] and wide.step[axis - 1] == 1:
        run *= reader.shape[axis]
        axis -= 1
    return math.prod(wide.shape[:axis]) * max(_LEAST, run * wide.shape[axis])
