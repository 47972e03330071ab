"""``/api``: pixel values and profiles against astropy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.config import load_settings

from ..service import Service
from .conftest import Sky


def same(found: Any, expected: Any) -> bool:
    """Whether JSON numbers are the pixels; null stands for NaN."""
    values = np.array([np.nan if value is None else value for value in found], np.float64)
    return np.array_equal(values, np.asarray(expected, np.float64), equal_nan=True)


@pytest.mark.parametrize("name", ["sky.fits", "small.fits", "sub/four.fits"])
def test_values_equal_astropys(service: Service, cubes: Sky, name: str) -> None:
    data = fits.getdata(cubes.folder / name)
    planes = data.reshape(-1, *data.shape[-2:])
    count, height, width = planes.shape
    rng = np.random.default_rng(9)
    for _ in range(20):
        x, y, c = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(count))
        values = service.ok(f"/api?FIF={name}&VAL={x + 1},{y + 1}").json["values"]
        assert same(values, planes[:, y, x])
        values = service.ok(f"/api?FIF={name}&CHAN={c + 1}&CHAN=1&VAL={x + 1},{y + 1}").json["values"]
        assert same(values, planes[[c, 0], y, x])


@pytest.mark.parametrize("at", ["0,1", "1,0", "1026,1", "1,1031", "-5,-5", "999999999,1"])
def test_outside_is_null(service: Service, at: str) -> None:
    assert service.ok(f"/api?FIF=sky.fits&VAL={at}").json == {"values": [None, None, None]}
    assert service.ok(f"/api?FIF=sky.fits&CHAN=2&VAL={at}").json == {"values": [None]}


def test_corners_and_missing_pixels(service: Service, cubes: Sky) -> None:
    assert same(service.ok("/api?FIF=sky.fits&VAL=1025,1030").json["values"], cubes.sky[:, -1, -1])
    assert service.ok("/api?FIF=sky.fits&VAL=201,101").json["values"] == [None] * 3
    assert service.ok("/api?FIF=small.fits&VAL=31,11").json["values"] == [None]
    assert service.ok("/api?FIF=sky.fits&CHAN=4&VAL=1,1").json["values"] == [None]


@pytest.mark.parametrize("at", ["", "1", "1,2,3", "a,b", "1.5,2", "1e3,2", "1234567890,1"])
def test_value_nowhere(service: Service, at: str) -> None:
    response = service.get(f"/api?FIF=sky.fits&VAL={at}")
    assert response.status == 400
    assert response.parameter == "VAL"


def test_profile_along_a_line(service: Service, cubes: Sky) -> None:
    points = service.ok("/api?FIF=sky.fits&CHAN=3&CHAN=1&PFL=11,21:110,71").json["profile"]
    assert len(points) == 100
    assert (points[0]["x"], points[0]["y"]) == (10, 20)  # 0-based, as VisiOmatic answers
    assert (points[-1]["x"], points[-1]["y"]) == (109, 70)
    for point in points:
        assert same(point["values"], cubes.sky[[2, 0], point["y"], point["x"]])
    steps = np.diff([(point["x"], point["y"]) for point in points], axis=0)
    assert (steps[:, 0] == 1).all()
    assert set(steps[:, 1]) == {0, 1}


def test_profile_of_all_channels_partly_outside(service: Service, cubes: Sky) -> None:
    points = service.ok("/api?FIF=sky.fits&PFL=1030,5:1020,5").json["profile"]
    assert [point["x"] for point in points] == list(range(1029, 1018, -1))
    for point in points:
        inside = point["x"] < 1025
        assert same(point["values"], cubes.sky[:, 4, point["x"]] if inside else [np.nan] * 3)


def test_profile_of_a_point(service: Service, cubes: Sky) -> None:
    (point,) = service.ok("/api?FIF=small.fits&PFL=7,9:7,9").json["profile"]
    assert same(point["values"], [cubes.small[8, 6]])


def test_profile_too_long(service: Service) -> None:
    response = service.get("/api?FIF=sky.fits&PFL=1,1:9000000,1")
    assert response.status == 413
    assert f"{load_settings().measure_limit:,}" in response.message


@pytest.mark.parametrize("line", ["", "1,1", "1,1:2", "1,1:2,x", "1:1,2:2"])
def test_profile_of_nothing(service: Service, line: str) -> None:
    response = service.get(f"/api?FIF=sky.fits&PFL={line}")
    assert response.status == 400
    assert response.parameter == "PFL"
