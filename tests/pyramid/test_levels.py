"""Level sizes: halved and rounded up, until one tile holds the plane."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.pyramid import TileGrid, level_count, level_size

SIZES = st.one_of(st.integers(1, 2000), st.integers(1, 2**40))
TILES = st.sampled_from([1, 32, 64, 128, 256, 512, 1024])


@given(SIZES, st.integers(0, 30))
def test_level_size_is_halved_and_rounded_up(size: int, level: int) -> None:
    halved = size
    for _ in range(level):
        halved = (halved + 1) // 2
    assert level_size(size, level) == halved == max(1, math.ceil(size / 2**level))


@given(SIZES, SIZES, TILES)
def test_last_level_is_the_first_that_one_tile_holds(width: int, height: int, tile: int) -> None:
    count = level_count(width, height, tile)
    fits = [max(level_size(width, k), level_size(height, k)) <= tile for k in range(count)]
    assert fits == [False] * (count - 1) + [True]


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([32, 64]))
def test_tiles_cover_every_level_once(width: int, height: int, tile: int) -> None:
    grid = TileGrid(width, height, tile)
    for level in range(grid.levels):
        columns, rows = grid.count(level)
        boxes = [grid.box(level, row, column) for row in range(rows) for column in range(columns)]
        assert sum(box.rows * box.columns for box in boxes) == math.prod(grid.size(level))
        assert all(0 < box.rows <= tile and 0 < box.columns <= tile for box in boxes)
        assert all(box.top % tile == 0 and box.left % tile == 0 for box in boxes)
        assert (boxes[-1].right, boxes[-1].bottom) == grid.size(level)
    assert grid.count(grid.levels - 1) == (1, 1)
