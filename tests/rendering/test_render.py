"""Pictures by a plain formula, and every rectangle the crop of the whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.rendering import Cut, Look, LookTables, Mix, MixSums, Mono, Style, TableCache, add_channel, settle
from visiomatic_dask.rendering.colormaps import colormap_table
from visiomatic_dask.rendering.render import render_mix, render_plane

LOOKS = st.builds(
    Look,
    contrast=st.floats(0, 20),
    brightness=st.floats(-100, 100),
    gamma=st.floats(0.2, 5),
    invert=st.booleans(),
)
CUTS = st.tuples(st.floats(-100, 100), st.floats(0.01, 100), st.booleans()).map(
    lambda one: Cut(one[0] + one[1], one[0]) if one[2] else Cut(one[0], one[0] + one[1])
)


def values(seed: int, *shape: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    found = random.normal(0, 80, shape).astype(np.float32)
    special = random.random(shape)
    found[special < 0.05] = np.nan
    found[(special > 0.05) & (special < 0.08)] = np.inf
    found[(special > 0.08) & (special < 0.11)] = -np.inf
    return found


def to_bytes(v: NDArray[np.floating[Any]], look: Look) -> NDArray[np.float64]:
    shown = 255 * np.clip(v.astype(np.float64), 0, 1) ** (1 / look.gamma)
    return 255 - shown if look.invert else shown


def rendered(brick: NDArray[np.float32], plane: int, box: tuple[int, int, int, int], style: Style) -> NDArray[np.uint8]:
    (scale,), (offset,) = style.scale_offset
    top, left, rows, columns = box
    return render_plane(brick, plane, top, left, (rows, columns), style.low, scale, offset, LookTables.of(style.look))


@given(st.integers(0, 999), CUTS, LOOKS)
def test_mono_by_the_formula(seed: int, cut: Cut, look: Look) -> None:
    """v = (x - low)/(high - low)·contrast + 0.01·contrast·brightness; NaN counts as low."""
    brick = values(seed, 2, 7, 9)
    picture = rendered(brick, 1, (0, 0, 7, 9), Style(Mono(0, cut), look))
    f32 = np.float32
    scale, offset = f32(look.contrast / (cut.high - cut.low)), f32(0.01 * look.contrast * look.brightness)
    with np.errstate(invalid="ignore"):
        v = (brick[1] - f32(cut.low)) * scale + offset
    v = np.where(np.isnan(v), offset, v)
    assert picture.shape == (7, 9, 1)
    assert np.abs(picture[..., 0] - to_bytes(v, look)).max() <= 1


@given(st.integers(0, 99), CUTS, LOOKS, st.sampled_from(["grey", "jet", "viridis_r"]), st.data())
def test_rectangle_of_mono_is_the_crop(seed: int, cut: Cut, look: Look, colormap: str, data: st.DataObject) -> None:
    brick = values(seed, 3, 20, 30)
    style = Style(Mono(0, cut), replace(look, colormap=colormap))
    top, left = data.draw(st.integers(0, 19)), data.draw(st.integers(0, 29))
    rows, columns = data.draw(st.integers(1, 20 - top)), data.draw(st.integers(1, 30 - left))
    plane = data.draw(st.integers(0, 2))
    whole = rendered(brick, plane, (0, 0, 20, 30), style)
    tile = rendered(brick, plane, (top, left, rows, columns), style)
    np.testing.assert_array_equal(tile, whole[top : top + rows, left : left + columns])


@given(st.integers(0, 99), CUTS, LOOKS)
def test_colormap_is_looked_up_by_the_grey(seed: int, cut: Cut, look: Look) -> None:
    brick = values(seed, 1, 6, 8)
    grey = rendered(brick, 0, (0, 0, 6, 8), Style(Mono(0, cut), look))
    colour = rendered(brick, 0, (0, 0, 6, 8), Style(Mono(0, cut), replace(look, colormap="jet")))
    table = colormap_table("jet")
    assert table is not None
    np.testing.assert_array_equal(colour, table[grey[..., 0]])


WEIGHTS = st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2))


@st.composite
def mixes(draw: st.DrawFn) -> Mix:
    channels = tuple(sorted(draw(st.sets(st.integers(0, 4), min_size=1))))
    return Mix(channels, tuple(draw(CUTS) for _ in channels), tuple(draw(WEIGHTS) for _ in channels))


def cuts_of(mix: Mix) -> list[Cut]:
    return [Cut(low, high) for low, high in mix.cuts.tolist()]


def mixed(cube: NDArray[np.float32], mix: Mix) -> NDArray[np.float32]:
    sums, out = MixSums(cube.shape[1], cube.shape[2], by_weight=False), np.empty((3, *cube.shape[1:]), np.float32)
    for channel, cut, weights in zip(mix.channels, cuts_of(mix), mix.weights.tolist(), strict=True):
        sums.add(cube[channel], cut.low, [w / (cut.high - cut.low) for w in weights], weights, False)
    sums.write(out)
    return np.nan_to_num(out, nan=0.0)


@given(st.integers(0, 99), mixes())
def test_mix_is_the_weighted_sum(seed: int, mix: Mix) -> None:
    """In float64: the sum over channels of weight·(x - low)/(high - low); what is not finite adds nothing."""
    cube = values(seed, 5, 4, 6)
    sums = np.zeros((3, 4, 6))
    size = np.zeros((3, 4, 6))
    for channel, cut, weights in zip(mix.channels, cuts_of(mix), mix.weights.tolist(), strict=True):
        x = cube[channel].astype(np.float64)
        v = np.where(np.isfinite(x), (x - cut.low) / (cut.high - cut.low), 0.0)
        sums += np.array(weights)[:, None, None] * v
        # What float32 rounds: x, low and their difference, each times the weight.
        size += np.abs(weights)[:, None, None] * (np.abs(v) + abs(cut.low / (cut.high - cut.low)))
    assert (np.abs(mixed(cube, mix) - sums) <= 1e-6 * size + 1e-7).all()


@given(st.integers(0, 99), mixes(), LOOKS, st.data())
def test_mix_by_the_formula_and_the_crop(seed: int, mix: Mix, look: Look, data: st.DataObject) -> None:
    brick = mixed(values(seed, 5, 12, 14), mix)
    scale, offset = Style(mix, look).scale_offset
    tables = LookTables.of(look)
    whole = render_mix(brick, 0, 0, (12, 14), scale, offset, tables)
    for k in range(3):
        shift = np.float32(0.01 * look.contrast * look.brightness * sum(w[k] for w in mix.weights))
        v = brick[k] * np.float32(look.contrast) + shift
        assert np.abs(whole[..., k] - to_bytes(v, look)).max() <= 1
    top, left = data.draw(st.integers(0, 11)), data.draw(st.integers(0, 13))
    tile = render_mix(brick, top, left, (12 - top, 14 - left), scale, offset, tables)
    np.testing.assert_array_equal(tile, whole[top:, left:])


def test_mixing_leaves_the_order_of_channels_alone() -> None:
    """A channel of weight 0 adds nothing, not even a NaN."""
    recent, planes = np.zeros((3, 1, 2), np.float32), np.ones((3, 1, 2))
    assert not add_channel(np.array([[np.nan, np.inf]], np.float32), 0.0, 0.0, 1.0, 2.0, recent, planes, False)
    np.testing.assert_array_equal(planes + recent, 1)
    assert add_channel(np.array([[3, 5]], np.float32), 1.0, 0.0, 1.0, -2.0, recent, planes, False)
    np.testing.assert_array_equal((planes + recent)[:, 0], [[1, 1], [3, 5], [-3, -7]])
    settle(recent, planes)
    assert not recent.any()
    np.testing.assert_array_equal(planes[:, 0], [[1, 1], [3, 5], [-3, -7]])


@given(st.lists(st.tuples(st.floats(-38, 38), st.floats(-42, 42)), min_size=1, max_size=40))
def test_sums_of_whatever_size(terms: list[tuple[float, float]]) -> None:
    """Neither values nor factors that float32 cannot multiply are lost."""
    sums, out = MixSums(1, 1, by_weight=False), np.empty((3, 1, 1), np.float32)
    exact = size = 0.0
    for i, (value, factor) in enumerate(terms):
        x, f = float(np.float32(10.0**value)), (-1) ** i * 10.0**factor
        sums.add(np.full((1, 1), x, np.float32), 0.0, [f, 0.0, 0.0], [1.0, 0.0, 0.0], False)
        exact, size = exact + f * x, size + abs(f * x)
    sums.write(out)
    largest = float(np.finfo(np.float32).max)
    assert abs(float(out[0, 0, 0]) - min(max(exact, -largest), largest)) <= 2e-6 * size + 1e-37


def test_tables_are_shared_by_looks_that_differ_in_scale_alone() -> None:
    cache = TableCache()
    look = Look()
    known, tables = cache.get(look.fields)
    assert known == look
    assert cache.get(look.fields)[1] is tables
    for other in (replace(look, contrast=2.0), replace(look, brightness=5.0), replace(look, quality=10)):
        assert cache.get(other.fields) == (other, tables)
    others: list[dict[str, Any]] = [
        {"gamma": 1.0},
        {"invert": True},
        {"colormap": "jet"},
        {"stretch": "sqrt"},
        {"saturation": 2.0},
    ]
    others += [{"hue": True}, {"bad": "#123456"}, {"under": "#123456"}, {"over": "#123456"}]
    for changes in others:
        other = replace(look, **changes)
        assert cache.get(other.fields)[1] is not tables


def test_table_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache = TableCache()
    first = Look(gamma=0.2)
    kept, dropped = cache.get(first.fields)[1], Look(gamma=0.3)
    gone = cache.get(dropped.fields)[1]
    for i in range(63):
        cache.get(Look(gamma=1 + i / 100).fields)
        assert cache.get(first.fields)[1] is kept
    assert cache.get(dropped.fields)[1] is not gone


def test_table_cache_from_threads() -> None:
    cache = TableCache()
    looks = [Look(gamma=1 + i % 7 / 10) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(cache.get, [look.fields for look in looks]))
    assert [look for look, _ in found] == looks
    assert len({id(tables) for _, tables in found}) == 7


def test_unknown_look_is_refused() -> None:
    with pytest.raises(Exception, match="colormap is 'nope'"):
        TableCache().get(Look(colormap="nope").fields)
