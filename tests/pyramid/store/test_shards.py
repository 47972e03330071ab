"""How pyramids are cut: every pixel in one shard, shards of a good size, and not too many files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.contracts.chunked_fake import ChunkedFake
from visiomatic_dask.pyramid import Box, Storage, level_count, level_size
from visiomatic_dask.pyramid.store import shards
from visiomatic_dask.pyramid.store.shards import CHUNK, SHARD_PIXELS, PyramidPlan

SIDES = st.one_of(st.integers(1, 20), st.integers(1, 5000), st.integers(1, 200_000), st.sampled_from([4096, 16384]))
SIZES = st.sampled_from([256, 512, 2048])


@st.composite
def plans(draw: st.DrawFn, sides: st.SearchStrategy[int] = SIDES) -> PyramidPlan:
    """Plans of any shape."""
    channels = draw(st.one_of(st.just(1), st.integers(1, 300)))
    deep = min(channels, 256, draw(st.one_of(st.just(1), st.integers(1, 300))))
    deep = channels if channels < 1.5 * deep else deep
    images = draw(st.sampled_from([1, 1, 2, 4]))
    return PyramidPlan(draw(sides), draw(sides), channels, images, draw(SIZES), deep)


@st.composite
def small_plans(draw: st.DrawFn) -> PyramidPlan:
    """Small ones, in many shards: to be used within `small_shards`."""
    sides = st.integers(1, 70)
    channels = draw(st.integers(1, 9))
    deep = draw(st.integers(1, channels))
    return PyramidPlan(draw(sides), draw(sides), channels, draw(st.integers(1, 3)), draw(st.integers(1, 9)), deep)


@contextmanager
def small_shards() -> Iterator[None]:
    """Cut into shards and chunks of a few pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_PIXELS", 200)
        patch.setattr(shards, "CHUNK", 8)
        yield


@small_shards()
@given(small_plans())
def test_every_pixel_lies_in_one_shard(plan: PyramidPlan) -> None:
    for grid in plan.levels:
        count = np.zeros((plan.count, grid.height, grid.width), int)
        for shard in plan.shards(grid.level):
            first, last = plan.planes(shard)
            box = plan.box(shard)
            assert first < last
            assert box.rows * box.columns > 0
            count[first:last, box.top : box.bottom, box.left : box.right] += 1
            assert {plan.block(grid.level, plane) for plane in range(first, last)} == {shard.block}
        assert np.all(count == 1)


@small_shards()
@given(small_plans(), st.data())
def test_below_is_all_that_is_needed(plan: PyramidPlan, data: st.DataObject) -> None:
    for grid in plan.levels:
        shard = data.draw(st.sampled_from(list(plan.shards(grid.level))))
        start, stop = plan.planes(shard)
        first = data.draw(st.integers(start, stop - 1))
        last = data.draw(st.integers(first + 1, stop))
        box, source = plan.box(shard), plan.below_box(shard)
        width, height = level_size(plan.width, grid.level - 1), level_size(plan.height, grid.level - 1)
        assert (source.top, source.left) == (2 * box.top, 2 * box.left)
        assert (source.bottom, source.right) == (min(2 * box.bottom, height), min(2 * box.right, width))
        below = plan.below(shard, (first, last))
        if grid.level == 1:
            assert below == []
            continue
        held = np.zeros((plan.count, height, width), int)
        for one in below:
            part, planes = plan.box(one), plan.common(one, (first, last))
            assert planes[0] < planes[1]
            held[planes[0] : planes[1], part.top : part.bottom, part.left : part.right] += 1
        assert held.max() == 1
        assert np.all(held[first:last, source.top : source.bottom, source.left : source.right] == 1)
        held[first:last, source.top : source.bottom, source.left : source.right] = 0
        # Nothing but what the shards that are touched hold beside it.
        assert all(_touches(plan.box(one), source) for one in below)


def _touches(one: Box, other: Box) -> bool:
    return one.top < other.bottom and other.top < one.bottom and one.left < other.right and other.left < one.right


@given(plans())
def test_levels_go_up_to_the_first_that_a_tile_holds(plan: PyramidPlan) -> None:
    assert [grid.level for grid in plan.levels] == list(range(1, level_count(plan.width, plan.height, plan.tile_size)))
    for grid in plan.levels:
        assert (grid.width, grid.height) == (
            math.ceil(plan.width / 2**grid.level),
            math.ceil(plan.height / 2**grid.level),
        )
        assert plan.grid(grid.level) == grid


@given(plans())
def test_shards_are_whole_chunks_of_a_good_size(plan: PyramidPlan) -> None:
    for grid in plan.levels:
        high, wide = grid.chunk
        assert grid.rows % high == grid.columns % wide == 0
        assert high * wide <= CHUNK**2
        # Chunks beyond the edges take nothing.
        inside = min(grid.rows, grid.height) * min(grid.columns, grid.width)
        assert inside * grid.planes <= SHARD_PIXELS * (1 + 1 / 16)


@given(plans())
def test_planes_of_a_shard_are_of_one_image_and_share_chunks(plan: PyramidPlan) -> None:
    for grid in plan.levels:
        assert grid.planes % plan.deep == 0
        assert math.log2(grid.planes // plan.deep).is_integer()
        ends = []
        for block in range(plan.blocks(grid.level) * plan.images):
            first, last = plan.planes(shards.Shard(grid.level, block, 0, 0))
            assert first // plan.channels == (last - 1) // plan.channels
            assert (first % plan.channels) % plan.deep == 0
            ends.append((first, last))
        assert ends[0][0] == 0
        assert ends[-1][1] == plan.count
        assert all(one[1] == other[0] for one, other in pairwise(ends))


@settings(max_examples=300)
@given(plans())
@example(PyramidPlan(16384, 16384, 8, 1, 256))
@example(PyramidPlan(1, 200_000, 300, 4, 256))
@example(PyramidPlan(49310, 2092, 498, 1, 256))
@example(PyramidPlan(2049, 102461, 1061, 16, 256))
@example(PyramidPlan(4438, 4133, 746, 16, 256, 6))
@example(PyramidPlan(500_000, 500_000, 1, 1, 256))
@example(PyramidPlan(300, 300, 100_000, 1, 256))
def test_files_are_few(plan: PyramidPlan) -> None:
    """One a level at most beside one for every 32 MB; where chunks of the source are deep, a tenth more at worst."""
    files, pixels = 0, 0
    for grid in plan.levels:
        files += plan.blocks(grid.level) * plan.images * grid.down * grid.across
        pixels += plan.count * grid.width * grid.height
    assert files <= plan.images * len(plan.levels) + pixels * 4 / 32e6 * (1 if plan.deep == 1 else 1.1)


@st.composite
def readers(draw: st.DrawFn) -> ChunkedFake:
    leading = draw(st.lists(st.integers(1, 40), max_size=3).map(tuple))
    shape = (*leading, draw(st.integers(1, 900)), draw(st.integers(1, 900)))
    chunks = tuple(draw(st.one_of(st.just(1), st.just(size), st.integers(1, size))) for size in shape)
    return ChunkedFake(np.broadcast_to(np.float32(0), shape), chunks)


@given(readers(), SIZES)
def test_plan_of_a_reader(reader: ChunkedFake, tile: int) -> None:
    plan = PyramidPlan.of(reader, tile)
    assert (plan.height, plan.width) == reader.shape[-2:]
    assert plan.count == math.prod(reader.shape[:-2])
    assert plan.images <= 16
    storage = Storage.of(reader)
    wide = [size for size in reader.shape[:-2] if size > 1]
    if plan.images > 1:
        assert plan.channels == wide[-1]
    if storage.run % storage.depth or plan.channels % storage.run or storage.beside > 1:
        return  # chunks start anew within an image, or lie in several
    if storage.depth > shards._MOST_DEEP:
        return  # no shard can hold all of a chunk
    for grid in plan.levels[:1]:
        for block in range(plan.blocks(1) * plan.images):
            first, last = plan.planes(shards.Shard(1, block, 0, 0))
            # What shares chunks lies in one shard.
            assert storage.block(first)[0] == first
            assert storage.block(last - 1)[1] == last
            assert grid.planes >= min(storage.depth, plan.channels)


def test_a_plan_of_chunks_that_are_deep() -> None:
    """Ten planes share chunks: shards hold ten, and more where they are small."""
    reader = ChunkedFake(np.broadcast_to(np.float32(0), (100, 8192, 8192)), (10, 64, 64))
    plan = PyramidPlan.of(reader, 256)
    assert [grid.planes for grid in plan.levels] == [10, 10, 20, 80, 160]
    assert plan.grid(1).rows * plan.grid(1).columns * 10 <= SHARD_PIXELS


def test_a_plane_that_one_tile_holds_has_no_levels() -> None:
    assert PyramidPlan(256, 200, 5, 1, 256).levels == ()
