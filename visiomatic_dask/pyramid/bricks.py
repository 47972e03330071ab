"""Bricks: how a level is cut for reading, caching and placement.

A brick is a whole number of tiles, so that a tile never needs two. Row-major sources are cut into wide, short bands:
on a cold disk a band of whole rows comes ten times as fast as a square of the same size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from visiomatic_dask.pyramid.levels import level_size
from visiomatic_dask.pyramid.tiles import Box

_WIDEST = 8192
MOST_PLANES = 64
SOURCE_READ = 32 * 2**20
"""What a brick of a binned level may read of its source, where it is larger than one tile: enough to stream, little
enough to share the work."""
PREVIEW_READ = 128 * 2**20
"""What a preview reads at most: 256 whole rows of a plane 100,000 pixels wide."""
MIX_SIDE = 1024
MIX_READ = 2 * SOURCE_READ


@dataclass(frozen=True, slots=True)
class BrickGrid:
    """The bricks of one level of a layer. All have one shape, but for those cropped at the edges.

    Attributes
    ----------
    width, height : int
        Pixels of the level.
    planes, rows, columns : int
        Shape of a brick: planes, and pixels of the level.
    preview_read : int or None
        None where bricks are exact. Else they would read more than the limit, and are made from a subsample of at most
        this many bytes each.
    restarts : tuple of int
        Numbers of planes after which bricks start anew, whether the last one is complete or not; the largest first.
    """

    width: int
    height: int
    planes: int
    rows: int
    columns: int
    preview_read: int | None = None
    restarts: tuple[int, ...] = ()

    def box(self, tile: Box) -> Box:
        """Rectangle of the brick that holds a tile."""
        top, left = tile.top // self.rows * self.rows, tile.left // self.columns * self.columns
        return Box(top, left, min(top + self.rows, self.height), min(left + self.columns, self.width))

    def around(self, box: Box) -> list[Box]:
        """Bricks that surround a rectangle of bricks, as far as it is wide and high; those nearest to its middle first.

        Parameters
        ----------
        box : Box
            Rectangle at this level; bricks that it touches count as inside.
        """
        top, bottom = box.top // self.rows, -(-box.bottom // self.rows)
        left, right = box.left // self.columns, -(-box.right // self.columns)
        high, wide = bottom - top, right - left
        found = []
        for row in range(max(0, top - high), min(bottom + high, -(-self.height // self.rows))):
            for column in range(max(0, left - wide), min(right + wide, -(-self.width // self.columns))):
                if not (top <= row < bottom and left <= column < right):
                    away = math.hypot((2 * row + 1 - top - bottom) / high, (2 * column + 1 - left - right) / wide)
                    found.append((away, row, column))
        corners = [(row * self.rows, column * self.columns) for _, row, column in sorted(found)]
        return [self.box(Box(y, x, y + 1, x + 1)) for y, x in corners]

    def plane_range(self, plane: int, count: int) -> tuple[int, int]:
        """First plane, and one past the last, of the brick that holds a plane of a layer with `count` of them."""
        first, last = 0, count
        for size in (*self.restarts, self.planes):
            first += (plane - first) // size * size
            last = min(first + size, last)
        return first, last


@dataclass(frozen=True, slots=True)
class BrickLimits:
    """What bricks are cut by.

    Attributes
    ----------
    tile_size : int
        Side of a tile.
    brick_size : int
        Bytes of float32 in the largest brick.
    read_limit : int
        Bytes that one brick may read of its source.
    """

    tile_size: int
    brick_size: int
    read_limit: int


def plane_bricks(width: int, height: int, itemsize: int, level: int, limits: BrickLimits) -> BrickGrid:
    """Cut a level of a row-major layer into bricks.

    Parameters
    ----------
    width, height : int
        Pixels of a plane at full resolution.
    itemsize : int
        Bytes a pixel takes in the source.
    level : int
        The level.
    limits : BrickLimits
        What to cut by.
    """
    tile = limits.tile_size
    columns_all, rows_all = level_size(width, level), level_size(height, level)
    pixels = max(limits.brick_size // 4, tile * tile)
    # What one tile, and one row of tiles, read of the source.
    tile_read = _source_read(tile, tile, width, height, itemsize, level)
    most_read = min(SOURCE_READ, limits.read_limit)
    most_columns = max(_WIDEST, tile)
    if level and _source_read(tile, most_columns, width, height, itemsize, level) > most_read:
        most_columns = min(most_columns, max(1, most_read // tile_read) * tile)
    columns = _tiles(min(most_columns, pixels // tile), tile, columns_all)
    most_rows = pixels // min(columns, columns_all)
    if level:
        row_read = _source_read(tile, columns, width, height, itemsize, level)
        most_rows = min(most_rows, max(1, most_read // row_read) * tile)
    rows = _tiles(most_rows, tile, rows_all)
    whole_plane = rows >= rows_all and columns >= columns_all
    planes = min(MOST_PLANES, max(1, pixels // (width * height))) if whole_plane else 1
    if level:
        planes = min(planes, max(1, most_read // (width * height * itemsize)))
    preview = min(limits.read_limit, PREVIEW_READ) if tile_read > limits.read_limit else None
    return BrickGrid(columns_all, rows_all, planes, rows, columns, preview)


def mix_bricks(width: int, height: int, itemsize: int, level: int, channels: int, limits: BrickLimits) -> BrickGrid:
    """Cut a level into bricks of a mix, which read every one of its `channels`; parameters as of `plane_bricks`."""
    tile = limits.tile_size
    columns_all, rows_all = level_size(width, level), level_size(height, level)
    side = max(MIX_SIDE, tile)
    most_read = min(MIX_READ, limits.read_limit)
    while side > tile and channels * _source_read(side, side, width, height, itemsize, level) > most_read:
        side //= 2
    read = channels * _source_read(tile, tile, width, height, itemsize, level)
    preview = min(limits.read_limit, PREVIEW_READ) if read > limits.read_limit else None
    return BrickGrid(columns_all, rows_all, 1, _tiles(side, tile, rows_all), _tiles(side, tile, columns_all), preview)


def _tiles(most: int, tile: int, size: int) -> int:
    """Largest whole number of tiles, in pixels, within `most`, but no more than cover `size` and at least one."""
    return min(max(1, most // tile), math.ceil(size / tile)) * tile


def _source_read(rows: int, columns: int, width: int, height: int, itemsize: int, level: int) -> int:
    """Bytes of the source behind a rectangle of a level."""
    return min(rows << level, height) * min(columns << level, width) * itemsize
