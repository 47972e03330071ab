"""Pixels of an array that lies uncompressed and in row-major order in a file, by positioned reads into our own buffers.

No memory maps: their clean pages count as a worker's own memory, and its nanny has killed workers for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import ByteSource, Window
from visiomatic_dask.readers.byte_ranges import ByteRanges, byte_ranges, contiguous_window, whole_rows
from visiomatic_dask.readers.scaling import Scaling


@dataclass(frozen=True)
class RawReader:
    """An uncompressed, row-major array: an image HDU of a FITS file, a NumPy file, a variable of NetCDF 3.

    Attributes
    ----------
    source : ByteSource
        The version of the file that was opened.
    offset : int
        Byte at which the pixels start.
    shape : tuple of int
        Slowest axis first (FITS: NAXISn … NAXIS1).
    scaling : Scaling
        How the stored values become physical ones.
    distance : int or None
        Bytes from the start of one item of the slowest axis to that of the next, where something else lies between
        them (records of NetCDF 3).
    """

    source: ByteSource
    offset: int
    shape: tuple[int, ...]
    scaling: Scaling
    distance: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of what `read` returns."""
        return self.scaling.dtype

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the file."""
        return self.source.fingerprint

    @cached_property
    def token(self) -> str:
        """Canonical text of file version, place and scaling."""
        return f"raw:{self.fingerprint}:{self.offset}:{self.distance}:{self.shape}:{self.scaling.text}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the file."""
        return self.scaling.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Ones: any run of pixels can be read by itself."""
        return (1,) * len(self.shape)

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        return self.scaling.physical(self._read_window(window))

    def read_bits(self, window: Window) -> NDArray[np.uint32] | None:
        """Read a window of big-endian float32 as it is stored; None where something else is, or it is to be scaled."""
        if self.scaling != Scaling(">f4"):
            return None
        return self._read_window(window).view(np.uint32)

    def _read_window(self, window: Window) -> NDArray[Any]:
        window.check_within(self.shape)
        wide = whole_rows(self.shape, self.source_itemsize, contiguous_window(window))
        stored = self._read_stored(wide)
        if wide != window:
            first, stop = (edge - wide.start[-1] for edge in (window.start[-1], window.stop[-1]))
            stored = np.ascontiguousarray(stored[..., first : stop : window.step[-1]])
        return stored

    def _read_stored(self, window: Window) -> NDArray[Any]:
        stored = np.empty(window.shape, np.dtype(self.scaling.stored))
        if stored.size:
            ranges = self._ranges(window)
            offsets = [self.offset + offset for offset in ranges.offsets]
            self.source.read_ranges(offsets, [ranges.size] * len(offsets), stored.reshape(-1).view(np.uint8).data)
        return stored

    def _ranges(self, window: Window) -> ByteRanges:
        if self.distance is None:
            return byte_ranges(self.shape, self.source_itemsize, window)
        # An item by itself, as the only one of an axis before its own, of which it may have none.
        item = Window((0, *window.start[1:]), (1, *window.stop[1:]), (1, *window.step[1:]))
        ranges = byte_ranges((1, *self.shape[1:]), self.source_itemsize, item)
        first = np.asarray(window.ranges[0], np.int64) * self.distance
        return ByteRanges(np.add.outer(first, ranges.offsets).ravel().tolist(), ranges.size)
