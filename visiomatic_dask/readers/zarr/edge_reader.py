"""Levels that leave out what was left over when they were halved: here they get it back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window


@dataclass(frozen=True)
class EdgeReader:
    """A reader whose last rows and columns are repeated up to a shape.

    Many writers of pyramids drop the odd last row or column at every level: theirs have ``floor(n / 2**k)`` pixels
    instead of ``ceil(n / 2**k)``. The pixel that is missing stands for fewer than ``2**k`` source pixels at the very
    edge; its neighbour is shown for it, lest the whole level be useless.

    Attributes
    ----------
    inner : Reader
        The level as the source has it; not empty.
    shape : tuple of int
        As it should be.
    """

    inner: Reader
    shape: tuple[int, ...]

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
        """Canonical text of the inner reader and of the shape."""
        return f"edge:{self.shape}:{self.inner.token}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the source."""
        return self.inner.source_itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks of the inner reader."""
        return self.inner.chunks

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        if window.size == 0 or all(last <= size for last, size in zip(window.stop, self.inner.shape, strict=True)):
            stop = tuple(map(min, window.stop, self.inner.shape))
            start = tuple(map(min, window.start, stop))
            return self.inner.read(Window(start, stop, window.step)).reshape(window.shape)
        indices = [
            np.minimum(np.asarray(one), size - 1) for one, size in zip(window.ranges, self.inner.shape, strict=True)
        ]
        box = Window(tuple(int(one[0]) for one in indices), tuple(int(one[-1]) + 1 for one in indices))
        return np.ascontiguousarray(self.inner.read(box)[np.ix_(*(one - one[0] for one in indices))])
