"""A stored level as a reader: bricks, mixes and spectra are made from it as from any source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Window
from visiomatic_dask.pyramid.store.arrays import read_pixels, read_pixels_into
from visiomatic_dask.pyramid.store.pyramid import Pyramid
from visiomatic_dask.pyramid.tiles import Box


@dataclass(frozen=True)
class LevelReader:
    """A level of a pyramid. Its planes are those of the layer, smaller; y is upwards.

    Attributes
    ----------
    pyramid : Pyramid
        What it belongs to.
    level : int
        Which, from 1.
    leading : tuple of int
        Sizes of the layer's axes before y and x.
    """

    pyramid: Pyramid
    level: int
    leading: tuple[int, ...]

    @classmethod
    def of(cls, pyramid: Pyramid, level: int, shape: Sequence[int]) -> LevelReader:
        """Make the reader of a level from the shape of the layer."""
        return cls(pyramid, level, tuple(shape[:-2]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the level, with all axes of the layer."""
        grid = self.pyramid.plan.grid(self.level)
        return *self.leading, grid.height, grid.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native float32."""
        return np.dtype(np.float32)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the source that the pyramid was made from."""
        return self.pyramid.fingerprint

    @cached_property
    def token(self) -> str:
        """Canonical text of the source's version, the level, and how exact it is."""
        return f"store:{self.pyramid.token}:{self.level}:{self.pyramid.mantissa}"

    @property
    def source_itemsize(self) -> int:
        """Bytes that a decoded pixel takes."""
        return 4

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks of the level; they have one plane, and are counted from the top: see `first_chunk_rows`."""
        return *(1 for _ in self.leading), *self.pyramid.plan.grid(self.level).chunk

    @property
    def first_chunk_rows(self) -> int:
        """Rows below the first boundary between chunks."""
        grid = self.pyramid.plan.grid(self.level)
        return grid.height % grid.chunk[0]

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`.

        Raises
        ------
        InvalidRequest
            If the window does not lie within `shape`.
        PyramidGone
            If not all of it is in the store (any more). Nobody looks at the source: its version is in the address.
        StoreError
            If it cannot be read, or is damaged.
        """
        window.check_within(self.shape)
        out = np.empty(window.shape, np.float32)
        if not out.size:
            return out
        *leading, y, x = window.ranges
        height = self.shape[-2]
        box = Box(height - 1 - y[-1], x[0], height - y[0], x[-1] + 1)
        target = out.reshape(-1, *window.shape[-2:])
        for index, first, last in _runs(leading, self.leading):
            if y.step == x.step == 1:
                read_pixels_into(
                    self.pyramid, self.level, (first, last), box, target[index : index + last - first, ::-1]
                )
                continue
            for plane in range(first, last):
                (pixels,) = read_pixels(self.pyramid, self.level, (plane, plane + 1), box)
                target[index + plane - first] = pixels[::-1][:: y.step, :: x.step]
        return out


def _runs(ranges: Sequence[range], sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Cut the planes of a window into those that follow one another.

    Parameters
    ----------
    ranges : sequence of range
        Of the window, along the axes before y and x.
    sizes : sequence of int
        Of the layer along these axes.

    Yields
    ------
    index, first, last : int
        How many planes of the window came before; the first plane, and one past the last.
    """
    planes = np.zeros(1, np.int64)
    for indices, size in zip(ranges, sizes, strict=True):
        planes = np.add.outer(planes * size, np.asarray(indices)).ravel()
    breaks = np.flatnonzero(np.diff(planes) != 1) + 1
    edges = [0, *breaks.tolist(), len(planes)]
    for start, stop in itertools.pairwise(edges):
        yield start, int(planes[start]), int(planes[stop - 1]) + 1
