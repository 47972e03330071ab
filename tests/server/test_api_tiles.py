"""``/api``: tiles and regions, pixel by pixel against a reference rendering."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from .. import reference
from ..service import Service, serving
from .conftest import Sky

JPEG = 3
"""What JPEG at quality 100 may change a pixel of a smooth or noisy picture by; the transfer table may add one."""
RAW = "QLT=100&MINMAX=1:-12,20&MINMAX=2:-12,20&MINMAX=3:-10,25"
CUTS = [(-12.0, 20.0), (-12.0, 20.0), (-10.0, 25.0)]
SIZES = [(1030, 1025), (515, 513), (258, 257), (129, 129)]
"""Rows and columns of the levels, from full resolution."""


def tile(service: Service, level: int, index: int, style: str, name: str = "sky.fits") -> bytes:
    response = service.ok(f"/api?FIF={name}&{style}&JTL={3 - level},{index}")
    assert response.headers["Content-Type"] == "image/jpeg"
    return response.body


@pytest.mark.parametrize("level", range(4))
def test_every_tile_of_every_level_is_the_crop_of_the_reference(service: Service, cubes: Sky, level: int) -> None:
    whole = reference.mono(reference.level_of(cubes.sky[1], level), -12, 20)
    assert whole.shape == SIZES[level]
    columns = -(-max(1, 1025 >> level) // 256)  # the client counts its columns on sizes rounded down
    rows = -(-SIZES[level][0] // 256)
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        data = tile(service, level, index, f"CHAN=2&{RAW}")
        reference.assert_close(data, reference.tile_of(whole, row, column), JPEG)


def test_columns_are_counted_on_sizes_rounded_down(service: Service, cubes: Sky) -> None:
    # Level 2 is 257 pixels wide, two tiles of ours; the client knows of 256, and one: its second tile is row 1.
    whole = reference.mono(reference.level_of(cubes.sky[0], 2), -12, 20)
    data = tile(service, 2, 1, f"CHAN=1&{RAW}")
    reference.assert_close(data, whole[256:, :256], JPEG)
    assert service.get(f"/api?FIF=sky.fits&CHAN=1&{RAW}&JTL=1,2").status == 400


def test_row_0_is_the_largest_y(service: Service, cubes: Sky) -> None:
    top = reference.mono(np.asarray(cubes.sky[0, :-257:-1, :256], np.float64), -12, 20)
    reference.assert_close(tile(service, 0, 0, f"CHAN=1&{RAW}"), top, JPEG)


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ("BRT=20", {"brightness": 20}),
        ("BRT=-35.5", {"brightness": -35.5}),
        ("CNT=3", {"contrast": 3}),
        ("CNT=0.25&BRT=80", {"contrast": 0.25, "brightness": 80}),
        ("CNT=0", {"contrast": 0}),
        ("GAM=0.2", {"gamma": 0.2}),
        ("GAM=5", {"gamma": 5}),
        ("GAM=1&INV", {"gamma": 1, "invert": True}),
    ],
)
def test_rendering_keys(service: Service, cubes: Sky, keys: str, options: dict[str, Any]) -> None:
    expected = reference.mono(reference.level_of(cubes.sky[2], 2)[:256, :256], -10, 25, **options)
    reference.assert_close(tile(service, 2, 0, f"CHAN=3&{RAW}&{keys}"), expected, 4)


@pytest.mark.parametrize("name", ["jet", "cold", "cool", "hot"])
@pytest.mark.parametrize("invert", [False, True])
def test_colormaps_are_those_of_matplotlib(service: Service, cubes: Sky, name: str, invert: bool) -> None:
    from matplotlib import colormaps

    grey = reference.mono(reference.level_of(cubes.sky[0], 3), -12, 20, invert=invert)
    colours = np.rint(255 * colormaps["cool" if name == "cold" else name](grey)[:, :, :3])
    data = tile(service, 3, 0, f"CHAN=1&{RAW}&CMP={name}" + "&INV" * invert)
    assert np.abs(reference.decoded(data) - colours).mean() < 2.5  # JPEG, on steep colours


MIXED = "MIX=1:1.000,0.200,-0.100&MIX=3:-0.250,0.500,1.500"


def mixed_weights() -> list[list[float]]:
    """Rows of channels 1 and 3 as given, 2 halfway between them; all times 3/C, which is 1 here."""
    return [[1, 0.2, -0.1], [0.375, 0.35, 0.7], [-0.25, 0.5, 1.5]]


@pytest.mark.parametrize("brightness", [0, 30, -20])
@pytest.mark.parametrize("level", [0, 2])
def test_mix_is_interpolated_and_brightness_is_weighed(
    service: Service, cubes: Sky, level: int, brightness: int
) -> None:
    planes = [reference.level_of(plane, level)[:256, :256] for plane in cubes.sky]
    expected = reference.mix(planes, CUTS, mixed_weights(), 1.5, brightness)
    data = tile(service, level, 0, f"{MIXED}&{RAW}&CNT=1.5&BRT={brightness}")
    assert np.abs(reference.decoded(data) - expected).mean() < 1.2
    reference.assert_close(data, expected, 12)  # YCbCr in bytes costs a few units of saturated colours


def test_mix_of_one_row_is_held_constant(service: Service, cubes: Sky) -> None:
    planes = [reference.level_of(plane, 3) for plane in cubes.sky]
    expected = reference.mix(planes, CUTS, [[0.3, 0.3, 0.3]] * 3)
    reference.assert_close(tile(service, 3, 0, f"MIX=2:0.3,0.3,0.3&{RAW}"), expected, 4)


def test_weights_are_multiplied_by_three_over_the_number_of_channels(service: Service, cubes: Sky) -> None:
    # Eight channels, NAXIS3 fastest: rows for the first and the last, those between on the line from one to the other.
    cuts = "&".join(f"MINMAX={c}:-4,4" for c in range(1, 9))
    data = service.ok(f"/api?FIF=sub/four.fits&QLT=100&MIX=1:2,0,0.5&MIX=8:0,0.7,0.5&{cuts}&JTL=0,0").body
    weights = [[(2 - 2 * c / 7) * 3 / 8, 0.1 * c * 3 / 8, 0.5 * 3 / 8] for c in range(8)]
    planes = [reference.level_of(plane, 0) for plane in cubes.four.reshape(8, 40, 50)]
    expected = reference.mix(planes, [(-4, 4)] * 8, weights)
    reference.assert_close(data, expected, 8)


def test_without_chan_and_mix_all_channels_have_weight_1(service: Service, cubes: Sky) -> None:
    planes = [reference.level_of(plane, 3) for plane in cubes.sky]
    expected = reference.mix(planes, CUTS, [[1, 1, 1]] * 3, contrast=0.3)
    reference.assert_close(tile(service, 3, 0, f"{RAW}&CNT=0.3"), expected, 4)


def test_default_cuts_are_those_of_info(service: Service, cubes: Sky) -> None:
    low, high = service.ok("/api?FIF=sky.fits&INFO").json["images"][0]["min_max"][1]
    expected = reference.mono(reference.level_of(cubes.sky[1], 3), low, high)
    reference.assert_close(tile(service, 3, 0, "CHAN=2&QLT=100"), expected, JPEG)
    # Cuts of other channels change nothing
    assert tile(service, 3, 0, "CHAN=2&QLT=100") == tile(service, 3, 0, "CHAN=2&QLT=100&MINMAX=1:0,1&MINMAX=3:5,6")


def test_quality_counts(service: Service) -> None:
    sizes = [len(tile(service, 0, 0, f"CHAN=1&QLT={quality}")) for quality in (0, 50, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] / 2 < sizes[2] / 4


def test_requests_leave_no_trace(service: Service) -> None:
    styles = [
        "CHAN=1", "CHAN=2", "CHAN=1&MINMAX=1:0,5", "CHAN=1&MINMAX=2:0,5", "CHAN=1&GAM=1", "CHAN=1&INV",
        "CHAN=1&CMP=jet", "CHAN=1&CNT=2", "CHAN=1&BRT=20", "CHAN=1&QLT=30", "", MIXED, f"{MIXED}&MINMAX=1:0,5",
        "MIX=1:1,0,0&MIX=3:0,0,1", "MIX=1:1,0,0&MIX=3:0,0,1&GAM=1",
    ]  # fmt: skip
    order = [(style, level) for style in styles for level in (0, 2)] * 4
    random.Random(3).shuffle(order)
    seen: dict[tuple[str, int], bytes] = {}
    for style, level in order:
        data = tile(service, level, 0, style or "CNT=1")
        assert seen.setdefault((style, level), data) == data
    distinct = {seen[style, 0] for style in styles}
    assert len(distinct) == len(styles) - 1  # "CHAN=1&MINMAX=2:0,5" is CHAN=1


@pytest.mark.parametrize("jtl", ["4,0", "-1,0", "0,1", "3,25", "3,-1", "x", "3", "3,0,0", "", "1e0,0"])
def test_no_such_tile(service: Service, jtl: str) -> None:
    response = service.get(f"/api?FIF=sky.fits&CHAN=1&JTL={jtl}")
    assert response.status == 400
    assert response.parameter == "JTL"
    assert "allowed" in response.message


@pytest.mark.parametrize("binning", [1, 2, 8])
def test_region_in_raster_coordinates(service: Service, cubes: Sky, binning: int) -> None:
    level = binning.bit_length() - 1
    response = service.ok(f"/api?FIF=sky.fits&RGN=101,41:420,300&BIN={binning}&CHAN=2&{RAW}&CNT=2")
    whole = reference.mono(reference.level_of(cubes.sky[1], level), -12, 20, contrast=2)
    top, left, bottom, right = (40 >> level, 100 >> level, (299 >> level) + 1, (419 >> level) + 1)
    reference.assert_close(response.body, whole[top:bottom, left:right], 4)


def test_region_is_clipped_to_the_frame(service: Service, cubes: Sky) -> None:
    whole = reference.mono(reference.level_of(cubes.sky[1], 0), -12, 20)
    response = service.ok(f"/api?FIF=sky.fits&RGN=-50,-20:30,40&CHAN=2&{RAW}")
    reference.assert_close(response.body, whole[:40, :30], JPEG)
    response = service.ok(f"/api?FIF=sky.fits&RGN=2000,2000:1001,1001&CHAN=2&{RAW}")  # corners in any order
    reference.assert_close(response.body, whole[1000:, 1000:], JPEG)


def test_region_of_a_mix(service: Service, cubes: Sky) -> None:
    planes = [reference.level_of(plane, 1) for plane in cubes.sky]
    expected = reference.mix(planes, CUTS, mixed_weights())[:300, 100:500]
    response = service.ok(f"/api?FIF=sky.fits&RGN=201,1:1000,600&BIN=2&{MIXED}&{RAW}")
    reference.assert_close(response.body, expected, 12)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("RGN=1,1:9,9&BIN=3", "BIN"),
        ("RGN=1,1:9,9&BIN=0", "BIN"),
        ("RGN=1,1", "RGN"),
        ("RGN=1,1:9,x", "RGN"),
        ("RGN=-9,-9:-1,-1", "RGN"),
        ("RGN=2000,1:3000,9", "RGN"),
    ],
)
def test_no_such_region(service: Service, query: str, parameter: str) -> None:
    response = service.get(f"/api?FIF=sky.fits&CHAN=1&{query}")
    assert response.status == 400
    assert response.parameter == parameter


def test_region_larger_than_a_jpeg_can_be(service: Service, cubes: Sky) -> None:
    fits.writeto(cubes.folder / "wide.fits", np.zeros((3, 70_000), np.float32), overwrite=True)
    response = service.get("/api?FIF=wide.fits&CHAN=1&MINMAX=1:0,1&RGN=1,1:70000,3")
    assert (response.status, response.parameter) == (413, "RGN")
    assert "65500" in response.message
    data = service.ok("/api?FIF=wide.fits&CHAN=1&MINMAX=1:0,1&RGN=1,1:70000,3&BIN=2").body
    assert reference.decoded(data).shape == (2, 35_000)


def test_a_query_that_says_nothing_means_another_thing_in_each_api(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).standard_normal((3, 40, 40)).astype(np.float32)
    fits.writeto(tmp_path / "cube.fits", pixels)
    paths = ("/api?FIF=cube.fits&JTL=0,0", "/cubes/cube.fits/tiles/0/0/0.jpg")
    with serving(tmp_path) as one, serving(tmp_path) as other:
        first = {path: one.ok(path).body for path in paths}
        second = {path: other.ok(path).body for path in reversed(paths)}
    assert first == second
    assert len(set(first.values())) == 2
