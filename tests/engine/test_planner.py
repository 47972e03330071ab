"""The planner: which brick a tile is cut from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.placement import preferred
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

from .. import reference
from .made_up import MadeUp, layer_of, plane_of

MONO = Style(Mono(1, Cut(0, 300)), Look())
COLOUR = Style(Mix((0, 2), (Cut(0, 10), Cut(5, 50)), ((1, 0, 0.5), (0, 0.25, -1))), Look())


def request(shape: tuple[int, ...], level: int, row: int, column: int, style: Style = MONO) -> TileRequest:
    return TileRequest(layer_of(MadeUp(shape)), level, row, column, style)


SIZES = st.integers(1, 3000)


@given(st.data(), st.integers(1, 40), SIZES, SIZES)
def test_a_tile_lies_within_one_brick(data: st.DataObject, channels: int, height: int, width: int) -> None:
    planner = Planner(load_settings(tile_size=64, brick_size="256 kB"))
    layer = layer_of(MadeUp((channels, height, width)))
    grid = planner.tiles(layer)
    level = data.draw(st.integers(0, grid.levels - 1))
    columns, rows = grid.count(level)
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    channel = data.draw(st.integers(0, channels - 1))
    style = data.draw(st.sampled_from([Style(Mono(channel, Cut(0, 1)), Look()), COLOUR]))
    plan = planner.plan(TileRequest(layer, level, row, column, style), 2)
    recipe = plan.brick.recipe
    assert recipe.nbytes <= (256_000 if isinstance(recipe, PlaneBrick) else 12 * 1024 * 1024)
    assert recipe.box.top + plan.box.top == row * 64
    assert recipe.box.left + plan.box.left == column * 64
    assert 0 <= plan.box.top < plan.box.bottom <= recipe.box.rows
    assert 0 <= plan.box.left < plan.box.right <= recipe.box.columns
    assert not plan.preview
    if isinstance(recipe, PlaneBrick):
        assert recipe.planes[0] + plan.plane == channel
        assert recipe.planes[1] <= channels


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_planned_box_holds_the_tile(level: int) -> None:
    planner = Planner(load_settings())
    reader = MadeUp()
    whole = reference.level_of(plane_of(reader, 1), level)
    columns, rows = planner.tiles(layer_of(reader)).count(level)
    for row in range(rows):
        for column in range(columns):
            plan = planner.plan(request(reader.shape, level, row, column), 1)
            box = plan.box
            brick = plan.brick.recipe.load()
            tile = brick[plan.plane, box.top : box.bottom, box.left : box.right]
            np.testing.assert_allclose(tile, reference.tile_of(whole, row, column), rtol=1e-6)


def test_tiles_of_one_brick_share_its_key() -> None:
    planner = Planner(load_settings())
    plans = [planner.plan(request((3, 700, 900), 0, row, column), 2) for row in range(3) for column in range(4)]
    assert len({plan.brick.key for plan in plans}) == 1
    assert planner.plan(request((3, 700, 900), 1, 0, 0), 2).brick.key != plans[0].brick.key
    look = replace(MONO, look=Look(gamma=1, contrast=3, brightness=5, quality=3, invert=True))
    assert planner.plan(request((3, 700, 900), 0, 0, 0, look), 2).brick.key == plans[0].brick.key
    cut = Style(Mono(1, Cut(3, 4)), Look())
    assert planner.plan(request((3, 700, 900), 0, 0, 0, cut), 2).brick.key == plans[0].brick.key


def test_plans_are_kept_but_never_confused() -> None:
    planner = Planner(load_settings())
    first = planner.plan(request((3, 700, 900), 0, 0, 0), 2)
    assert planner.plan(request((3, 700, 900), 0, 0, 0), 2) is first
    others = [
        request((3, 700, 900), 1, 0, 0),
        request((3, 700, 900), 0, 1, 0),
        request((3, 700, 900), 0, 0, 1),
        request((3, 700, 901), 0, 0, 0),
        request((3, 700, 900), 0, 0, 0, COLOUR),
        request((3, 700, 900), 0, 0, 0, Style(Mono(2, Cut(0, 300)), Look())),
    ]
    plans = [planner.plan(one, 2) for one in others]
    assert len({(plan.brick.key, plan.plane, plan.box) for plan in (first, *plans)}) == 7


def test_mix_is_one_brick() -> None:
    plan = Planner(load_settings()).plan(request((3, 700, 900), 0, 1, 1, COLOUR), 2)
    assert isinstance(plan.brick.recipe, MixBrick)
    assert plan.plane == 0
    assert plan.brick.recipe.nbytes == 12 * plan.brick.recipe.box.rows * plan.brick.recipe.box.columns


def test_large_planes_keep_their_channels_together() -> None:
    planner = Planner(load_settings())

    def stripes(workers: int) -> list[int]:
        asked = [request((3, 20_000, 20_000), 0, 0, 0, Style(Mono(c, Cut(0, 1)), Look())) for c in range(3)]
        return [planner.plan(one, workers).brick.recipe.placement.stripe for one in asked]

    assert stripes(2) == [0, 0, 0]  # a plane alone gives two workers enough to do
    assert stripes(200) == [0, 1, 2]


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_neighbours_go_to_different_workers(workers: int) -> None:
    planner = Planner(load_settings())
    names = [f"tcp://node{number}:4000" for number in range(workers)]
    bands = [planner.plan(request((1, 8192, 8192), 0, row, 3), workers).brick.recipe for row in range(20)]
    chosen = [preferred(band.placement, names) for band in bands]
    assert all(len(set(chosen[first : first + workers])) == workers for first in range(20 - workers))


def test_what_would_read_too_much_is_a_preview() -> None:
    planner = Planner(load_settings(read_limit="100 MB"))
    shape = (3, 100_000, 100_000)
    coarsest = planner.tiles(layer_of(MadeUp(shape))).levels - 1
    plan = planner.plan(request(shape, coarsest, 0, 0), 2)
    assert plan.preview
    assert plan.brick.recipe.read_cost <= 100e6
    assert not planner.plan(request(shape, 0, 0, 0), 2).preview


@pytest.mark.parametrize("place", [(3, 0, 0), (-1, 0, 0), (0, 3, 0), (0, 0, 4), (0, -1, 0), (2, 0, 1)])
def test_no_such_tile(place: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidRequest, match="allowed"):
        Planner(load_settings()).plan(request((3, 700, 900), *place), 2)


def test_tokens_tell_requests_apart() -> None:
    first = request((3, 700, 900), 0, 0, 0)
    looks = [
        Look(gamma=1.0), Look(contrast=2.0), Look(brightness=1.0), Look(colormap="jet"), Look(invert=True),
        Look(quality=91), Look(format="png"),
    ]  # fmt: skip
    others = [replace(first, style=replace(MONO, look=look)) for look in looks]
    others += [replace(first, style=Style(Mono(1, Cut(0, 301)), Look())), replace(first, style=COLOUR)]
    others += [replace(first, level=1), replace(first, row=1), replace(first, column=1)]
    others.append(replace(first, layer=layer_of(MadeUp(fingerprint="fedcba9876543210"))))
    assert len({one.token_by("") for one in (first, *others)}) == len(others) + 1
    assert request((3, 700, 900), 0, 0, 0).token_by("") == first.token_by("")
    regions = [RegionRequest(first.layer, level, Box(0, 0, 9, right), MONO) for level in (0, 1) for right in (8, 9)]
    assert len({one.token_by("") for one in regions}) == 4


def test_tiles_of_a_mix_share_its_brick_and_no_tile_carries_thousands_of_channels() -> None:
    planner = Planner(load_settings())
    style = Style(Mix(range(4000), [(0.0, 1.0)] * 4000, np.ones((4000, 3))), Look())
    plans = [planner.plan(request((4000, 1024, 1024), 0, 0, column, style), 2) for column in range(4)]
    assert len({id(plan.brick) for plan in plans}) == 1
    assert {plan.job(style).recipe for plan in plans} == {b""}
    small = planner.plan(request((3, 700, 900), 0, 0, 0, COLOUR), 2).job(COLOUR).recipe
    assert 0 < len(small) <= 4096


def test_what_plans_hold_of_mixes_is_bounded() -> None:
    planner = Planner(load_settings())
    weights = np.ones((16_000, 3))
    for number in range(80):
        weights[0] = number
        style = Style(Mix(range(16_000), [(0.0, 1.0)] * 16_000, weights), Look())
        planner.plan(request((16_000, 256, 256), 0, 0, 0, style), 2)
    assert sum(16_000 for _ in planner._plans) <= 2**20
    planner.forget({MadeUp().fingerprint})
    assert planner._channels == 0
