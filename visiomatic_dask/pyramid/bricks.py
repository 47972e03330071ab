"""Bricks: how a level is cut for reading, caching and placement.

A brick is a whole number of tiles, so that a tile never needs two. Row-major sources are cut into wide, short bands:
on a cold disk a band of whole rows comes ten times as fast as a square of the same size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from visiomatic_dask.pyramid.levels import level_size
from visiomatic_dask.pyramid.tiles import Box
from visiomatic_dask.pyramid.views import VIEW_COLUMNS, VIEW_ROWS, bricks_in_view, preview_columns, touched

_WIDEST = 8192
_LEAST_WIDE = 1024
MOST_PLANES = 64
SOURCE_READ = 32 * 2**20
"""What a brick of a binned level may read of its source, where it is larger than one tile: enough to stream, little
enough to share the work."""
MIX_SIDE = 1024
MIX_READ = 384 * 2**20
"""What a brick of a mix may read over all channels, where it is higher than one tile: 300 channels of 256 x 1024 pixels
of float32. What reads more than that is shared among several tasks, each with some of the channels."""
MIX_AT_ONCE = 4 * 10**9
"""What all bricks of a view of a mix may read together at levels above 0, where a pyramid can take their place."""


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
        None where bricks are exact. Else they, or all of a view, would read more than the limit, and are made from a
        subsample of at most this many bytes each (of each plane, or of all those that share storage chunks).
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
        Bytes that one brick may read of its source, of each channel.
    preview_read : int
        Bytes that all previews of a view may read together.
    exact_read : int or None
        Bytes that all bricks of a view of a plane may read together, at levels above 0, to be exact; what reads more is
        a preview, for something better will take its place. None if nothing will: then whatever keeps to `read_limit`
        is exact.
    mix_read : int
        Bytes that one brick may read of its source over all channels of a mix; at levels above 0, all of a view.
    """

    tile_size: int
    brick_size: int
    read_limit: int
    preview_read: int
    exact_read: int | None = None
    mix_read: int = 2**35

    def is_exact(self, level: int, tile_read: int, view_read: int) -> bool:
        """Whether a level is shown exactly.

        Parameters
        ----------
        level : int
            The level.
        tile_read, view_read : int
            Bytes that a tile of one channel reads, and all bricks that a view of it touches.
        """
        if tile_read > self.read_limit:
            return False
        return level == 0 or self.exact_read is None or view_read <= self.exact_read

    def is_mix_exact(self, level: int, tile_read: int, view_read: int, mix_read: int, mix_view_read: int) -> bool:
        """Whether a level of a mix is shown exactly: at full resolution as far as can be, else where its channels are.

        Parameters
        ----------
        level, tile_read, view_read
            As of `is_exact`.
        mix_read, mix_view_read : int
            Bytes that a brick of the mix reads over all channels, and all bricks that a view of it touches.
        """
        if level == 0:
            return mix_read <= self.mix_read
        most = self.mix_read if self.exact_read is None else min(self.mix_read, MIX_AT_ONCE)
        return mix_view_read <= most and self.is_exact(level, tile_read, view_read)

    def preview_share(self, bricks: int, channels: int = 1) -> int:
        """Bytes that each of the previews of a view may read.

        Many channels need more than one to show anything: a megabyte each, as far as `read_limit` goes.
        """
        most = max(self.preview_read, channels << 20) if channels > 1 else self.preview_read
        return max(1, min(most, self.read_limit) // bricks)


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
    source = (width, height, itemsize, level)
    # What one tile, and one row of tiles, read of the source.
    tile_read = _source_read(tile, tile, width, height, itemsize, level)
    most_read = min(SOURCE_READ, limits.read_limit)
    most_columns = max(_WIDEST, tile)
    if level and _source_read(tile, most_columns, width, height, itemsize, level) > most_read:
        most_columns = min(most_columns, max(1, most_read // tile_read) * tile)
    columns = _tiles(min(most_columns, pixels // tile), tile, columns_all)
    if level == 0:  # smaller, where a view would else touch much that it does not show
        while columns >= 2 * _LEAST_WIDE and _view_read(tile, columns, *source) > limits.preview_read:
            columns = _tiles(columns // 2, tile, columns_all)
    most_rows = pixels // min(columns, columns_all)
    if level == 0 and _view_read(most_rows // tile * tile, columns, *source) > limits.preview_read:
        most_rows = tile
    if level:
        row_read = _source_read(tile, columns, width, height, itemsize, level)
        most_rows = min(most_rows, max(1, most_read // row_read) * tile)
    rows = _tiles(most_rows, tile, rows_all)
    if not limits.is_exact(level, tile_read, _view_read(rows, columns, *source)):
        return preview_bricks(width, height, itemsize, level, 1, limits)
    whole_plane = rows >= rows_all and columns >= columns_all
    planes = min(MOST_PLANES, max(1, pixels // (width * height))) if whole_plane else 1
    if level:
        planes = min(planes, max(1, most_read // (width * height * itemsize)))
    return BrickGrid(columns_all, rows_all, planes, rows, columns)


def mix_bricks(width: int, height: int, itemsize: int, level: int, channels: int, limits: BrickLimits) -> BrickGrid:
    """Cut a level into bricks of a mix, which read every one of its `channels`; parameters as of `plane_bricks`."""
    tile = limits.tile_size
    columns_all, rows_all = level_size(width, level), level_size(height, level)
    source = (width, height, itemsize, level)
    side = max(MIX_SIDE, tile)
    rows, columns = _tiles(side, tile, rows_all), _tiles(side, tile, columns_all)
    # Wide as long as can be: what follows one another on a disk comes ten times as fast as squares.
    while rows > tile and channels * _source_read(rows, columns, *source) > MIX_READ:
        rows = _tiles(rows // 2, tile, rows_all)
    # Several tasks can share the channels, but not the pixels of one.
    while columns > tile and (
        _source_read(rows, columns, *source) > MIX_READ
        or channels * _source_read(rows, columns, *source) > limits.mix_read
    ):
        columns = _tiles(columns // 2, tile, columns_all)
    view_read = _view_read(rows, columns, *source)
    brick_read = channels * _source_read(rows, columns, *source)
    tile_read = _source_read(tile, tile, *source)
    if not limits.is_mix_exact(level, tile_read, view_read, brick_read, channels * view_read):
        return preview_bricks(width, height, itemsize, level, channels, limits)
    return BrickGrid(columns_all, rows_all, 1, rows, columns)


def preview_bricks(width: int, height: int, itemsize: int, level: int, channels: int, limits: BrickLimits) -> BrickGrid:
    """Cut a level into bricks of previews, a row of tiles high; parameters as of `mix_bricks`, 1 channel for a plane.

    They are wide, so that a source row is read once or a few times, not once for every tile.
    """
    tile = limits.tile_size
    columns_all, rows_all = level_size(width, level), level_size(height, level)
    most = limits.brick_size // (4 * tile) if channels == 1 else MIX_SIDE * MIX_SIDE // tile
    columns = preview_columns(tile, columns_all, max(most, tile), (width / columns_all) * itemsize)
    share = limits.preview_share(bricks_in_view(tile, columns, rows_all, columns_all), channels)
    return BrickGrid(columns_all, rows_all, 1, tile, columns, share)


def _tiles(most: int, tile: int, size: int) -> int:
    """Largest whole number of tiles, in pixels, within `most`, but no more than cover `size` and at least one."""
    return min(max(1, most // tile), math.ceil(size / tile)) * tile


def _source_read(rows: int, columns: int, width: int, height: int, itemsize: int, level: int) -> int:
    """Bytes of the source behind a rectangle of a level."""
    return min(rows << level, height) * min(columns << level, width) * itemsize


def _view_read(rows: int, columns: int, width: int, height: int, itemsize: int, level: int) -> int:
    """Bytes of the source behind all bricks of one plane that a view touches at most."""
    high = rows * touched(VIEW_ROWS, rows, level_size(height, level))
    wide = columns * touched(VIEW_COLUMNS, columns, level_size(width, level))
    return _source_read(high, wide, width, height, itemsize, level)
