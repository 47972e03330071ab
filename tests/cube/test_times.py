"""Time axes: what their zero is, and the dates of their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.cube import Axis
from visiomatic_dask.cube.times import dates, time_reference


@pytest.mark.parametrize(
    ("header", "ctype", "expected"),
    [
        ({"MJDREF": 51544.0, "TIMESYS": "TT"}, "TIME", "2000-01-01T00:00:00.000 tt"),
        ({"MJDREFI": 51544, "MJDREFF": 0.5}, "TIME", "2000-01-01T12:00:00.000 utc"),
        ({"JDREF": 2451545.0}, "TIME", "2000-01-01T12:00:00.000 utc"),
        ({"DATEREF": "2019-03-01T06:30:00", "TIMESYS": "TDB"}, "TIME", "2019-03-01T06:30:00.000 tdb"),
        ({"MJDREF": 0.0}, "TAI", "1858-11-17T00:00:00.000 tai"),
        ({}, "MJD", "1858-11-17T00:00:00.000 utc"),
        ({}, "TIME", ""),
        ({"DATEREF": "yesterday"}, "TIME", ""),
        ({"MJDREF": True}, "TIME", ""),
    ],
)
def test_references(header: dict[str, Any], ctype: str, expected: str) -> None:
    assert time_reference(header, ctype) == expected


@given(st.lists(st.floats(0, 30000), min_size=1, max_size=5))
def test_dates_equal_astropys(days: list[float]) -> None:
    reference = time_reference({"MJDREF": 41317.0, "TIMESYS": "TAI"}, "TIME")
    found = dates(days, "d", reference)
    assert found is not None
    expected = Time(41317.0, np.array(days), format="mjd", scale="tai")
    np.testing.assert_allclose(Time(found, scale="tai").mjd, expected.mjd, atol=2e-8)


def test_leap_seconds_count() -> None:
    assert dates([0.0, 86400.0, 86401.0], "s", "2016-12-31T00:00:00.000 utc") == [
        "2016-12-31T00:00:00.000",
        "2016-12-31T23:59:60.000",
        "2017-01-01T00:00:00.000",
    ]


def test_labels_are_dates() -> None:
    axis = Axis("time", "time", "", "d", 2, (0.0, 1.5), "2000-01-01T00:00:00.000 utc")
    assert [axis.label(0), axis.label(1)] == ["2000-01-01T00:00:00.000", "2000-01-02T12:00:00.000"]
    unknown = Axis("time", "time", "TIME", "furlongs", 1, (3.0,), "2000-01-01T00:00:00.000 utc")
    assert unknown.label(0) == "3 furlongs"
    assert Axis("time", "time", "TIME", "s", 1, None, "2000-01-01T00:00:00.000 utc").label(0) == "time 1"
