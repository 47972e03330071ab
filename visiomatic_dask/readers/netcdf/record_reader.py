"""Pixels of an array whose slowest axis is interleaved with others: record variables of NetCDF 3."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import ByteSource, Window
from visiomatic_dask.readers.byte_ranges import byte_ranges, contiguous_window
from visiomatic_dask.readers.scaling import Scaling


@dataclass(frozen=True)
class RecordReader:
    """An uncompressed array of which each item along the slowest axis is row-major, at even distances in the file.

    Attributes
    ----------
    source : ByteSource
        The version of the file that was opened.
    offset : int
        Byte at which the first record starts.
    distance : int
        Bytes from the start of a record to that of the next.
    shape : tuple of int
        Slowest axis, that of the records, first.
    scaling : Scaling
        How the stored values become physical ones.
    """

    source: ByteSource
    offset: int
    distance: int
    shape: tuple[int, ...]
    scaling: Scaling

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
        return f"records:{self.fingerprint}:{self.offset}:{self.distance}:{self.shape}:{self.scaling.text}"

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
        window.check_within(self.shape)
        # A record by itself, as the only item of an axis before its own, of which it may have none.
        record = contiguous_window(Window((0, *window.start[1:]), (1, *window.stop[1:]), (1, *window.step[1:])))
        stored = np.empty((len(window.ranges[0]), *record.shape[1:]), np.dtype(self.scaling.stored))
        if stored.size:
            ranges = byte_ranges((1, *self.shape[1:]), self.source_itemsize, record)
            first = np.asarray(window.ranges[0], np.int64) * self.distance + self.offset
            offsets = np.add.outer(first, ranges.offsets).ravel().tolist()
            self.source.read_ranges(offsets, [ranges.size] * len(offsets), stored.reshape(-1).view(np.uint8).data)
        if len(self.shape) > 1 and window.step[-1] != 1:
            stored = np.ascontiguousarray(stored[..., :: window.step[-1]])
        return self.scaling.physical(stored)
