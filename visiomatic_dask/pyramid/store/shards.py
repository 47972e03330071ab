"""The plan of a pyramid: its levels, and the shards that each is cut into. Pure arithmetic.

A shard is one file, the unit of building and of resuming, and has one writer. Its size is that of tens of megabytes
whatever the shape of the planes: parallel file systems choke on small files. Where planes are small, or share storage
chunks in the source, a shard holds several.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.levels import level_count, level_size
from visiomatic_dask.pyramid.storage import Storage
from visiomatic_dask.pyramid.tiles import Box

SHARD_PIXELS = 24 * 2**20
"""Pixels of the largest shard: 96 MB of float32. Smaller ones have half as many at least, but for what is left over at
edges and at the top."""
_LEAST_PART = 3
"""Where shards as large as those below would have less than that part of their pixels, as the level is narrow, it is
cut anew."""
CHUNK = 1024
"""Side of a chunk: what is decoded at once, and a brick. Smaller, where a shard is many planes deep."""
_MOST_DEEP = 256
"""Planes that share chunks in the source and are built together at most."""
_MOST_IMAGES = 16
"""Images (Stokes parameters) of one pyramid at most; where there would be more, all planes are channels of one."""


class Shard(NamedTuple):
    """Which shard: of a level, a block of planes, and a place in the grid of the level."""

    level: int
    block: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class LevelGrid:
    """One level of a pyramid, and its shards.

    Attributes
    ----------
    level : int
        From 1.
    width, height : int
        Pixels.
    chunk : (int, int)
        Rows and columns of a chunk; chunks have one plane.
    rows, columns : int
        Pixels of a shard: whole chunks, which reach beyond the edges.
    planes : int
        Planes of a shard.
    """

    level: int
    width: int
    height: int
    chunk: tuple[int, int]
    rows: int
    columns: int
    planes: int

    @property
    def down(self) -> int:
        """Shards along y."""
        return -(-self.height // self.rows)

    @property
    def across(self) -> int:
        """Shards along x."""
        return -(-self.width // self.columns)


@dataclass(frozen=True)
class PyramidPlan:
    """How a layer's pyramid is cut.

    Planes are counted over all axes before y and x, flattened. They are the channels of one image, or of several that
    follow one another (Stokes parameters): OME-NGFF allows one channel axis. No shard holds planes of two images.

    Attributes
    ----------
    width, height : int
        Pixels of a plane at full resolution.
    channels : int
        Planes of an image.
    images : int
        How many there are.
    tile_size : int
        Side of a tile; the last level is the first that a tile holds.
    deep : int
        Planes that are built together, as they share storage chunks in the source. A shard holds this many, or a power
        of two times as many, so that no chunk lies in two of them.
    shard_pixels : int
        Pixels of the largest shard. Part of the plan, so that a pyramid is read as it was cut, whatever is the default
        by then.
    """

    width: int
    height: int
    channels: int
    images: int
    tile_size: int
    deep: int = 1
    shard_pixels: int = SHARD_PIXELS

    @classmethod
    def of(cls, reader: Reader, tile_size: int) -> PyramidPlan:
        """Plan the pyramid of a reader."""
        storage = Storage.of(reader)
        wide = [size for size in reader.shape[:-2] if size > 1]
        channels = wide[-1] if wide else 1
        images = storage.count // channels
        if images > _MOST_IMAGES:
            channels, images = storage.count, 1
        deep = min(storage.depth, channels, _MOST_DEEP)
        if channels < 1.5 * deep:
            deep = channels  # lest there are as many shards again for the few planes that are left over
        return cls(storage.width, storage.height, channels, images, tile_size, deep, SHARD_PIXELS)

    @property
    def count(self) -> int:
        """Number of planes."""
        return self.channels * self.images

    @cached_property
    def levels(self) -> tuple[LevelGrid, ...]:
        """The levels from 1 on; empty where one tile holds a plane."""
        top = level_count(self.width, self.height, self.tile_size)
        grids: list[LevelGrid] = []
        most_planes = self.deep * _power_above(-(-self.channels // self.deep))
        rows = columns = 0
        planes = self.deep
        # Two chunks at least along each side of a shard, so that it can be cut to a good size.
        side = min(CHUNK, max(1, _power_below(math.isqrt(self.shard_pixels // planes)) // 2))
        for level in range(1, top):
            width, height = level_size(self.width, level), level_size(self.height, level)
            chunk = min(side, height), min(side, width)
            inside = min(rows, height) * min(columns, width) * planes
            if level == 1 or (_LEAST_PART * inside < self.shard_pixels and inside < height * width * planes):
                rows, columns = _split(width, height, self.shard_pixels // planes, chunk)
            high, wide = min(rows, _cover(height, chunk[0])), min(columns, _cover(width, chunk[1]))
            if high >= height and wide >= width:
                most = self.deep * _power_below(self.shard_pixels // (height * width * self.deep))
                planes = min(max(planes, most), most_planes)
            grids.append(LevelGrid(level, width, height, chunk, high, wide, planes))
        return tuple(grids)

    def grid(self, level: int) -> LevelGrid:
        """Return a level, from 1."""
        return self.levels[level - 1]

    def blocks(self, level: int) -> int:
        """Count the blocks of planes of an image at a level."""
        return -(-self.channels // self.grid(level).planes)

    def planes(self, shard: Shard) -> tuple[int, int]:
        """First plane, and one past the last, that a shard has room for."""
        image, block = divmod(shard.block, self.blocks(shard.level))
        deep = self.grid(shard.level).planes
        first = image * self.channels
        return first + block * deep, first + min((block + 1) * deep, self.channels)

    def block(self, level: int, plane: int) -> int:
        """Return the block that a plane is in at a level."""
        image, channel = divmod(plane, self.channels)
        return image * self.blocks(level) + channel // self.grid(level).planes

    def box(self, shard: Shard) -> Box:
        """Rectangle of a shard at its level, cropped at the edges."""
        grid = self.grid(shard.level)
        top, left = shard.row * grid.rows, shard.column * grid.columns
        return Box(top, left, min(top + grid.rows, grid.height), min(left + grid.columns, grid.width))

    def below_box(self, shard: Shard) -> Box:
        """Rectangle, at the level below, that a shard is made from."""
        box, level = self.box(shard), shard.level - 1
        width, height = level_size(self.width, level), level_size(self.height, level)
        return Box(2 * box.top, 2 * box.left, min(2 * box.bottom, height), min(2 * box.right, width))

    def below(self, shard: Shard, planes: tuple[int, int]) -> list[Shard]:
        """Shards that some planes of a shard are made from; none for level 1, which is made from the source."""
        if shard.level == 1:
            return []
        return self.covering(shard.level - 1, planes, self.below_box(shard))

    def covering(self, level: int, planes: tuple[int, int], box: Box) -> list[Shard]:
        """Shards that hold a rectangle of a level, for some planes that follow one another."""
        grid = self.grid(level)
        return [
            Shard(level, block, row, column)
            for block in dict.fromkeys(self.block(level, plane) for plane in range(*planes))
            for row in range(box.top // grid.rows, -(-box.bottom // grid.rows))
            for column in range(box.left // grid.columns, -(-box.right // grid.columns))
        ]

    def common(self, shard: Shard, planes: tuple[int, int]) -> tuple[int, int]:
        """Those of some planes that a shard has room for, at least one: first, and one past the last."""
        first, last = self.planes(shard)
        return max(first, planes[0]), min(last, planes[1])

    def shards(self, level: int, planes: tuple[int, int] | None = None) -> Iterator[Shard]:
        """All shards of a level, of some planes or of all."""
        grid = self.grid(level)
        yield from self.covering(level, planes or (0, self.count), Box(0, 0, grid.height, grid.width))


def _split(width: int, height: int, pixels: int, chunk: tuple[int, int]) -> tuple[int, int]:
    """Cut a level into shards that are alike: rows and columns of one, in whole chunks.

    As close to squares as can be, none of more than `pixels` (but one chunk at least), most of more than half of it.
    """
    if width * height <= pixels:
        return _cover(height, chunk[0]), _cover(width, chunk[1])
    high = min(height, math.isqrt(pixels))
    columns = _even(width, max(1, pixels // high), chunk[1])
    return _even(height, max(1, pixels // min(columns, width)), chunk[0]), columns


def _even(size: int, most: int, chunk: int) -> int:
    """Cut a size into equal parts of whole chunks, none longer than `most` but by what makes its last chunk whole."""
    parts = -(-size // max(chunk, most // chunk * chunk)) if size > most else 1
    return _cover(-(-size // parts), chunk)


def _cover(size: int, chunk: int) -> int:
    """Whole chunks, in pixels, that cover a size."""
    return -(-size // chunk) * chunk


def _power_above(number: int) -> int:
    return 1 << max(0, number - 1).bit_length()


def _power_below(number: int) -> int:
    return 1 << max(0, number.bit_length() - 1)
