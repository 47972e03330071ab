"""Random looks against a plain evaluation in float64, and every rectangle the crop of the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from astropy.visualization import LuptonAsinhStretch, ManualInterval, make_lupton_rgb
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.rendering import Look, LookTables, render_mix, render_plane
from visiomatic_dask.rendering.colormaps import colormap_table
from visiomatic_dask.rendering.stretches import canonical_stretch

from .. import reference

STRETCHES = st.one_of(
    st.sampled_from(["linear", "sqrt", "square"]),
    st.floats(0.01, 1e9).map("log:{}".format),
    st.floats(0.01, 1e9).map("asinh:{}".format),
    st.floats(0.4, 10).map("power:{}".format),
).map(canonical_stretch)
COLOURS = st.sampled_from(["", "transparent", "#000000", "#0102fe", "#808080"])
LOOKS = st.builds(
    Look,
    contrast=st.floats(0, 20),
    brightness=st.floats(-100, 100),
    gamma=st.floats(0.2, 5),
    invert=st.booleans(),
    format=st.just("png"),
    stretch=STRETCHES,
    saturation=st.one_of(st.just(1.0), st.floats(0, 5)),
    hue=st.booleans(),
    bad=COLOURS,
    under=COLOURS,
    over=COLOURS,
    opacity=st.one_of(st.just(1.0), st.floats(0, 1)),
)
SEEDS = st.integers(0, 9999)


def values(seed: int, *shape: int) -> NDArray[np.float32]:
    """Values about 0 … 1 of all sizes, and some that are none."""
    random = np.random.default_rng(seed)
    found = random.normal(0.4, 0.6, shape) * 10.0 ** random.integers(-6, 2, shape)
    special = random.random(shape[-2:])
    found[..., special < 0.1] = np.nan
    found[(random.random(shape) < 0.05)] = np.inf
    found[(random.random(shape) < 0.05)] = -np.inf
    return found.astype(np.float32)


def rgba(name: str, alpha: int) -> tuple[int, ...]:
    return (0, 0, 0, 0) if name == "transparent" else (*bytes.fromhex(name[1:]), alpha)


def as_rgba(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Any picture in four planes."""
    planes = picture.shape[2]
    colours = picture[..., [0, 0, 0]] if planes < 3 else picture[..., :3]
    alpha = picture[..., -1:] if planes in (2, 4) else np.full_like(picture[..., :1], 255)
    return np.concatenate([colours, alpha], axis=2).astype(np.int64)


@given(SEEDS, LOOKS, st.sampled_from(["grey", "grey_r", "jet"]))
def test_planes(seed: int, look: Look, colormap: str) -> None:
    look = replace(look, colormap=colormap)
    brick = values(seed, 1, 5, 8)
    low, scale, offset = 0.1, np.float32(look.contrast * 0.7), np.float32(0.01 * look.contrast * look.brightness)
    tables = LookTables.of(look)
    picture = as_rgba(render_plane(brick, 0, 0, 0, (5, 8), low, float(scale), float(offset), tables))
    with np.errstate(invalid="ignore"):
        v = (brick[0] - np.float32(low)) * scale + offset
    v = np.where(np.isnan(v), offset, v).astype(np.float64)
    grey = 255 * reference.stretched(v, look.stretch, look.gamma)
    table = colormap_table(colormap)
    table = np.repeat(np.arange(256)[:, None], 3, 1) if table is None else table.astype(np.int64)
    alpha = round(255 * look.opacity)
    marked = [(look.over, v > 1), (look.under, v < 0), (look.bad, ~np.isfinite(brick[0]))]
    for i, j in np.ndindex(5, 8):
        names = [name for name, where in marked if name and where[i, j]]
        if look.bad and not np.isfinite(brick[0, i, j]):
            names = [look.bad]
        if names:
            assert tuple(picture[i, j]) == rgba(names[-1], alpha)
            continue
        # Whatever grey the table may have given: within 1 of the formula's.
        near = [g for g in range(256) if abs(g - (255 - grey[i, j] if look.invert else grey[i, j])) <= 1]
        assert tuple(picture[i, j]) in {(*table[g].tolist(), alpha) for g in near}


def mixed_by_numpy(brick: NDArray[np.float32], look: Look, scale: list[float], offset: list[float]) -> Any:
    """Bytes, unrounded, and which pixels have no value: of a mix that is saturated or keeps its hue."""
    largest = float(np.finfo(np.float32).max)
    x = np.nan_to_num(brick.astype(np.float64), nan=0.0, posinf=largest, neginf=-largest)
    colours = np.moveaxis(x, 0, 2) * scale + offset
    if look.saturation != 1:
        colours = reference.saturated(colours, look.saturation)
    if look.hue:
        shown = 255 * reference.hue_kept(colours, look.stretch, look.gamma)
    else:
        shown = 255 * reference.stretched(colours, look.stretch, look.gamma)
    return 255 - shown if look.invert else shown


@given(SEEDS, LOOKS, st.sampled_from([3, 6]), st.tuples(*[st.floats(-2, 2)] * 3))
def test_mixes(seed: int, look: Look, planes: int, sums: tuple[float, ...]) -> None:
    brick = values(seed, planes, 5, 8)
    scale = [look.contrast] * 3
    offset = [0.01 * look.contrast * look.brightness * one for one in sums]
    if look.saturation == 1 and not look.hue:  # in float32, as planes are
        scale, offset = np.asarray(scale, np.float32).tolist(), np.asarray(offset, np.float32).tolist()
    picture = as_rgba(render_mix(brick, 0, 0, (5, 8), tuple(scale), tuple(offset), LookTables.of(look)))
    alpha = round(255 * look.opacity)
    bad = ~np.isfinite(brick[:3]).any(axis=0) & bool(look.bad)
    assert (picture[bad] == rgba(look.bad or "#000000", alpha)).all()
    assert (picture[~bad][:, 3] == alpha).all()
    if look.saturation == 1 and not look.hue:
        with np.errstate(invalid="ignore"):
            v = np.moveaxis(brick[:3], 0, 2) * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)
        v = np.where(np.isnan(v), np.asarray(offset, np.float32), v)
        shown = 255 * reference.stretched(v.astype(np.float64), look.stretch, look.gamma)
        expected = 255 - shown if look.invert else shown
    else:
        expected = mixed_by_numpy(brick[:3], look, scale, offset)
    assert np.abs(picture[..., :3] - expected)[~bad].max(initial=0) <= 1


@given(SEEDS, LOOKS, st.integers(0, 10), st.integers(0, 12), st.sampled_from(["grey", "jet"]))
def test_rectangle_is_the_crop(seed: int, look: Look, top: int, left: int, colormap: str) -> None:
    brick = values(seed, 3, 11, 13)
    for tables in (LookTables.of(look), LookTables.of(replace(look, colormap=colormap))):
        whole = render_plane(brick, 1, 0, 0, (11, 13), 0.2, look.contrast, 0.05, tables)
        tile = render_plane(brick, 1, top, left, (11 - top, 13 - left), 0.2, look.contrast, 0.05, tables)
        np.testing.assert_array_equal(tile, whole[top:, left:])
    scale, offset = (look.contrast,) * 3, (0.1, 0.0, -0.1)
    whole = render_mix(brick, 0, 0, (11, 13), scale, offset, LookTables.of(look))
    tile = render_mix(brick, top, left, (11 - top, 13 - left), scale, offset, LookTables.of(look))
    np.testing.assert_array_equal(tile, whole[top:, left:])


def test_saturation_0_is_grey_and_1_is_what_it_was() -> None:
    brick = np.random.default_rng(0).random((3, 20, 20)).astype(np.float32)
    plain = render_mix(brick, 0, 0, (20, 20), (1.0,) * 3, (0.0,) * 3, LookTables.of(Look()))
    grey = render_mix(brick, 0, 0, (20, 20), (1.0,) * 3, (0.0,) * 3, LookTables.of(Look(saturation=0.0)))
    almost = render_mix(brick, 0, 0, (20, 20), (1.0,) * 3, (0.0,) * 3, LookTables.of(Look(saturation=1 + 1e-12)))
    assert (grey == grey[..., :1]).all()
    np.testing.assert_array_equal(plain, almost)
    assert (plain != plain[..., :1]).any()


def test_hue_is_astropys_up_to_the_scale_of_its_curve() -> None:
    """Theirs is asinh(Q·I/stretch), through 0.1 of the range at a tenth of ``stretch``; ours ends at 1."""
    random = np.random.default_rng(1)
    red, green, blue = random.gamma(0.4, 0.2, (3, 60, 60)).clip(0, 0.99)
    q, stretch = 8.0, 0.5
    soft = q / stretch
    theirs = make_lupton_rgb(
        red, green, blue, interval=ManualInterval(0, 1), stretch_object=LuptonAsinhStretch(stretch, q)
    )
    # Multiplied so that their curve is ours: f(I) = asinh(soft·I)/asinh(soft) where theirs has 0.1/asinh(0.1·Q).
    ours = reference.hue_kept(np.stack([red, green, blue], 2), f"asinh:{soft}", 1.0)
    brick = np.stack([red, green, blue]).astype(np.float32)
    look = Look(hue=True, stretch=canonical_stretch(f"asinh:{soft}"), gamma=1.0)
    shown = render_mix(brick, 0, 0, (60, 60), (1.0,) * 3, (0.0,) * 3, LookTables.of(look))
    assert np.abs(shown - 255 * ours).max() <= 1
    ratio = 0.1 / np.arcsinh(0.1 * q) * np.arcsinh(soft)
    rescaled = ratio * np.arcsinh(soft * brick.mean(0)) / np.arcsinh(soft) / brick.mean(0)
    again = np.moveaxis(brick * rescaled, 0, 2)
    again /= np.maximum(again.max(axis=2, keepdims=True), 1)
    assert np.abs(theirs - 255 * again).max() <= 1.01  # they round down
    # Where neither is scaled down the two have the same hue.
    both = (shown.max(axis=2) < 254) & (theirs.max(axis=2) < 254) & (theirs.max(axis=2) > 60)
    assert both.sum() > 500
    hues = [one[both] / one[both].sum(axis=1, keepdims=True) for one in (shown.astype(float), theirs.astype(float))]
    assert np.abs(hues[0] - hues[1]).max() < 0.035  # they round down, from 61 on


@pytest.mark.parametrize("colours", [(2.0, 1.0, 0.5), (0.02, 0.01, 0.005), (50.0, 0.0, 25.0)])
def test_hue_does_not_change(colours: tuple[float, float, float]) -> None:
    """However bright: the ratios of the three stay what they are."""
    brick = np.array(colours, np.float32).reshape(3, 1, 1)
    look = LookTables.of(Look(hue=True, stretch="asinh:1000.0", gamma=1.0))
    picture = render_mix(brick, 0, 0, (1, 1), (1.0,) * 3, (0.0,) * 3, look)[0, 0].astype(float)
    assert picture.max() > 100
    np.testing.assert_allclose(picture / picture.max(), np.array(colours) / max(colours), atol=0.005)
