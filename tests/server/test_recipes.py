"""Recipes in tiles: by a real server, against a plain evaluation of the formula."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.rendering.recipes import PrincipalComponents

from .. import reference
from ..service import Service, serving

SIZE = 96


@pytest.fixture(scope="module")
def cube() -> NDArray[np.float32]:
    """24 channels of 400 to 630 nm, mixtures of three spectra, with noise and holes."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    wavelengths = np.arange(24) / 23
    shapes = [np.exp(-(((wavelengths - c) / 0.2) ** 2)) for c in (0.1, 0.5, 0.9)]
    amounts = [4 + 3 * np.sin(6 * x), 3 + 2 * np.cos(5 * y), 2 + np.sin(9 * x * y)]
    pixels = sum(np.multiply.outer(shape, amount) for shape, amount in zip(shapes, amounts, strict=True))
    pixels = (pixels + 0.05 * rng.standard_normal(pixels.shape)).astype(np.float32)
    pixels[5, 10:20, 10:20] = np.nan
    found: NDArray[np.float32] = pixels
    return found


@pytest.fixture(scope="module")
def service(cube: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("recipes")
    cards: dict[str, Any] = {"CTYPE3": "WAVE", "CUNIT3": "nm", "CRVAL3": 400.0, "CDELT3": 10.0, "CRPIX3": 1.0}
    fits.writeto(folder / "light.fits", cube, fits.Header(cards))
    fits.writeto(folder / "plain.fits", cube)
    with serving(folder, tile_threads=2, presets=str(folder / "presets")) as running:
        yield running


def tile(service: Service, *mix: str, more: str = "") -> NDArray[np.int64]:
    query = "&".join(f"mix={quote(one, safe='')}" for one in mix)
    return reference.decoded(service.ok(f"/cubes/light.fits/tiles/0/0/0.png?{query}{more}").body)


def test_range_is_the_same_as_its_channels(service: Service, cube: NDArray[np.float32]) -> None:
    ramp = np.column_stack([np.linspace(0, 1, 11), np.zeros(11), np.linspace(1, 0, 11)]) / 11
    planes = [reference.level_of(cube[c], 0) for c in range(5, 16)]
    expected = reference.mix(planes, [(0, 9)] * 11, ramp.tolist(), 1, 0)
    body = service.ok("/cubes/light.fits/tiles/0/0/0.png?mix=range:450-550nm:blue..red&cuts=0,9").body
    reference.assert_close(body, expected, 1)
    assert service.ok("/cubes/light.fits/tiles/0/0/0.png?mix=range:5-15:blue..red&cuts=0,9").body == body
    text = '[{"range": [0.45, 0.55], "unit": "um", "ramp": ["blue", "#f00"]}]'
    assert service.ok(f"/cubes/light.fits/tiles/0/0/0.png?mix={quote(text)}&cuts=0,9").body == body


def test_cuts_of_all_channels_and_of_one(service: Service) -> None:
    every = "&".join(f"cuts={c}:0,9" for c in range(24) if c != 3)
    one = tile(service, "range:*:white", more=f"&{every}&cuts=3:1,5")
    np.testing.assert_array_equal(tile(service, "range:*:white", more="&cuts=3:1,5&cuts=0,9"), one)
    assert (tile(service, "range:*:white", more="&cuts=0,9") != one).any()


def test_default_cuts_are_those_of_the_description(service: Service) -> None:
    cuts = service.ok("/cubes/light.fits").json["cuts"]
    given = "".join(f"&cuts={c}:{low!r},{high!r}" for c, (low, high) in enumerate(cuts))
    np.testing.assert_array_equal(tile(service, "cie"), tile(service, "cie", more=given))


def test_principal_components(service: Service, cube: NDArray[np.float32]) -> None:
    picture = tile(service, "pca", more="&gamma=1")
    whole = cube[:, ::-1].reshape(24, -1).T
    found = PrincipalComponents.of(whole)
    filled = np.where(np.isfinite(whole), whole, found.mean)
    scores = (filled - found.mean) @ found.components.T
    expected = 255 * np.clip((scores - found.low) / (found.high - found.low), 0, 1).reshape(SIZE, SIZE, 3)
    hole = ~np.isfinite(whole).all(axis=1).reshape(SIZE, SIZE)
    assert np.abs(picture.astype(float) - expected)[~hole].max() <= 2
    again = tile(service, "pca:0-23", more="&gamma=1&contrast=1")
    np.testing.assert_array_equal(picture, again)


@pytest.mark.parametrize("method", ["max", "min", "mean", "sum"])
def test_channels_made_one(service: Service, cube: NDArray[np.float32], method: str) -> None:
    channels = cube[3:9].astype(np.float64)
    by_method = {
        "max": np.nanmax(channels, axis=0),
        "min": np.nanmin(channels, axis=0),
        "mean": np.nanmean(channels, axis=0),
        "sum": np.nansum(channels, axis=0),
    }
    plane = by_method[method]
    low, high = float(np.percentile(plane, 1)), float(np.percentile(plane, 99))
    expected = reference.mono(reference.level_of(plane.astype(np.float32), 0), low, high)
    path = f"/cubes/light.fits/tiles/0/0/0.png?mix={method}:430-480nm"
    reference.assert_close(service.ok(f"{path}&cuts={low!r},{high!r}").body, expected, 1)
    default = reference.decoded(service.ok(path).body)
    assert np.ptp(default) > 100  # something is to be seen
    assert reference.decoded(service.ok(f"{path}&colormap=hot").body).ndim == 3


@pytest.mark.parametrize(
    ("query", "parameter", "says"),
    [
        ("mix=range:700-800nm:red", "mix", "400 to 630 nm"),
        ("mix=range:1-2GHz:red", "mix", "within"),
        ("mix=range:1-2km/s:red", "mix", "rest frequency"),
        ("mix=range:0-24:red", "mix", "0 to 23"),
        ("mix=pca&mix=cie", "mix", "exclude"),
        ("mix=pca&cuts=1,2", "cuts", "exclude"),
        ("mix=max:0-3&cuts=1:1,2", "cuts", "lo,hi"),
        ("mix=max:0-3&channel=1", "channel", "exclude"),
        ("mix=cie&colormap=hot", "colormap", "grey"),
        ("mix=cie&nan=black", "nan", "renormalise"),
        ("nan=black", "nan", "renormalise"),
        ("channel=1&nan=renormalise", "nan", "it is for mixes"),
        ("mix=max:0-3&nan=lo", "nan", "it is for mixes"),
        ("cuts=5,5", "cuts", "cuts is '5,5'; allowed: lo,hi or c:lo,hi"),
        ("cuts=7", "cuts", "cuts is '7'; allowed: lo,hi or c:lo,hi"),
        ("mix=0:1e308,0,0&mix=1:1e308,0,0", "mix", "finite numbers, and so are their sums"),
        ("mix=0:1e308,0,0&mix=1:-1e308,0,0", "mix", "finite numbers, and so are their sums"),
        ('mix=[{"channel":1}]', "mix", "an element without a colour"),
        ("preset=nowhere", "preset", "no presets"),
    ],
)
def test_what_cannot_be_used(service: Service, query: str, parameter: str, says: str) -> None:
    response = service.get(f"/cubes/light.fits/tiles/0/0/0.png?{quote(query, safe='=&:,/')}")
    assert (response.status, response.parameter) == (400, parameter)
    assert says in response.message


def test_others_are_answered_while_a_recipe_is_understood(service: Service, tmp_path: Path) -> None:
    cards: dict[str, Any] = {"CTYPE3": "WAVE", "CUNIT3": "nm", "CRVAL3": 300.0, "CDELT3": 0.03, "CRPIX3": 1.0}
    fits.writeto(tmp_path / "many.fits", np.zeros((16_000, 1, 2), np.float32), fits.Header(cards))
    with serving(tmp_path, tile_threads=1) as other, ThreadPoolExecutor(1) as threads:
        other.ok("/cubes/many.fits/tiles/0/0/0.png?cuts=0,1")
        query = "&".join(["mix=cie"] * 256)
        began = time.perf_counter()
        asked = threads.submit(other.ok, f"/cubes/many.fits/legend.svg?{query}&cuts=0,1")
        waits = []
        while not asked.done():
            before = time.perf_counter()
            other.ok("/health")
            waits.append(time.perf_counter() - before)
        asked.result()
        assert max(waits) < (time.perf_counter() - began) / 3


def test_a_cube_without_wavelengths(service: Service) -> None:
    response = service.get("/cubes/plain.fits/tiles/0/0/0.png?mix=cie")
    assert (response.status, response.parameter) == (400, "mix")
    assert "no wavelengths" in response.message
    service.ok("/cubes/plain.fits/tiles/0/0/0.png?mix=range:0-23:red")


def test_thousands_of_channels_one_by_one(tmp_path: Path) -> None:
    cube = np.random.default_rng(3).random((16_000, 2, 3)).astype(np.float32)
    fits.writeto(tmp_path / "many.fits", cube)
    weights = np.linspace(0, 2, 16_000).round(3) / 16_000
    value = np.tensordot(weights, cube.astype(np.float64), 1)
    expected = np.rint(255 * value ** (1 / 2.2))[::-1]
    with serving(tmp_path, tile_threads=1) as other:
        mix = "&".join(f"mix={channel}:{weight:.6g},0,1" for channel, weight in enumerate(weights))
        shown = reference.decoded(other.ok(f"/cubes/many.fits/tiles/0/0/0.png?{mix}&cuts=0,1&bad=lo").body)
        assert np.abs(shown[..., 0] - expected).max() <= 1
        mix = "&".join(f"MIX={channel + 1}:0,0,1" for channel in range(16_000))
        assert other.get(f"/api?FIF=many.fits&{mix}&JTL=0,0").status == 200


def test_what_is_shown_by_default_is_each_apis_own(cube: NDArray[np.float32], tmp_path: Path) -> None:
    """A mix of all channels through one, the first channel through the other, whichever is asked first."""
    fits.writeto(tmp_path / "light.fits", cube)
    mixed, single = "/api?FIF=light.fits&JTL=0,0", "/cubes/light.fits/tiles/0/0/0.jpg"
    for first, second in ((mixed, single), (single, mixed)):
        with serving(tmp_path, tile_threads=1) as other:
            found = {path: other.ok(path).body for path in (first, second)}
            assert found[single] == other.ok(f"{single}?channel=0").body
            assert found[mixed] != found[single]
