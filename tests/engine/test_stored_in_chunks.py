"""From tile to chunk: what the planner cuts of chunked sources and of their coarser versions, and what it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Layer, LayerLevel
from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.plans import TilePlan
from visiomatic_dask.engine.region_costs import region_costs
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.engine.tasks import render_region, sample_statistics
from visiomatic_dask.pyramid import Box, level_size
from visiomatic_dask.readers.oriented_reader import oriented
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

from .. import reference
from .made_up import MadeUp, layer_of

PNG = Look(format="png")
SMALL = load_settings(tile_size=32, brick_size="16 kB")


def layer(reader: Any, *levels: LayerLevel) -> Layer:
    return replace(layer_of(MadeUp()), reader=reader, levels=levels)


def mono(channel: int) -> Style:
    return Style(Mono(channel, Cut(-1000, 1000)), PNG)


def mix(*channels: int) -> Style:
    weights = tuple(((1.0, 0.5, 0.0), (0.0, 0.5, 1.0))[i % 2] for i in range(len(channels)))
    return Style(Mix(channels, tuple(Cut(-1000, 1000) for _ in channels), weights), PNG)


def pixels(plan: TilePlan) -> NDArray[np.float32]:
    recipe, box = plan.brick.recipe, plan.box
    planes = slice(None) if isinstance(recipe, MixBrick) else plan.plane
    return recipe.load()[planes, box.top : box.bottom, box.left : box.right]


@given(chunked_fakes(), st.data())
def test_every_tile_is_the_crop_of_the_reference(fake: ChunkedFake, data: st.DataObject) -> None:
    planner, one = Planner(SMALL), layer(fake)
    tiles = planner.tiles(one)
    level = data.draw(st.integers(0, tiles.levels - 1))
    columns, rows = tiles.count(level)
    channel = data.draw(st.integers(0, one.channels - 1))
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    plan = planner.plan(TileRequest(one, level, row, column, mono(channel)), 2)
    recipe = plan.brick.recipe
    whole = reference.level_of(fake.array.reshape(-1, *fake.shape[-2:])[channel], level)
    tile = whole[32 * row : 32 * (row + 1), 32 * column : 32 * (column + 1)]
    fake.decoded.clear()
    np.testing.assert_allclose(pixels(plan), tile, rtol=1e-6)
    assert fake.most_often == 1
    assert fake.bytes_decoded <= recipe.read_cost
    # What a worker that does not hold the brick reads is the same, and told as truly.
    fake.decoded.clear()
    tile_box = tiles.box(level, row, column)
    part = recipe.part(tile_box, plan.plane)
    np.testing.assert_allclose(part.load()[0], tile, rtol=1e-6)
    assert fake.bytes_decoded <= part.read_cost


@given(chunked_fakes(), st.integers(0, 3), st.data())
def test_mixes_read_channels_that_share_chunks_together(fake: ChunkedFake, level: int, data: st.DataObject) -> None:
    one = layer(fake)
    channels = sorted(data.draw(st.sets(st.integers(0, one.channels - 1), min_size=1, max_size=6)))
    box = Box(0, 0, level_size(fake.shape[-2], level), level_size(fake.shape[-1], level))
    content = mix(*channels).content
    assert isinstance(content, Mix)
    recipe = MixBrick(fake, level, box, content)
    flat = fake.array.reshape(-1, *fake.shape[-2:])
    expected = np.zeros((3, box.rows, box.columns))
    missing = np.ones((box.rows, box.columns), bool)
    for channel, weights in zip(channels, content.weights, strict=True):
        plane = reference.level_of(flat[channel], level)
        missing &= ~np.isfinite(plane) if any(weights) else True
        scaled = np.nan_to_num((plane + 1000) / 2000, nan=0.0)
        expected += np.array(weights)[:, None, None] * scaled
    expected[:, missing] = np.nan
    np.testing.assert_allclose(recipe.load(), expected, rtol=1e-5, atol=1e-5)
    assert fake.bytes_decoded <= recipe.read_cost
    if len(fake.chunks) == 3:
        assert fake.most_often == 1


def test_stepping_through_channels_stays_within_bricks() -> None:
    fake = ChunkedFake(np.broadcast_to(np.float32(1), (64, 512, 512)), (64, 64, 64))
    planner = Planner(load_settings())
    bricks = {}
    for channel in range(64):
        plan = planner.plan(TileRequest(layer(fake), 0, 0, 0, mono(channel)), 2)
        bricks[plan.brick.key] = plan.brick.recipe
    assert len(bricks) == 2
    for recipe in bricks.values():
        recipe.load()
    assert fake.bytes_decoded == 2 * 64 * 256 * 256 * 4


PYRAMID_SHAPES = st.tuples(st.integers(1, 3), st.integers(40, 200), st.integers(40, 200))


@given(PYRAMID_SHAPES, st.sets(st.integers(1, 4), max_size=3), st.data())
def test_levels_of_the_source_are_used_as_they_are(
    shape: tuple[int, int, int], there: set[int], data: st.DataObject
) -> None:
    """They are given other pixels than the means of level 0 here, so that it shows what a picture is made of."""
    random = np.random.default_rng(7)
    arrays = {
        level: random.integers(0, 99, (shape[0], *(level_size(size, level) for size in shape[1:]))).astype(np.float32)
        for level in (0, *there)
    }
    readers = {level: ChunkedFake(array, (1, 16, 16), name=f"level {level}") for level, array in arrays.items()}
    one = layer(readers[0], *(LayerLevel(level, readers[level]) for level in sorted(there)))
    planner = Planner(SMALL)
    level = data.draw(st.integers(0, planner.tiles(one).levels - 1))
    source = max(known for known in arrays if known <= level)
    assert one.at(level) == (readers[source], level - source)
    channel = data.draw(st.integers(0, shape[0] - 1))
    columns, rows = planner.tiles(one).count(level)
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    plan = planner.plan(TileRequest(one, level, row, column, mono(channel)), 2)
    whole = reference.level_of(arrays[source][channel], level - source)
    tile = whole[32 * row : 32 * (row + 1), 32 * column : 32 * (column + 1)]
    np.testing.assert_allclose(pixels(plan), tile, rtol=1e-6)
    mixed = planner.plan(TileRequest(one, level, row, column, mix(channel)), 2)
    np.testing.assert_allclose(pixels(mixed)[0], (tile + 1000) / 2000, rtol=1e-5)
    assert all(not reader.decoded for known, reader in readers.items() if known != source)


def test_keys_and_tokens_say_what_is_read() -> None:
    array = np.zeros((1, 256, 256), np.float32)
    plain, planner = layer(ChunkedFake(array, (1, 64, 64))), Planner(SMALL)
    with_levels = replace(plain, levels=(LayerLevel(2, ChunkedFake(array[:, :64, :64], (1, 64, 64), name="mipmap")),))
    for level, same in ((0, True), (1, True), (2, False), (3, False)):
        requests = [TileRequest(one, level, 0, 0, mono(0)) for one in (plain, with_levels)]
        keys = {planner.plan(one, 1).brick.key for one in requests}
        assert (len(keys) == 1) == same
        assert (len({one.token_by("") for one in requests}) == 1) == same
        regions = {RegionRequest(one, level, Box(0, 0, 9, 9), mono(0)).token_by("") for one in (plain, with_levels)}
        assert (len(regions) == 1) == same


def test_a_pyramid_makes_far_out_views_exact_and_cheap() -> None:
    huge = ChunkedFake(np.broadcast_to(np.float32(1), (1, 100_000, 100_000)), (1, 512, 512))
    small = ChunkedFake(np.broadcast_to(np.float32(1), (1, 782, 782)), (1, 512, 512), name="mipmap")
    planner = Planner(load_settings())
    coarsest = planner.tiles(layer(huge)).levels - 1
    preview = planner.plan(TileRequest(layer(huge), coarsest, 0, 0, mono(0)), 2)
    assert preview.preview
    assert preview.brick.recipe.read_cost <= 128 * 2**20
    exact = planner.plan(TileRequest(layer(huge, LayerLevel(7, small)), coarsest, 0, 0, mono(0)), 2)
    assert not exact.preview
    assert exact.brick.recipe.read_cost <= 4 * 782 * 782
    assert (pixels(exact) == 1).all()


def test_costs_count_whole_chunks() -> None:
    fake = ChunkedFake(np.broadcast_to(np.float32(0), (640, 4096, 4096)), (64, 64, 64))
    chunk = 64**3 * 4
    assert PlaneBrick(fake, 0, (5, 6), Box(0, 0, 64, 64)).read_cost == chunk
    assert PlaneBrick(fake, 0, (0, 64), Box(0, 0, 64, 64)).read_cost == chunk
    assert PlaneBrick(fake, 0, (60, 70), Box(0, 0, 65, 64)).read_cost == 4 * chunk
    assert PlaneBrick(fake, 3, (5, 6), Box(0, 0, 8, 16)).read_cost == 2 * chunk
    assert PlaneBrick(fake, 3, (5, 66), Box(0, 0, 64, 64), 9_000_000).read_cost == 2 * 9_000_000
    assert MixBrick(fake, 0, Box(0, 0, 64, 64), mix(0, 9, 63).content).read_cost == chunk  # type: ignore[arg-type]
    assert region_costs(fake, 0, Box(0, 0, 64, 64), mix(0, 9, 63)) == (chunk, chunk)
    assert region_costs(fake, 5, Box(0, 0, 128, 128), mono(3)) == (4096 * chunk, 4 * chunk)


@pytest.mark.parametrize("first_chunk_rows", [0, 44])
def test_regions_decode_chunks_once(first_chunk_rows: int) -> None:
    random = np.random.default_rng(3)
    fake = ChunkedFake(random.integers(0, 99, (2, 1300, 700)).astype(np.float32), (2, 628, 90), first_chunk_rows)
    style = Style(Mono(1, Cut(0, 99)), PNG)
    whole = reference.mono(reference.level_of(fake.array[1], 0), 0, 99)
    reference.assert_close(render_region(fake, 0, Box(0, 0, 1300, 700), style, None), whole, 1)
    assert fake.most_often == 1


def test_spectra_first_files_are_cut_and_read_like_any_other() -> None:
    """A layer of a file that has y, x, channel in this order, from the top."""
    array = np.random.default_rng(5).integers(0, 99, (70, 50, 12)).astype(np.float32)
    reader = oriented(ChunkedFake(array, (16, 16, 12)), (2, 0, 1), y_down=True)
    planner = Planner(SMALL)
    for level in (0, 1, 2):
        plan = planner.plan(TileRequest(layer(reader), level, 0, 0, mono(7)), 2)
        whole = reference.level_of(array[::-1, :, 7], level)
        np.testing.assert_allclose(pixels(plan), whole[:32, :32], rtol=1e-6)


def test_statistics_of_deep_chunks_keep_to_the_limit() -> None:
    array = np.random.default_rng(5).normal(size=(128, 256, 256)).astype(np.float32)
    fake = ChunkedFake(array, (64, 64, 64))
    found = sample_statistics(fake, 128, 8 * 2**20, 16)
    assert sorted(found)[0] == 0
    assert sorted(found)[-1] == 127
    assert len(found) == 16
    assert fake.bytes_decoded == 8 * 2**20


def test_recipes_of_levels_have_keys_of_their_own() -> None:
    fakes = [ChunkedFake(np.zeros((1, 64, 64), np.float32), (1, 64, 64), name=name) for name in ("a", "b")]
    keys = {Brick(PlaneBrick(fake, level, (0, 1), Box(0, 0, 8, 8))).key for fake in fakes for level in (0, 1)}
    assert len(keys) == 4
