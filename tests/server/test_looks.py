"""The keys of looks over HTTP: stretches, saturation, hue, marked pixels and transparency."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from visiomatic_dask.config import load_settings
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content, Cut, Look, Mix, Mono
from visiomatic_dask.rendering.look import ImageFormat
from visiomatic_dask.rendering.stretches import curve_of
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.look_query import resource_look

from .. import reference
from ..service import Service
from .conftest import Sky

TILE = "/cubes/sky.fits/tiles/3/0/0"
MIX = "mix=0:1,0.5,-0.25&mix=2:-0.5,0.25,1&cuts=0:-12,20&cuts=2:-10,25"
WEIGHTS = [[1, 0.5, -0.25], [-0.5, 0.25, 1]]


def plane(cubes: Sky, low: float = -3, high: float = 8) -> reference.Floats:
    return (reference.level_of(cubes.sky[0], 3) - low) / (high - low)


def mixed(cubes: Sky, brightness: float = 0) -> reference.Floats:
    total = np.zeros((*reference.level_of(cubes.sky[0], 3).shape, 3))
    for channel, (low, high), weights in zip((0, 2), [(-12, 20), (-10, 25)], WEIGHTS, strict=True):
        x = reference.level_of(cubes.sky[channel], 3)
        v = (np.where(np.isnan(x), low, x) - low) / (high - low)
        total += (v + 0.01 * brightness)[:, :, None] * weights
    return total


def shown(v: reference.Floats) -> reference.Picture:
    return np.rint(255 * v).astype(np.int64)


@pytest.mark.parametrize(
    ("keys", "stretch", "gamma"),
    [
        ("stretch=sqrt", "sqrt", 1.0),
        ("stretch=linear", "linear", 1.0),
        ("stretch=log", "log:1000", 1.0),
        ("stretch=asinh:300&gamma=2", "asinh:300", 2.0),
        ("stretch=power:3", "power:3", 1.0),
        ("", "linear", 2.2),
    ],
)
def test_stretches(service: Service, cubes: Sky, keys: str, stretch: str, gamma: float) -> None:
    data = service.ok(f"{TILE}.png?cuts=-3,8&{keys}").body
    reference.assert_close(data, shown(reference.stretched(np.nan_to_num(plane(cubes)), stretch, gamma)), 1)


@pytest.mark.parametrize("brightness", [0, 20])
@pytest.mark.parametrize("saturation", [0, 0.5, 2.5])
def test_saturation(service: Service, cubes: Sky, saturation: float, brightness: float) -> None:
    keys = f"{MIX}&saturation={saturation}&brightness={brightness}&gamma=1.5"
    expected = reference.stretched(reference.saturated(mixed(cubes, brightness), saturation), gamma=1.5)
    reference.assert_close(service.ok(f"{TILE}.png?{keys}").body, shown(expected), 1)


def test_hue(service: Service, cubes: Sky) -> None:
    expected = reference.hue_kept(mixed(cubes), "asinh:30", 1)
    data = service.ok(f"{TILE}.png?{MIX}&stretch=asinh:30&hue=true").body
    reference.assert_close(data, shown(expected), 1)


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_pixels_without_a_value_are_transparent(service: Service, cubes: Sky, suffix: str) -> None:
    picture = reference.decoded(service.ok(f"{TILE}.{suffix}?cuts=-3,8").body)
    nan = np.isnan(plane(cubes))
    assert nan.any()
    np.testing.assert_array_equal(picture[..., -1], np.where(nan, 0, 255))
    half = reference.decoded(service.ok(f"{TILE}.{suffix}?cuts=-3,8&opacity=0.5").body)
    np.testing.assert_array_equal(half[..., -1], np.where(nan, 0, 128))


def test_pixels_without_a_value_as_the_lower_cut(service: Service, cubes: Sky) -> None:
    whole = reference.mono(reference.level_of(cubes.sky[0], 3), -3, 8)
    as_low = service.ok(f"{TILE}.png?cuts=-3,8&bad=lo").body
    assert reference.decoded(as_low).ndim == 2
    reference.assert_close(as_low, whole, 1)
    assert service.ok(f"{TILE}.jpg?cuts=-3,8&bad=lo").body == service.ok(f"{TILE}.jpg?cuts=-3,8").body


def test_marked_pixels(service: Service, cubes: Sky) -> None:
    keys = "cuts=-1,2&gamma=1&bad=red&under=%230f0&over=Blue"
    v = plane(cubes, -1, 2)
    expected = np.repeat(shown(np.clip(np.nan_to_num(v), 0, 1))[:, :, None], 3, 2)
    for where, colour in ((np.isnan(v), (255, 0, 0)), (v < 0, (0, 255, 0)), (v > 1, (0, 0, 255))):
        assert where.any()
        expected[where] = colour
    for more in ("", "&colormap=grey"):
        picture = reference.decoded(service.ok(f"{TILE}.png?{keys}{more}").body)
        assert picture.shape == expected.shape
        assert np.abs(picture - expected).max() <= 1
    assert reference.decoded(service.ok(f"{TILE}.jpg?{keys}").body).shape == expected.shape


def test_spellings_of_one_look_have_one_etag(service: Service) -> None:
    same = ["stretch=log&bad=red", "stretch=log:1e3&bad=%23f00", "bad=%23FF0000&stretch=log:1000&gamma=1.0"]
    etags = {service.ok(f"{TILE}.png?cuts=-3,8&{keys}").headers["ETag"] for keys in same}
    assert len(etags) == 1
    others = ["", "stretch=sqrt", "stretch=log", "bad=lo", "under=red", "over=red", "opacity=0.5"]
    assert len({service.ok(f"{TILE}.png?cuts=-3,8&{keys}").headers["ETag"] for keys in others}) == len(others)


def test_the_old_api_is_as_it_was(service: Service, cubes: Sky) -> None:
    picture = reference.decoded(service.ok("/api?FIF=sky.fits&CHAN=1&MINMAX=1:-3,8&QLT=100&JTL=0,0").body)
    assert picture.ndim == 2
    assert picture[np.isnan(plane(cubes))].max(initial=0) <= 12  # black, but for what JPEG makes of it


def look_of(query: dict[str, str], content: Content, kind: ImageFormat, sample: reference.Floats) -> Look:
    async def equalise(shown: Content) -> tuple[float, ...]:
        assert isinstance(shown, Mono)
        v = (sample - shown.cut.low) / (shown.cut.high - shown.cut.low)
        return tuple(np.quantile(v[(v >= 0) & (v <= 1)], np.linspace(0, 1, 200)).tolist())

    arguments = Arguments({key: [value] for key, value in query.items()})
    return asyncio.run(resource_look(arguments, content, load_settings(), kind, equalise))


def test_histogram_equalises() -> None:
    """As many pixels in each eighth of the greys."""
    sample: Any = np.random.default_rng(0).gamma(0.7, 2, 20_000)
    look = look_of({"stretch": "histogram"}, Mono(0, Cut(0, 50)), "jpeg", sample)
    assert look.gamma == 1
    assert len(look.stretch) < 1024
    counts, _ = np.histogram(curve_of(look.stretch)(sample / 50), 8, (0, 1))
    assert counts.min() > 0.93 * counts.max()


def test_histogram_is_one_planes() -> None:
    with pytest.raises(InvalidRequest, match="a histogram is one plane's"):
        look_of({"stretch": "histogram"}, Mix((0,), [Cut(0, 1)], [(1, 1, 1)]), "jpeg", np.zeros(3))
