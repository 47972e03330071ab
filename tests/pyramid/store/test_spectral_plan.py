"""The plan of a spectral copy: whatever the layer, shards cover it once, are few, and are read in whole chunks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.strategies import windows
from visiomatic_dask.cube import Window
from visiomatic_dask.pyramid.store.shards import Shard
from visiomatic_dask.pyramid.store.spectral_plan import DEFAULT_LIMITS, SpectralLimits, SpectralPlan

SMALL = st.builds(
    SpectralLimits,
    shard=st.integers(64, 40_000),
    chunk=st.integers(64, 4000),
    small_chunk=st.integers(16, 64),
    deep=st.integers(1, 40),
    run=st.integers(1, 60),
)


@dataclass(frozen=True)
class Described:
    """A reader that is nothing but its description."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    first_chunk_rows: int = 0
    fingerprint: str = "0123456789abcdef"
    token: str = "described"

    @property
    def source_itemsize(self) -> int:
        return self.dtype.itemsize

    def read(self, window: Window) -> NDArray[Any]:
        raise AssertionError(f"{window} was read")


def plan_of(*shape: int, chunks: tuple[int, ...] = (), dtype: str = "f4", first_chunk_rows: int = 0) -> SpectralPlan:
    reader = Described(shape, chunks or (1,) * len(shape), np.dtype(dtype), first_chunk_rows)
    return SpectralPlan.of(reader)


def is_aligned(plan: SpectralPlan, chunks: tuple[int, ...]) -> bool:
    """Whether the shards of a plan are of whole chunks of the source."""
    sides = zip(plan.shard, chunks, plan.shape, strict=True)
    return all(part >= size or part % min(chunk, size) == 0 for part, chunk, size in sides)


@given(chunked_fakes(most_side=60), SMALL)
def test_shards_cover_the_layer_once(reader: ChunkedFake, limits: SpectralLimits) -> None:
    plan = SpectralPlan.of(reader, limits)
    seen = np.zeros(reader.shape, np.int8)
    for shard in plan.shards():
        window = plan.window(shard)
        seen[window.slices] += 1
        box = plan.box(shard)
        assert (box.rows, box.columns) == window.shape[-2:]
        assert box.top == reader.shape[-2] - window.stop[-2]
        first, last = plan.planes(shard)
        assert 0 <= first < last <= plan.count
        assert plan.shard_at(plan.index(shard)) == shard
        parts = np.zeros(window.shape, np.int8)
        for part in plan.reads(reader, shard):
            place = tuple(slice(a - o, b - o) for a, b, o in zip(part.start, part.stop, window.start, strict=True))
            parts[place] += 1
        assert (parts == 1).all()
    assert (seen == 1).all()
    assert plan.shard_count == len(list(plan.shards()))


@given(chunked_fakes(most_side=60), SMALL)
def test_shards_are_of_whole_chunks_of_the_source(reader: ChunkedFake, limits: SpectralLimits) -> None:
    plan = SpectralPlan.of(reader, limits)
    assert all(whole % part == 0 for whole, part in zip(plan.shard, plan.chunk, strict=True))
    for shard in plan.shards():
        for window in plan.reads(reader, shard):
            reader.read(window)
    if is_aligned(plan, reader.chunks):
        assert reader.most_often == 1


@pytest.mark.parametrize("side", [1, 31, 256, 1000, 1024, 1025, 1100, 3000, 16_384])
@pytest.mark.parametrize("channels", [1, 37, 300, 4000, 20_000])
@pytest.mark.parametrize(
    "chunk", [(1, 64, 64), (1, 256, 256), (1, 512, 512), (1, 1024, 1024), (64, 64, 64), (1, 1, 99_999)]
)
def test_chunks_as_they_are_used_are_read_once(side: int, channels: int, chunk: tuple[int, int, int]) -> None:
    plan = plan_of(channels, side, side, chunks=chunk)
    assert is_aligned(plan, chunk)
    assert plan.upwards == (side % min(side, chunk[1]) != 0)
    assert plan.shard_count + 9 <= 64 + plan.nbytes / 32e6


@given(st.data(), chunked_fakes(most_side=60), SMALL)
def test_touched_shards_hold_the_window(data: st.DataObject, reader: ChunkedFake, limits: SpectralLimits) -> None:
    plan = SpectralPlan.of(reader, limits)
    window = data.draw(windows(reader.shape))
    wanted = np.zeros(reader.shape, bool)
    wanted[window.slices] = True
    holding = [shard for shard in plan.shards() if wanted[plan.window(shard).slices].any()]
    assert sorted(plan.touched(window)) == sorted(holding)


@given(
    st.lists(st.one_of(st.integers(1, 8), st.integers(1, 20_000)), max_size=2),
    st.integers(1, 60_000),
    st.integers(1, 60_000),
    st.sampled_from(["u1", "f4", "f8"]),
    st.data(),
)
def test_few_files_none_too_large(leading: list[int], height: int, width: int, dtype: str, data: st.DataObject) -> None:
    shape = (*leading, height, width)
    chunks = tuple(data.draw(st.one_of(st.just(1), st.integers(1, min(size, 4096)))) for size in shape)
    if data.draw(st.booleans()):
        chunks = (1,) * len(shape)
    plan = plan_of(*shape, chunks=chunks, dtype=dtype)
    other_files = 3 + 2 * len(shape)
    assert plan.shard_count + other_files <= 64 + plan.nbytes / 32e6
    sizes = [min(pair) for pair in zip(plan.shard, shape, strict=True)]
    assert math.prod(sizes) * plan.itemsize <= 1.02 * DEFAULT_LIMITS.shard
    if height * width >= 16:
        assert math.prod(plan.chunk) * plan.itemsize <= 32 * DEFAULT_LIMITS.chunk


@pytest.mark.parametrize(
    ("plan", "chunk", "shard", "count"),
    [
        (plan_of(300, 1024, 1024), (300, 29, 30), (300, 58, 1050), 18),
        (plan_of(4000, 1000, 1000), (4000, 6, 10), (4000, 6, 1000), 167),
        (plan_of(100, 50_000, 50_000), (100, 30, 87), (100, 30, 8352), 10_002),
        (plan_of(16_000, 1000, 1000), (4000, 4, 4), (4000, 4, 1000), 1000),
        (plan_of(500, 4, 2000, 2000), (500, 4, 6, 21), (500, 4, 6, 2016), 334),
        (plan_of(300, 1000, 1000, chunks=(1, 300, 300)), (150, 30, 30), (150, 300, 300), 32),
        (plan_of(300, 4096, 4096, chunks=(1, 4096, 4096)), (1, 179, 179), (1, 4117, 4117), 300),
        (plan_of(20, 30), (20, 30), (20, 30), 1),
        (plan_of(1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
    ],
)
def test_well_known_cubes(plan: SpectralPlan, chunk: object, shard: object, count: int) -> None:
    assert (plan.chunk, plan.shard, plan.shard_count) == (chunk, shard, count)


def test_rows_run_the_way_the_chunks_of_the_source_do() -> None:
    assert not plan_of(9, 1024, 1024, chunks=(1, 256, 256)).upwards
    assert plan_of(9, 1000, 1024, chunks=(1, 256, 256)).upwards
    assert not plan_of(9, 1000, 1024, chunks=(1, 256, 256), first_chunk_rows=1000 % 256).upwards
    assert not plan_of(9, 1000, 1024).upwards


def test_nothing_lies_below() -> None:
    plan = plan_of(300, 1024, 1024)
    shard = Shard(0, 0, 1, 0)
    assert plan.below(shard, plan.planes(shard)) == []
    assert plan.common(shard, (3, 4)) == plan.planes(shard) == (0, 300)
    (grid,) = plan.levels
    assert grid == plan.grid(0)
    assert grid.down * grid.across == plan.shard_count
