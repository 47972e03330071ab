"""Bricks of sources that are stored in chunks: whole chunks, as many as a brick can hold.

Boundaries of bricks are those of tiles first, and those of chunks wherever both agree. Planes that share chunks come
together, as many as fit, so that stepping through channels stays within a brick.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from visiomatic_dask.pyramid.bricks import (
    MIX_READ,
    MIX_SIDE,
    MOST_PLANES,
    SOURCE_READ,
    BrickGrid,
    BrickLimits,
    mix_bricks,
    plane_bricks,
)
from visiomatic_dask.pyramid.channel_stream import channel_groups
from visiomatic_dask.pyramid.levels import level_size
from visiomatic_dask.pyramid.storage import Storage
from visiomatic_dask.pyramid.views import VIEW_COLUMNS, VIEW_ROWS, bricks_in_view, touched

_IN_PROPORTION = 0.6
"""Another shape of a brick of a mix is worth having where it reads less than so much of what the first does."""


def bricks_of(storage: Storage, level: int, limits: BrickLimits) -> BrickGrid:
    """Cut a level of a layer into bricks, however it is stored.

    Parameters
    ----------
    storage : Storage
        The source.
    level : int
        How many times its planes are binned.
    limits : BrickLimits
        What to cut by.
    """
    if not storage.is_chunked:
        return plane_bricks(storage.width, storage.height, storage.itemsize, level, limits)
    return _Cutter(storage, level, limits).grid


def mix_bricks_of(storage: Storage, level: int, channels: Sequence[int], limits: BrickLimits) -> BrickGrid:
    """Cut a level into bricks of a mix, which read every one of its channels; parameters as of `bricks_of`."""
    if not storage.is_chunked:
        return mix_bricks(storage.width, storage.height, storage.itemsize, level, len(channels), limits)
    tile = limits.tile_size
    columns_all, rows_all = level_size(storage.width, level), level_size(storage.height, level)
    side = max(MIX_SIDE, tile)
    rows, columns = (min(side, math.ceil(size / tile) * tile) for size in (rows_all, columns_all))

    def groups(rows: int, columns: int) -> int:
        return len(channel_groups(storage, level, channels, rows, columns))

    def cost(rows: int, columns: int) -> int:
        return groups(rows, columns) * storage.most_cost(rows, columns, level)

    # Flatter where as many pixels are decoded for less: where rows are stored whole.
    read = cost(rows, columns)
    while rows >= 2 * tile and columns < columns_all:
        flatter = rows // 2 // tile * tile, min(2 * columns, math.ceil(columns_all / tile) * tile)
        if cost(*flatter) > _IN_PROPORTION * read:
            break
        read, (rows, columns) = cost(*flatter), flatter
    # Smaller only where that decodes less, nearly in proportion.
    while read > MIX_READ:
        halves = [(rows // 2 // tile * tile, columns), (rows, columns // 2 // tile * tile)]
        smaller = [(cost(*half), half) for half in halves if min(half) >= tile]
        less = next((one for one in smaller if one[0] <= _IN_PROPORTION * read), None)
        if less is None:
            break
        read, (rows, columns) = less
    # Chunks that are wider than that are read all the same.
    while columns < columns_all and 2 * columns * rows <= side * side and cost(rows, 2 * columns) <= read:
        columns = min(2 * columns, math.ceil(columns_all / tile) * tile)
    # A channel costs its share of what is decoded for all: chunks that hold hundreds of them are read but once.
    count, mix_view_read = max(1, len(channels)), groups(rows, columns) * _view_cost(storage, rows, columns, level)
    tile_read, view_read = cost(tile, tile) // count, mix_view_read // count
    if not limits.is_mix_exact(level, tile_read, view_read, read, mix_view_read):
        return preview_bricks_of(storage, level, len(channels), limits)
    return BrickGrid(columns_all, rows_all, 1, rows, columns)


def preview_bricks_of(storage: Storage, level: int, channels: int, limits: BrickLimits) -> BrickGrid:
    """Cut a level of a chunked layer into bricks of previews, for one plane or for a mix of `channels`.

    They are as large as can be: each reads one chunk at least, and what is read is spread better over a larger one.
    """
    tile = limits.tile_size
    width, height = level_size(storage.width, level), level_size(storage.height, level)
    pixels = limits.brick_size // 4 if channels == 1 else MIX_SIDE * MIX_SIDE
    tiles = max(1, pixels // tile**2)
    across, down = -(-width // tile), -(-height // tile)
    # What is stored by whole rows is decoded whole, however narrow a brick is.
    is_wide = across <= VIEW_COLUMNS // tile + 2 or storage.columns >= storage.width
    columns = min(across if is_wide else 4, tiles)
    rows = min(down if down <= VIEW_ROWS // tile + 2 else 2, max(1, tiles // columns))
    share = limits.preview_share(bricks_in_view(rows * tile, columns * tile, height, width), channels)
    return BrickGrid(width, height, 1, rows * tile, columns * tile, share)


def _view_cost(storage: Storage, rows: int, columns: int, level: int) -> int:
    """Bytes of the chunks of one plane behind all bricks that a view touches at most."""
    high = rows * touched(VIEW_ROWS, rows, level_size(storage.height, level))
    wide = columns * touched(VIEW_COLUMNS, columns, level_size(storage.width, level))
    return storage.most_cost(high, wide, level)


class _Cutter:
    """Finds the bricks of one level.

    Parameters
    ----------
    storage, level, limits
        As of `bricks_of`.
    """

    def __init__(self, storage: Storage, level: int, limits: BrickLimits) -> None:
        self._storage = storage
        self._level = level
        self._tile = limits.tile_size
        self._width, self._height = level_size(storage.width, level), level_size(storage.height, level)
        self._pixels = max(limits.brick_size // 4, limits.tile_size**2)
        # A single tile may read more; what else lies in its chunks then costs nothing.
        self._one_tile = storage.most_cost(limits.tile_size, limits.tile_size, level)
        self._most_read = max(min(SOURCE_READ, limits.read_limit), self._one_tile)
        self._limits = limits

    @property
    def grid(self) -> BrickGrid:
        """The bricks."""
        rows, columns = self._area()
        view_read = _view_cost(self._storage, rows, columns, self._level)
        if not self._limits.is_exact(self._level, self._one_tile, view_read):
            return preview_bricks_of(self._storage, self._level, 1, self._limits)
        area = min(rows, self._height) * min(columns, self._width)
        planes, restarts = self._planes(area, rows >= self._height and columns >= self._width)
        return BrickGrid(self._width, self._height, planes, rows, columns, None, restarts)

    def _area(self) -> tuple[int, int]:
        """Rows and columns of a brick: from the smallest that chunks and tiles agree upon as far as it may grow."""
        storage, tile = self._storage, self._tile
        wide, high = self._unit(storage.columns, self._width), self._unit(storage.rows, self._height)
        smallest = ((high, wide), (tile, wide), (high, tile), (tile, tile))
        rows, columns = next((one for one in smallest if self._fits(*one)), (tile, tile))
        while True:
            taller = min(2 * rows, self._cover(self._height)), columns
            wider = rows, min(2 * columns, self._cover(self._width))
            # Rows that are stored whole are wide first, all else is kept square.
            order = (wider, taller) if columns <= rows or storage.columns >= storage.width else (taller, wider)
            larger = next((one for one in order if one != (rows, columns) and self._fits(*one)), None)
            if larger is None:
                return rows, columns
            rows, columns = larger

    def _unit(self, chunk: int, size: int) -> int:
        """Smallest number of pixels of the level that is whole tiles and whole chunks, or covers it."""
        chunk //= math.gcd(chunk, 1 << self._level)
        return min(math.lcm(chunk, self._tile), self._cover(size))

    def _cover(self, size: int) -> int:
        return math.ceil(size / self._tile) * self._tile

    def _fits(self, rows: int, columns: int) -> bool:
        """Whether a brick can be that large: with all planes that share its chunks, and what it reads."""
        storage = self._storage
        pixels = min(rows, self._height) * min(columns, self._width) * storage.depth
        return pixels <= self._pixels and (
            self._level == 0 or storage.most_cost(rows, columns, self._level) <= self._most_read
        )

    def _planes(self, area: int, whole: bool) -> tuple[int, tuple[int, ...]]:
        """Count the planes of a brick, and say after how many of them bricks start anew."""
        storage = self._storage
        most = max(1, self._pixels // area)
        if most < storage.depth:
            shared = min(storage.depth, storage.fastest)
            parts = -(-shared // most)
            return -(-shared // parts), (storage.run, storage.depth, shared)
        blocks = 1
        if whole:  # of small planes, several blocks
            blocks = min(most, MOST_PLANES) // storage.depth
            if self._level:
                read = storage.most_cost(self._height, self._width, self._level)
                blocks = min(blocks, self._most_read // read)
        return min(max(1, blocks) * storage.depth, storage.run), (storage.run,)
