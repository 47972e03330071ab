"""The plan of a spectral copy: how a layer at full resolution is cut for reading along its channels. Pure arithmetic.

A chunk holds all channels of a small patch of the sky (all of a spectrum, one read), a shard a band of such patches. A
shard is one file and has one writer, who reads its band of the source once: whole rows where the width allows, as
row-major files are read fastest that way, or whole storage chunks, as far as they fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from visiomatic_dask.cube import Reader, Window, first_chunk_rows
from visiomatic_dask.pyramid.store.shards import LevelGrid, Shard
from visiomatic_dask.pyramid.tiles import Box

_ROUND = 32
"""What the sides of parts of storage chunks are multiples of, so that chunks of the copy fit in."""
_LARGEST_READ = 16 * 2**20
"""Bytes that are asked of the source at a time."""

_FILES = 40
"""Shards that a copy may have, however small; of all others, a third of the largest is the mean."""


@dataclass(frozen=True, slots=True)
class SpectralLimits:
    """What a spectral copy is cut by.

    Attributes
    ----------
    shard : int
        Decoded bytes of the largest shard: what its writer holds of it.
    chunk, small_chunk : int
        Decoded bytes of the largest chunk, where a spectrum lies in one, and where it lies in very many.
    deep : int
        Channels of a chunk at most: with more, bands become so low and narrow that the source is read in crumbs. But
        of small planes there are as many as a shard can hold.
    run : int
        Pixels along x that a band has at least, where its rows cannot be whole: runs of tens of kilobytes.
    """

    shard: int = 96 * 2**20
    chunk: int = 2**20
    small_chunk: int = 2**17
    deep: int = 4096
    run: int = 8192


DEFAULT_LIMITS = SpectralLimits()


@dataclass(frozen=True)
class SpectralPlan:
    """How a spectral copy is cut. All tuples are in array order; the last two axes are y and x.

    Attributes
    ----------
    shape : tuple of int
        Of the layer.
    itemsize : int
        Bytes a pixel; the copy has the dtype of the layer.
    chunk, shard : tuple of int
        Pixels of both; shards are of whole chunks, have the depth of one, and reach beyond the edges.
    upwards : bool
        Whether rows are stored from the bottom of the picture. Like everything in the store they are in raster
        orientation, but where the storage chunks of the source line up with the shards only the other way.
    """

    shape: tuple[int, ...]
    itemsize: int
    chunk: tuple[int, ...]
    shard: tuple[int, ...]
    upwards: bool = False

    @classmethod
    def of(cls, reader: Reader, limits: SpectralLimits = DEFAULT_LIMITS) -> SpectralPlan:
        """Plan the spectral copy of a reader."""
        *_, height, width = reader.shape
        most = max(1, limits.shard // reader.dtype.itemsize)
        unit = _unit(reader, most)
        # Of small planes, which are taken whole, as many as a shard can hold.
        most_deep = min(most, max(limits.deep, most // (height * width)))
        deepest = min(most_deep, most // (unit[-2] * unit[-1]))
        plan = cls._cut(reader, unit, deepest, limits)
        # Where much is left over at edges, as planes are not of whole storage chunks, shards are wider and less deep.
        while not plan._has_few_shards(limits) and deepest > 1:
            deepest //= 2
            plan = min(plan, cls._cut(reader, unit, deepest, limits), key=lambda one: one.shard_count)
        if plan._has_few_shards(limits):
            return plan
        # With chunks as large as shards, two of which do not quite cover an axis: some are read more than once.
        return cls._cut(reader, [1] * len(unit), most_deep, limits)

    @classmethod
    def _cut(cls, reader: Reader, unit: Sequence[int], deepest: int, limits: SpectralLimits) -> SpectralPlan:
        """Cut a layer into shards of whole units, of no more planes than a number says, but one unit at least."""
        *leading, height, width = reader.shape
        *units, unit_rows, unit_columns = unit
        itemsize = reader.dtype.itemsize
        deep = _grown(leading, units, deepest)
        depth = math.prod(deep)
        most = max(1, limits.shard // itemsize) // depth
        blocks = math.prod(-(-size // part) for size, part in zip(leading, deep, strict=True))
        pixels = max(1, max(limits.small_chunk, limits.chunk // blocks) // (depth * itemsize))
        least = max(unit_columns, min(width, limits.run)) if unit_rows == 1 else unit_columns
        rows = _side(height, unit_rows, max(1, min(math.isqrt(pixels), most // least)))
        columns = _side(width, unit_columns, max(1, min(pixels // rows, most // max(rows, unit_rows))))
        step_rows, step_columns = (
            -(-unit // side) * side for unit, side in ((unit_rows, rows), (unit_columns, columns))
        )
        wide = _even(width, most // max(unit_rows, rows), step_columns)
        high = _even(height, most // min(wide, width), step_rows)
        upwards = first_chunk_rows(reader) == 0 and height % min(reader.chunks[-2], height) != 0
        return cls(reader.shape, itemsize, (*deep, rows, columns), (*deep, high, wide), upwards)

    def _has_few_shards(self, limits: SpectralLimits) -> bool:
        return self.shard_count <= _FILES + 3 * self.nbytes / limits.shard

    @property
    def width(self) -> int:
        """Pixels along x."""
        return self.shape[-1]

    @property
    def height(self) -> int:
        """Pixels along y."""
        return self.shape[-2]

    @cached_property
    def cells(self) -> tuple[int, ...]:
        """Number of shards along every axis."""
        return tuple(-(-size // part) for size, part in zip(self.shape, self.shard, strict=True))

    @property
    def count(self) -> int:
        """Number of planes."""
        return math.prod(self.shape[:-2])

    @property
    def shard_count(self) -> int:
        """Number of shards, which are files."""
        return math.prod(self.cells)

    @cached_property
    def levels(self) -> tuple[LevelGrid, ...]:
        """Full resolution, as the one level there is."""
        *deep, rows, columns = self.shard
        chunk = self.chunk[-2], self.chunk[-1]
        return (LevelGrid(0, self.width, self.height, chunk, rows, columns, math.prod(deep)),)

    def grid(self, level: int = 0) -> LevelGrid:
        """Return the level."""
        return self.levels[level]

    @property
    def chunks_within(self) -> tuple[int, int]:
        """Chunks of a shard along y and x."""
        return self.shard[-2] // self.chunk[-2], self.shard[-1] // self.chunk[-1]

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the whole copy."""
        return math.prod(self.shape) * self.itemsize

    def shards(self, level: int = 0, planes: tuple[int, int] | None = None) -> Iterator[Shard]:
        """All shards, or those that hold any of some planes; level 0 is all there is."""
        for block, row, column in itertools.product(range(math.prod(self.cells[:-2])), *map(range, self.cells[-2:])):
            shard = Shard(level, block, row, column)
            first, last = self.planes(shard)
            if planes is None or (first < planes[1] and planes[0] < last):
                yield shard

    def planes(self, shard: Shard) -> tuple[int, int]:
        """First plane, and one past the last, of a shard: not all between are its own, where an axis is cut."""
        leading = self.window(shard)
        shape = self.shape[:-2]
        if not shape:
            return 0, 1
        last = tuple(stop - 1 for stop in leading.stop[:-2])
        return int(np.ravel_multi_index(leading.start[:-2], shape)), int(np.ravel_multi_index(last, shape)) + 1

    def below(self, shard: Shard, planes: tuple[int, int]) -> list[Shard]:  # noqa: ARG002 - as `PyramidPlan.below`
        """Shards that one is made from: none, as all are made from the source."""
        return []

    def common(self, shard: Shard, planes: tuple[int, int]) -> tuple[int, int]:  # noqa: ARG002 - as `PyramidPlan.common`
        """Planes of a shard that are built for the sake of some of them: all."""
        return self.planes(shard)

    def touched(self, window: Window) -> list[Shard]:
        """Shards that hold any of the pixels of a window of the layer."""
        ranges = self.flipped(window).ranges
        along = [sorted({i // part for i in one}) for one, part in zip(ranges, self.shard, strict=True)]
        return [self.shard_at(index) for index in itertools.product(*along)]

    def index(self, shard: Shard) -> tuple[int, ...]:
        """Place of a shard in the grid, along every axis."""
        blocks = self.cells[:-2]
        at = tuple(int(i) for i in np.unravel_index(shard.block, blocks)) if blocks else ()
        return (*at, shard.row, shard.column)

    def shard_at(self, index: Sequence[int]) -> Shard:
        """Return the shard at a place in the grid."""
        *at, row, column = index
        block = int(np.ravel_multi_index(tuple(at), self.cells[:-2])) if at else 0
        return Shard(0, block, row, column)

    def box(self, shard: Shard) -> Box:
        """Rectangle of a shard in raster orientation, cropped at the edges."""
        *_, y, x = self.window(shard).ranges
        height = self.shape[-2]
        return Box(height - y.stop, x.start, height - y.start, x.stop)

    def window(self, shard: Shard) -> Window:
        """Pixels of a shard as a window of the layer (y upwards), cropped at the edges."""
        return self.flipped(
            Window(
                tuple(i * part for i, part in zip(self.index(shard), self.shard, strict=True)),
                tuple(
                    min((i + 1) * part, size)
                    for i, part, size in zip(self.index(shard), self.shard, self.shape, strict=True)
                ),
            )
        )

    def flipped(self, window: Window) -> Window:
        """Turn a window of the layer into one of the stored rows, or the other way round; of the same pixels.

        Where the two run the other way, rows come in the opposite order.
        """
        rows = window.ranges[-2]
        if self.upwards or not rows:
            return window
        first, last = self.shape[-2] - 1 - rows[-1], self.shape[-2] - rows[0]
        return Window(
            (*window.start[:-2], first, window.start[-1]), (*window.stop[:-2], last, window.stop[-1]), window.step
        )

    def reads(self, reader: Reader, shard: Shard) -> Iterator[Window]:
        """Cut the window of a shard into what is read at a time: whole storage chunks, as many as are a few megabytes.

        Parameters
        ----------
        reader : Reader
            The source.
        shard : Shard
            Which.
        """
        whole = self.window(shard)
        most = max(1, _LARGEST_READ // self.itemsize)
        units = [min(pair) for pair in zip(reader.chunks, self.shape, strict=True)]
        origins = [0] * len(units)
        origins[-2] = first_chunk_rows(reader)
        # From the fastest axis on, as many whole chunks as are wanted.
        left = max(1, most // math.prod(units))
        along = []
        for axis in range(len(units) - 1, -1, -1):
            unit, start, stop = units[axis], whole.start[axis], whole.stop[axis]
            cut = list(_cuts(start, stop, left * unit, unit, origins[axis]))
            left = max(1, left // -(-(stop - start) // unit)) if len(cut) == 1 else 1
            along.append(cut)
        for parts in itertools.product(*reversed(along)):
            yield Window(tuple(a for a, _ in parts), tuple(b for _, b in parts))


def _unit(reader: Reader, most: int) -> list[int]:
    """Shape of what is read together: a storage chunk, or a part of one that has more than `most` pixels.

    Or all of an axis that has hardly more than a few chunks: what is left over would be a shard of its own.
    """
    unit = [min(pair) for pair in zip(reader.chunks, reader.shape, strict=True)]
    # Rows first: what is left of a chunk is then still read in runs.
    for axis in (len(unit) - 2, *range(len(unit) - 2), len(unit) - 1):
        parts = -(-math.prod(unit) // most)
        if parts > 1:
            side = -(-unit[axis] // min(parts, unit[axis]))
            unit[axis] = min(unit[axis], -(-side // _ROUND) * _ROUND) if side > _ROUND else side
    for axis, size in enumerate(reader.shape):
        left_over = -size % unit[axis]
        if 4 * left_over > size and math.prod(unit) // unit[axis] * size <= most:
            unit[axis] = size
    return unit


def _grown(sizes: Sequence[int], units: Sequence[int], most: int) -> tuple[int, ...]:
    """Grow a block of whole units, the fastest axis first, to at most `most` planes; blocks along an axis are alike."""
    block = list(units)
    for axis in range(len(sizes) - 1, -1, -1):
        others = math.prod(block) // block[axis]
        block[axis] = _even(sizes[axis], max(1, most // others), units[axis])
        block[axis] = min(block[axis], sizes[axis])
        if block[axis] < sizes[axis]:
            break
    return tuple(block)


def _side(size: int, unit: int, most: int) -> int:
    """Find how long a chunk is along an axis: such that units, where the source has any, are of whole chunks."""
    if unit in (1, size):
        return -(-size // -(-size // min(size, most)))
    return min(most, size) // unit * unit if most >= unit else _divisor(unit, most)


def _even(size: int, most: int, unit: int) -> int:
    """Cut a size into parts of whole units that are alike: how long one is, at most `most`, but one unit at least."""
    parts = -(-size // max(unit, most // unit * unit))
    longest = -(-size // parts)
    return -(-longest // unit) * unit


def _divisor(number: int, most: int) -> int:
    """Find the divisor of a number that is nearest to another, which is not larger."""
    divisors = [one for one in range(1, number + 1) if number % one == 0]
    below = max(one for one in divisors if one <= most)
    above = min(one for one in divisors if one >= most)
    return below if below * above >= most * most else above


def _cuts(first: int, last: int, most: int, unit: int, origin: int) -> Iterator[tuple[int, int]]:
    """Cut a range into pieces of at most `most` that end at multiples of a unit away from an origin."""
    while first < last:
        stop = first + most
        stop = last if stop >= last else max(first + 1, (stop - origin) // unit * unit + origin)
        yield first, stop
        first = stop
