"""Bricks of chunked sources tile every level, hold whole tiles and whole chunks, and keep to their limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.chunked_fake import ChunkedFake
from visiomatic_dask.pyramid import (
    Box,
    BrickLimits,
    Storage,
    TileGrid,
    bricks_of,
    channel_groups,
    level_count,
    mix_bricks,
    mix_bricks_of,
    plane_bricks,
)
from visiomatic_dask.pyramid.views import bricks_in_view

MIB = 2**20
LIMITS = BrickLimits(256, 8 * MIB, 512 * 10**6, 56 * 10**6)


def storage_of(shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int = 4) -> Storage:
    array = np.broadcast_to(np.zeros((), f"f{itemsize}" if itemsize > 2 else f"i{itemsize}"), shape)
    return Storage.of(ChunkedFake(array, chunks))


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    sides = st.one_of(st.integers(1, 3000), st.integers(1, 200_000))
    width, height, count = draw(sides), draw(sides), draw(st.one_of(st.integers(1, 5), st.integers(1, 5000)))

    def chunk(size: int) -> int:
        powers = st.sampled_from([1, 8, 32, 64, 100, 128, 256, 300, 512, 1000, 4096])
        return min(size, draw(st.one_of(st.just(1), st.just(size), powers)))

    rows, columns, depth = chunk(height), chunk(width), chunk(count)
    top = draw(st.sampled_from([0, height % rows]))
    itemsize = draw(st.sampled_from([1, 2, 4, 8]))
    return Storage(width, height, count, itemsize, rows, columns, top, depth, count, 1, count)


LIMITS_ANY = st.builds(
    BrickLimits,
    st.sampled_from([32, 64, 256, 1024]),
    st.integers(1, 64 * MIB),
    st.one_of(st.integers(1, 8 * MIB), st.integers(8 * MIB, 2**40)),
    st.integers(1, 256 * MIB),
    st.one_of(st.none(), st.integers(1, 2**32)),
    st.integers(1, 2**37),
)


@given(storages(), LIMITS_ANY, st.data())
def test_bricks_tile_the_level_and_keep_to_their_limits(
    storage: Storage, limits: BrickLimits, data: st.DataObject
) -> None:
    tiles = TileGrid(storage.width, storage.height, limits.tile_size)
    level = data.draw(st.integers(0, tiles.levels - 1))
    grid = bricks_of(storage, level, limits)
    assert (grid.width, grid.height) == tiles.size(level)
    assert grid.rows % limits.tile_size == grid.columns % limits.tile_size == 0
    box = grid.box(Box(0, 0, 1, 1))
    most = max(limits.brick_size, 4 * limits.tile_size**2)
    assert 4 * grid.planes * box.rows * box.columns <= most
    cost = storage.most_cost(grid.rows, grid.columns, level)
    one_tile = storage.most_cost(limits.tile_size, limits.tile_size, level)
    if level and storage.is_chunked and grid.preview_read is None:
        assert cost <= max(one_tile, min(32 * MIB, limits.read_limit))
    if level == 0 or limits.exact_read is None:
        assert (grid.preview_read is not None) == (one_tile > limits.read_limit)
    if grid.preview_read is not None:
        bricks = bricks_in_view(grid.rows, grid.columns, grid.height, grid.width)
        assert bricks * grid.preview_read <= max(bricks, min(limits.preview_read, limits.read_limit))
    plane = data.draw(st.integers(0, storage.count - 1))
    first, last = grid.plane_range(plane, storage.count)
    assert 0 <= first <= plane < last <= storage.count
    assert last - first <= grid.planes
    if storage.is_chunked:  # no brick has planes of a block and some of another; and neighbours meet
        blocks = list(storage.blocks((first, last)))
        assert len(blocks) == 1 or all(block == storage.block(block[0]) for block in blocks)
        assert first == 0 or grid.plane_range(first - 1, storage.count)[1] == first
        assert last == storage.count or grid.plane_range(last, storage.count)[0] == last


@given(storages(), st.integers(0, 10), st.sampled_from([1, 3, 50, 300]))
def test_mixes_keep_to_their_limits(storage: Storage, level: int, count: int) -> None:
    level = min(level, level_count(storage.width, storage.height, 256) - 1)
    channels = range(min(count, storage.count))
    grid = mix_bricks_of(storage, level, channels, LIMITS)
    side = min(grid.rows, grid.columns)
    groups = channel_groups(storage, level, channels, grid.rows, grid.columns)
    cost = len(groups) * storage.most_cost(grid.rows, grid.columns, level)
    assert side % 256 == 0
    if grid.preview_read is None:
        assert cost <= LIMITS.mix_read


@given(storages(), LIMITS_ANY, st.data())
def test_row_major_sources_are_cut_as_ever(storage: Storage, limits: BrickLimits, data: st.DataObject) -> None:
    storage = replace(storage, rows=1, columns=1, depth=1, top=0)
    level = data.draw(st.integers(0, level_count(storage.width, storage.height, limits.tile_size) - 1))
    size = (storage.width, storage.height, storage.itemsize, level)
    assert bricks_of(storage, level, limits) == plane_bricks(*size, limits)
    assert mix_bricks_of(storage, level, range(3), limits) == mix_bricks(*size, 3, limits)


SHAPES = [
    # shape, chunks, level, (planes, rows, columns) of a brick
    ((100, 4096, 4096), (1, 512, 512), 0, (1, 1024, 2048)),
    ((100, 4096, 4096), (1, 512, 512), 1, (1, 1024, 2048)),
    ((100, 4096, 4096), (1, 512, 512), 3, (1, 256, 512)),
    ((100, 4096, 20_000), (1, 1, 20_000), 1, (1, 256, 8192)),
    ((640, 4096, 4096), (64, 64, 64), 0, (32, 256, 256)),
    ((50, 4096, 4096), (50, 64, 64), 0, (25, 256, 256)),
    ((640, 4096, 4096), (8, 512, 512), 0, (8, 512, 512)),
    ((100, 5000, 5000), (1, 1, 5000), 0, (1, 256, 5120)),
    ((100, 1000, 1000), (1, 1, 1000), 0, (2, 1024, 1024)),
    ((1, 90_000, 90_000), (1, 1, 90_000), 0, (1, 256, 8192)),
    ((1, 9000, 9000), (1, 4096, 4096), 0, (1, 512, 4096)),
    ((1, 9000, 9000), (1, 300, 300), 0, (1, 1024, 2048)),
    ((300, 2000, 2000), (300, 1, 1), 0, (30, 256, 256)),
    ((1000, 100, 100), (1, 100, 100), 0, (64, 256, 256)),
    ((1000, 100, 100), (10, 100, 100), 0, (60, 256, 256)),
    ((4, 500, 1000, 1000), (1, 64, 64, 64), 0, (32, 256, 256)),
]


@pytest.mark.parametrize(("shape", "chunks", "level", "brick"), SHAPES)
def test_shapes_of_the_defaults(
    shape: tuple[int, ...], chunks: tuple[int, ...], level: int, brick: tuple[int, int, int]
) -> None:
    grid = bricks_of(storage_of(shape, chunks), level, LIMITS)
    assert (grid.planes, grid.rows, grid.columns) == brick
    assert grid.preview_read is None


def test_mixes_of_wide_chunks_are_wide() -> None:
    grid = mix_bricks_of(storage_of((3, 4096, 20_000), (1, 1, 20_000)), 0, range(3), LIMITS)
    assert (grid.rows, grid.columns) == (256, 4096)
    grid = mix_bricks_of(storage_of((3, 4096, 20_000), (1, 512, 512)), 0, range(3), LIMITS)
    assert (grid.rows, grid.columns) == (1024, 1024)


@pytest.mark.parametrize(
    ("shape", "chunks", "brick"),
    [
        ((300, 4096, 4096), (1, 512, 512), (512, 512)),
        ((300, 4096, 4096), (64, 64, 64), (256, 1024)),
        ((300, 4096, 4096), (1, 1, 4096), (256, 4096)),
        ((300, 1024, 1024), (1, 1024, 1024), (1024, 1024)),  # half of it would decode as much
        ((4000, 2000, 2000), (4000, 1, 1), (256, 256)),
    ],
)
def test_bricks_of_mixes_are_no_smaller_than_saves_something(
    shape: tuple[int, ...], chunks: tuple[int, ...], brick: tuple[int, int]
) -> None:
    storage, channels = storage_of(shape, chunks), range(shape[0])
    grid = mix_bricks_of(storage, 0, channels, LIMITS)
    assert (grid.rows, grid.columns, grid.preview_read) == (*brick, None)
    # No chunk is decoded for one channel and thrown away before the next.
    groups = channel_groups(storage, 0, channels, grid.rows, grid.columns)
    assert len(groups) == -(-shape[0] // chunks[0])


def test_deep_chunks_are_not_cut_across() -> None:
    """Blocks of 64 planes in two, and both start anew with every Stokes parameter."""
    grid = bricks_of(storage_of((4, 500, 1000, 1000), (1, 64, 64, 64)), 0, LIMITS)
    ranges = sorted({grid.plane_range(plane, 2000) for plane in range(2000)})
    assert ranges[:3] == [(0, 32), (32, 64), (64, 96)]
    assert ranges[14:17] == [(448, 480), (480, 500), (500, 532)]


def test_a_pixel_whose_spectrum_is_too_long_is_a_preview() -> None:
    grid = bricks_of(storage_of((4000, 2000, 2000), (4000, 1, 1)), 0, LIMITS)
    assert grid.preview_read == 56 * 10**6 // bricks_in_view(grid.rows, grid.columns, 2000, 2000)
    assert (grid.planes, grid.rows, grid.columns) == (1, 512, 2048)


@pytest.mark.parametrize("side", [64, 512, 4096])
def test_views_of_large_chunked_planes_are_previews(side: int) -> None:
    """Where a pyramid is to come: as large as a brick can be, so that a view has few of them, each a chunk at least."""
    limits = replace(LIMITS, exact_read=80 * 10**6)
    for level, is_preview in [(0, False), (2, True), (7, True)]:
        grid = bricks_of(storage_of((100, 50_000, 50_000), (1, side, side)), level, limits)
        assert (grid.preview_read is not None) == is_preview
    small = bricks_of(storage_of((100, 4000, 4000), (1, side, side)), 3, limits)
    assert small.preview_read is None
    rows = bricks_of(storage_of((100, 50_000, 50_000), (1, 1, 50_000)), 3, limits)
    assert (rows.rows, rows.columns) == (256, 6400)
