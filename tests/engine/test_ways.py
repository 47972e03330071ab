"""Ways: which tiles are made from the source, which from the store, and where they are cut from then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Layer, LayerLevel, Window
from visiomatic_dask.engine import ways
from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.engine.ways import Way
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid import Box, level_size
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.rendering import Collapse, Cut, Look, Mix, Mono, Style

from .made_up import MadeUp, layer_of

SHAPE = (5, 20_000, 20_000)
LAYER = layer_of(MadeUp(SHAPE))
MONO = Style(Mono(1, Cut(0, 300)), Look())
MIX = Style(Mix((0, 1, 4), (Cut(0, 9),) * 3, ((1, 0, 0), (0, 1, 0), (0, 0, 1))), Look())


@dataclass(frozen=True)
class Level:
    """A level, as a store of any size would have it."""

    shape: tuple[int, ...]
    level: int
    chunk: tuple[int, int]
    fingerprint: str = "0123456789abcdef"
    source_itemsize: int = 4

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def token(self) -> str:
        return f"level:{self.level}:{self.shape}"

    @property
    def chunks(self) -> tuple[int, ...]:
        return 1, *self.chunk

    @property
    def first_chunk_rows(self) -> int:
        return self.shape[-2] % self.chunk[0]

    def read(self, window: Window) -> NDArray[np.float32]:
        return np.full(window.shape, self.level, np.float32)


@dataclass
class Stored:
    """A store that says what it is told to."""

    done: set[tuple[Shard, int]] = field(default_factory=set)
    number: int = 0

    def version(self, layer: Layer) -> int:
        assert layer.reader.token
        return self.number

    def reader(self, layer: Layer, level: int) -> Level | None:
        plan = PyramidPlan.of(layer.reader, 256)
        if level > len(plan.levels) or not self.number:
            return None
        grid = plan.grid(level)
        return Level((layer.channels, grid.height, grid.width), level, grid.chunk)

    def is_done(self, layer: Layer, level: int, planes: tuple[int, int], box: Box) -> bool:
        plan = PyramidPlan.of(layer.reader, 256)
        return all(
            (shard, plane) in self.done
            for plane in range(*planes)
            for shard in plan.covering(level, (plane, plane + 1), box)
        )

    def build(self, layer: Layer, level: int, planes: tuple[int, int], box: Box) -> None:
        plan = PyramidPlan.of(layer.reader, 256)
        for plane in range(*planes):
            self.done |= {(shard, plane) for shard in plan.covering(level, (plane, plane + 1), box)}
        self.number += 1


def tile(level: int, style: Style = MONO, row: int = 0, column: int = 0, layer: Layer = LAYER) -> TileRequest:
    return TileRequest(layer, level, row, column, style)


def test_without_a_store_all_is_as_before() -> None:
    planner = Planner(load_settings(read_limit="100 MB"))
    assert [planner.ways.of(tile(level)) for level in (0, 4, 5, 6)] == [Way.SOURCE, Way.SOURCE, Way.SAMPLE, Way.SAMPLE]
    assert planner.ways.stored_levels(LAYER) == []
    plan = planner.plan(tile(6), 1)
    assert (plan.preview, plan.passing, plan.is_stored) == (True, False, False)


def test_large_levels_come_from_the_store() -> None:
    stored = Stored()
    planner = Planner(load_settings(), stored)
    levels = planner.ways.stored_levels(LAYER)
    assert levels == list(range(min(levels), 8))
    assert [planner.ways.of(tile(level)) for level in range(min(levels))] == [Way.SOURCE] * min(levels)
    first = planner.plan(tile(4), 1)
    assert (first.preview, first.passing, first.is_stored) == (True, True, False)
    for need in planner.needs(tile(4)):
        stored.build(LAYER, need.level, need.planes, need.box)
    then = planner.plan(tile(4), 1)
    assert (then.preview, then.passing, then.is_stored) == (False, False, True)
    assert then.brick.key != first.brick.key
    assert then.brick.recipe.load().max() == 4
    stored.done.clear()
    stored.number += 1
    assert planner.plan(tile(4), 1).brick.key == first.brick.key


@given(st.data(), st.integers(1, 9), st.integers(1, 40_000), st.integers(1, 40_000))
def test_a_tile_is_exact_as_soon_as_what_it_needs_is_there(
    data: st.DataObject, channels: int, height: int, width: int
) -> None:
    stored = Stored(number=1)
    planner = Planner(load_settings(exact_read="1 MB", preview_read="1 MB"), stored)
    layer = layer_of(MadeUp((channels, height, width)))
    levels = planner.ways.stored_levels(layer)
    if not levels:
        return
    level = data.draw(st.sampled_from(levels))
    columns, rows = planner.tiles(layer).count(level)
    place = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    some = data.draw(st.lists(st.integers(0, channels - 1), min_size=1, unique=True).map(sorted))
    cuts, weights = (Cut(0, 1),) * len(some), ((1.0, 0.5, 0.25),) * len(some)
    contents: list[Mono | Mix] = [Mono(some[0], Cut(0, 1)), Mix(some, cuts, weights)]
    style = Style(data.draw(st.sampled_from(contents)), Look())
    request = tile(level, style, *place, layer)
    if (
        planner.ways.of(request) is not Way.STORE
    ):  # bricks of mixes have other shapes, and may be exact where planes are not
        return
    assert planner.plan(request, 2).passing
    *needs, last = planner.needs(request)
    for need in needs:
        stored.build(layer, need.level, need.planes, need.box)
        assert planner.plan(request, 2).passing
    stored.build(layer, last.level, last.planes, last.box)
    plan = planner.plan(request, 2)
    assert plan.is_stored
    recipe = plan.brick.recipe
    assert isinstance(recipe, PlaneBrick | MixBrick)
    assert (recipe.level, recipe.preview_read) == (0, None)
    # It lies in its brick, and the brick holds nothing that is not there.
    box = planner.tiles(layer).box(level, *place)
    assert plan.box == box.within(recipe.box)
    assert 0 <= recipe.box.top <= box.top < box.bottom <= recipe.box.bottom <= level_size(height, level)
    assert 0 <= recipe.box.left <= box.left < box.right <= recipe.box.right <= level_size(width, level)
    planes = [recipe.planes] if isinstance(recipe, PlaneBrick) else [(channel, channel + 1) for channel in some]
    assert all(stored.is_done(layer, level, one, recipe.box) for one in planes)
    if isinstance(recipe, PlaneBrick):
        assert recipe.planes[0] + plan.plane == some[0]
    # Once all is there, it is a brick of the common grid, for all channels that fit.
    grid = planner.tiles(layer).size(level)
    stored.build(layer, level, (0, channels), Box(0, 0, grid[1], grid[0]))
    recipe = planner.plan(request, 2).brick.recipe
    assert recipe.box == planner.grid(request).box(box)


def test_tokens_depend_on_the_way_and_on_nothing_that_changes() -> None:
    stored = Stored()
    planner, memory = Planner(load_settings(), stored), Planner(load_settings(read_limit="100 MB"))
    direct, large = tile(1, layer=layer_of(MadeUp((3, 1000, 1000)))), tile(6)
    assert planner.token(direct) == memory.token(direct)
    assert planner.token(direct) != Planner(load_settings(tile_size=128), stored).token(direct)
    before = planner.token(large)
    for need in planner.needs(large):
        stored.build(LAYER, need.level, need.planes, need.box)
    assert planner.token(large) == before
    others = [planner.token(replace(large, level=5)), planner.token(replace(large, style=MIX)), memory.token(large)]
    others += [Planner(load_settings(store_mantissa=10), Stored()).token(large), large.token_by("")]
    assert len({before, *others}) == 6


def test_those_who_hear_nothing_get_the_exact_picture_or_a_sample_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner(load_settings(), Stored())
    settled = replace(tile(6), settled=True)
    assert planner.ways.of(settled) is Way.STORE
    assert planner.token(settled) == planner.token(tile(6))
    huge = replace(settled, layer=layer_of(MadeUp((1, 100_000, 100_000))), level=9)
    assert planner.ways.of(huge) is Way.SAMPLE
    assert planner.ways.of(replace(huge, settled=False)) is Way.STORE
    assert planner.token(huge) != planner.token(replace(huge, settled=False))
    plan = planner.plan(huge, 1)
    assert (plan.preview, plan.passing) == (True, False)
    # What is read is what lies behind a shard, not behind a tile of it.
    assert planner.ways.of(replace(huge, level=6)) is Way.SAMPLE
    monkeypatch.setattr(ways, "SETTLED_READ", 10**12)
    assert Planner(load_settings(), Stored()).ways.of(huge) is Way.STORE


def test_levels_of_the_source_are_used_before_the_store() -> None:
    layer = replace(LAYER, levels=(LayerLevel(5, MadeUp((5, 625, 625), "its own")),))
    planner = Planner(load_settings(), Stored())
    own, stored = set(range(5, 8)), set(planner.ways.stored_levels(layer))
    assert stored
    assert not own & stored
    assert planner.ways.of(tile(6, layer=layer)) is Way.SOURCE


def test_regions_come_from_the_store_where_the_source_would_read_too_much() -> None:
    stored = Stored(number=1)
    planner = Planner(load_settings(read_limit="100 MB"), stored)
    small, large = RegionRequest(LAYER, 4, Box(0, 0, 64, 64), MONO), RegionRequest(LAYER, 4, Box(0, 0, 999, 999), MONO)
    first = planner.plan_region(small).token
    sample = planner.plan_region(large)
    assert (sample.preview_read, sample.is_stored, sample.below) == (100_000_000, False, 4)
    stored.build(LAYER, 4, (1, 2), large.box)
    exact = planner.plan_region(large)
    assert (exact.preview_read, exact.is_stored, exact.below) == (None, True, 0)
    assert planner.plan_region(small).token == first  # always the same
    assert len({sample.token, exact.token, large.token_by("")}) == 3
    far = RegionRequest(LAYER, 1, Box(0, 0, 10_000, 10_000), MIX)
    with pytest.raises(TooLarge, match="at least"):
        planner.plan_region(far)
    stored.build(LAYER, 1, (0, 5), far.box)
    assert planner.plan_region(far).is_stored


def test_what_is_known_of_files_is_let_go_of() -> None:
    stored = Stored(number=1)
    planner = Planner(load_settings(), stored)
    request = tile(6)
    plan = planner.plan(request, 1)
    planner.forget({"another"})
    assert planner.plan(request, 1) is plan
    planner.forget({request.layer.reader.fingerprint})
    assert planner.plan(request, 1) is not plan


def mix_style(channels: int) -> Style:
    return Style(Mix(range(channels), [(0.0, 1.0)] * channels, np.ones((channels, 3))), Look())


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("has_store", [False, True])
def test_mixes_of_hundreds_of_small_planes_are_exact_at_every_level(has_store: bool, settled: bool) -> None:
    """Straight from the source, with or without a store, whoever asks."""
    planner = Planner(load_settings(), Stored() if has_store else None)
    layer = layer_of(MadeUp((300, 1024, 1024)))
    for style in (mix_style(300), Style(Collapse(0, 300, "max", Cut(0, 1)), Look())):
        for level in range(3):
            request = replace(tile(level, style, layer=layer), settled=settled)
            assert planner.ways.of(request) is Way.SOURCE
            plan = planner.plan(request, 2)
            assert (plan.preview, plan.passing) == (False, False)
            assert isinstance(plan.brick.recipe, MixBrick | CollapseBrick)
            assert (plan.brick.recipe.level, plan.brick.recipe.preview_read) == (level, None)


@dataclass(frozen=True)
class Deep(MadeUp):
    """Channels that share storage chunks, as many as there are."""

    @property
    def chunks(self) -> tuple[int, ...]:
        return self.shape[0], 64, 64


@pytest.mark.parametrize("has_store", [False, True])
def test_mixes_are_exact_too_where_chunks_hold_all_their_channels(has_store: bool) -> None:
    """A channel alone would decode all others with it; a mix decodes each chunk but once."""
    planner = Planner(load_settings(), Stored() if has_store else None)
    layer = layer_of(Deep((300, 1024, 1024)))
    for style in (mix_style(300), Style(Collapse(0, 300, "max", Cut(0, 1)), Look())):
        for level in range(3):
            request = tile(level, style, layer=layer)
            assert planner.ways.of(request) is Way.SOURCE
            assert not planner.plan(request, 2).preview
    few = tile(2, mix_style(2), layer=layer)
    assert planner.ways.of(few) is (Way.STORE if has_store else Way.SAMPLE)


@pytest.mark.parametrize("channels", [4000, 16_000])
def test_mixes_of_thousands_are_exact_at_full_resolution(channels: int) -> None:
    layer = layer_of(MadeUp((channels, 1024, 1024)))
    request = tile(0, mix_style(channels), layer=layer)
    assert Planner(load_settings(), Stored()).ways.of(request) is Way.SOURCE
    assert not Planner(load_settings()).plan(request, 2).preview
    # Unless the settings say otherwise: even the narrowest window reads a quarter of a megabyte of each.
    assert Planner(load_settings(mix_read="1 GB")).plan(request, 2).preview


def test_mixes_that_read_much_at_coarse_levels_are_from_the_store_unless_nobody_hears_of_it() -> None:
    planner = Planner(load_settings(), Stored())
    layer = layer_of(MadeUp((4000, 1024, 1024)))
    request = tile(1, mix_style(4000), layer=layer)
    assert planner.ways.of(request) is Way.STORE
    assert planner.plan(request, 2).passing
    settled = replace(request, settled=True)
    assert planner.ways.of(settled) is Way.SOURCE
    assert not planner.plan(settled, 2).preview
    assert planner.token(settled) != planner.token(request)
    assert Planner(load_settings(mix_read="1 GB"), Stored()).ways.of(settled) is Way.SAMPLE
    # Without a store, what all bricks of a view read together counts.
    assert Planner(load_settings()).ways.of(request) is Way.SOURCE
    assert Planner(load_settings(mix_read="10 GB")).ways.of(request) is Way.SAMPLE
    # And planes that are previews themselves are so in a mix.
    huge = tile(7, mix_style(3), layer=layer_of(MadeUp((3, 50_000, 50_000))))
    assert Planner(load_settings(mix_read="1 TB")).ways.of(huge) is Way.SAMPLE


def test_other_channels_of_a_mix_may_go_another_way() -> None:
    planner = Planner(load_settings(), Stored())
    layer = layer_of(MadeUp((4000, 1024, 1024)))
    ways_of = [planner.ways.of(tile(1, mix_style(count), layer=layer)) for count in (4000, 100, 4000)]
    assert ways_of == [Way.STORE, Way.SOURCE, Way.STORE]
