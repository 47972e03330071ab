"""Layers have y and x last and y upwards on the screen; files may have them otherwise. Here one becomes the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window

_BUFFER = 16 * 2**20
"""Bytes that are read at a time where more is read than is wanted."""


@dataclass(frozen=True)
class OrientedReader:
    """A reader with its axes in another order, and its rows counted from the other end.

    Attributes
    ----------
    inner : Reader
        The array as the file has it.
    order : tuple of int
        Axis of the file that each axis of the layer is; the last two are y and x.
    y_down : bool
        Whether the file's first row is the top of the picture (ENVI, images, most simulations), so that rows are
        counted from the last.
    """

    inner: Reader
    order: tuple[int, ...]
    y_down: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer."""
        return tuple(self.inner.shape[axis] for axis in self.order)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of what `read` returns."""
        return self.inner.dtype

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the files behind the layer."""
        return self.inner.fingerprint

    @cached_property
    def token(self) -> str:
        """Canonical text of the inner reader and of what is done to it."""
        return f"oriented:{self.order}:{self.y_down}:{self.inner.token}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the source."""
        return self.inner.source_itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks of the inner reader; without any, an axis that runs faster than x is read whole."""
        inner = list(self.inner.chunks)
        if max(inner) == 1:
            fast = self.order[-1] + 1
            inner[fast:] = self.inner.shape[fast:]
        return tuple(inner[axis] for axis in self.order)

    @property
    def first_chunk_rows(self) -> int:
        """Rows below the first boundary between chunks, which are counted from the file's first row."""
        return self.shape[-2] % self.chunks[-2] if self.y_down else 0

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        start, stop, step = list(window.start), list(window.stop), list(window.step)
        if self.y_down:
            rows = window.ranges[-2]
            last = self.shape[-2] - 1
            # The same rows, counted from the top and taken from there on.
            start[-2], stop[-2] = (last - rows[-1], last - rows[0] + 1) if rows else (0, 0)
        back = [self.order.index(axis) for axis in range(len(self.order))]
        inner = Window(tuple(start[i] for i in back), tuple(stop[i] for i in back), tuple(step[i] for i in back))
        values = self._read_inner(inner).transpose(self.order)
        if self.y_down:
            values = values[..., ::-1, :]
        return np.ascontiguousarray(values)

    def _read_inner(self, window: Window) -> NDArray[Any]:
        """Read a window of the file, with axes that run faster than x whole: one run of bytes, not one a pixel."""
        shape, fast = self.inner.shape, self.order[-1] + 1
        if fast == len(shape) or window.size == 0 or max(self.inner.chunks) > 1:
            return self.inner.read(window)
        values = np.empty(window.shape, self.inner.dtype)
        first, *others = window.ranges
        others[fast - 1 :] = (range(size) for size in shape[fast:])
        rows = max(1, _BUFFER // (math.prod(map(len, others)) * self.inner.dtype.itemsize))
        for done in range(0, len(first), rows):
            ranges = (first[done : done + rows], *others)
            wide = Window(*zip(*((one.start, one[-1] + 1, one.step) for one in ranges), strict=True))
            values[done : done + rows] = self.inner.read(wide)[(slice(None),) * fast + window.slices[fast:]]
        return values


def oriented(reader: Reader, order: tuple[int, ...], *, y_down: bool = False) -> Reader:
    """Put the axes of a reader into an order, without wrapping one that has it already."""
    if order == tuple(range(len(order))) and not y_down:
        return reader
    return OrientedReader(reader, order, y_down)
