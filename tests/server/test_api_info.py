"""``/api``: what INFO and obj say of a cube, and what is said of cubes that are not there."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from ..service import Service
from .conftest import Sky


def test_info_has_every_field_of_the_protocol(service: Service) -> None:
    info = service.ok("/api?FIF=sky.fits&INFO").json
    assert info["type"] == "visiomatic"
    assert info["full_size"] == [1025, 1030]
    assert info["tile_size"] == [256, 256]
    assert info["tile_levels"] == 4
    assert info["channels"] == 3
    assert info["bits_per_channel"] == 32
    assert (info["image_name"], info["object_name"]) == ("sky.fits", "Test nebula")
    assert (info["brightness"], info["contrast"]) == (0, 1)
    assert info["color_saturation"] >= 1
    assert (info["gamma"], info["quality"]) == (2.2, 90)
    assert info["version"]
    assert {key: info["header"][key] for key in ("CTYPE1", "CRVAL2", "CRPIX1", "NAXIS3", "BUNIT")} == {
        "CTYPE1": "RA---TAN",
        "CRVAL2": -5.4,
        "CRPIX1": 513.0,
        "NAXIS3": 3,
        "BUNIT": "Jy/beam",
    }
    (image,) = info["images"]
    assert image["size"] == [1025, 1030]
    assert image["dataslice"] == image["detslice"] == [[1, 1025, 1], [1, 1030, 1]]
    assert [len(image[key]) for key in ("background_level", "background_mad", "min_max")] == [3, 3, 3]
    assert image["header"]["CTYPE1"] == "RA---TAN"


def test_cuts_follow_the_background_of_each_channel(service: Service, cubes: Sky) -> None:
    image = service.ok("/api?FIF=sky.fits&INFO").json["images"][0]
    for channel in range(3):
        plane = cubes.sky[channel][np.isfinite(cubes.sky[channel])]
        low, high = image["min_max"][channel]
        level, mad = image["background_level"][channel], image["background_mad"][channel]
        assert abs(level - np.median(plane)) < 2
        assert 0.5 < mad / np.median(np.abs(plane - np.median(plane))) < 1.5
        assert low == pytest.approx(max(level - 2 * mad, plane.min()), abs=1e-4)
        assert high == pytest.approx(plane.max(), abs=1)


def test_cd_matrix_of_cdelt_and_pc(service: Service) -> None:
    header = service.ok("/api?FIF=sky.fits&INFO").json["header"]
    expected = {"CD1_1": -1.6e-4, "CD1_2": 1.2e-4, "CD2_1": 1.2e-4, "CD2_2": 1.6e-4}
    assert {key: header[key] for key in expected} == pytest.approx(expected)
    assert not {"PC1_1", "PC2_2", "CDELT1", "CDELT2"} & header.keys()


def test_cd_matrix_of_cdelt_and_crota2(service: Service) -> None:
    header = service.ok("/api?FIF=small.fits&INFO").json["header"]
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    expected = {"CD1_1": -1e-3 * c, "CD1_2": -2e-3 * s, "CD2_1": -1e-3 * s, "CD2_2": 2e-3 * c}
    assert {key: header[key] for key in expected} == pytest.approx(expected)
    assert "CROTA2" not in header


def test_a_single_channel_is_labelled_by_filter(service: Service) -> None:
    info = service.ok("/api?FIF=small.fits&INFO").json
    assert info["channels"] == 1
    assert info["images"][0]["header"]["FILTER"] == "r.MP9601"
    assert service.ok("/api?FIF=layers.fits&INFO").json["images"][0]["header"]["FILTER"]


def test_four_axes_are_flattened(service: Service) -> None:
    info = service.ok("/api?FIF=sub/four.fits&INFO").json
    assert info["channels"] == 8
    assert info["bits_per_channel"] == 64
    assert info["tile_levels"] == 1


def test_no_nan_in_json(cubes: Sky, service: Service) -> None:
    nothing = np.full((2, 20, 30), np.nan, np.float32)
    fits.writeto(cubes.folder / "nothing.fits", nothing, overwrite=True)
    for path in ("/api?FIF=nothing.fits&INFO", "/cubes/nothing.fits", "/cubes/nothing.fits/cuts"):
        assert service.ok(path).json  # whoever parses it refuses NaN
    (low, high), _ = service.ok("/api?FIF=nothing.fits&INFO").json["images"][0]["min_max"]
    assert low < high
    assert service.ok("/api?FIF=nothing.fits&CHAN=1&JTL=0,0").headers["Content-Type"] == "image/jpeg"


def test_obj_is_the_text_of_the_old_protocol(service: Service, cubes: Sky) -> None:
    response = service.ok("/api?FIF=sky.fits&obj=IIP,1.0&obj=Max-size")
    assert response.headers["Content-Type"].startswith("text/plain")
    text = response.body.decode()
    assert text.startswith(
        "IIP:1.0\nMax-size:1025 1030\nTile-size:256 256\nResolution-number:4\nBits-per-channel:32\n"
        "Min-Max-sample-values:"
    )
    numbers = text.split("Min-Max-sample-values:")[1].splitlines()[0].split()
    assert len([float(one) for one in numbers]) == 6
    subject, _, header = text.split("subject/")[1].partition(":")
    assert int(subject) == len(header)
    assert fits.Header.fromstring(header)["OBJECT"] == "Test nebula"


def test_without_fif_a_banner(service: Service) -> None:
    for path in ("/api", "/api?INFO"):
        response = service.ok(path)
        assert response.headers["Content-Type"].startswith("text/html")
        assert b"FIF" in response.body


def test_nothing_asked_for(service: Service) -> None:
    response = service.get("/api?FIF=sky.fits")
    assert response.status == 400
    assert "JTL" in response.message


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.fits", "missing.fits"),
        ("sub", "sub"),
        ("notes.txt", "no known format"),
        ("empty.fits", "empty"),
        ("truncated.fits", "truncated"),
        ("garbled.fits", "garbled.fits"),
        ("packed.fits.xz", "compressed with xz"),
    ],
)
@pytest.mark.parametrize(
    "path", ["/api?FIF={}&INFO", "/api?FIF={}&CHAN=1&JTL=0,0", "/cubes/{}", "/cubes/{}/values?x=1&y=1"]
)
def test_cubes_that_cannot_be_opened(service: Service, cubes: Sky, path: str, name: str, why: str) -> None:
    response = service.get(path.format(name))
    assert response.status == 404
    assert why in response.message
    assert str(cubes.folder) not in response.message
    assert cubes.folder.name not in response.message


def test_pages_of_tiles_are_not_kept_blindly(service: Service) -> None:
    path = "/api?FIF=sky.fits&CHAN=1&JTL=0,0"
    first = service.ok(path)
    assert first.headers["Cache-Control"] == "no-cache"
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    again = service.get(path, {"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")
    assert service.get(path.replace("CHAN=1", "CHAN=2"), {"If-None-Match": etag}).status == 200
