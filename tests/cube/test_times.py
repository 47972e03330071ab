"""Time axes: what their zero is, and the dates of their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.cube import Axis
from visiomatic_dask.cube.times import date_text, dates, time_reference


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


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "days since 1970-01-01", "1970-01-01"),
        (43484.0, "days since 1900-01-01", "2019-01-21"),
        (1.5, "days since 2000-1-1", "2000-01-02T12:00:00"),
        (36, "hours since 2000-01-01 00:00:0.0", "2000-01-02T12:00:00"),
        (-1, "h since 2000-01-01T00:00:00Z", "1999-12-31T23:00:00"),
        (-1, "hr since 2000-01-01T00:00:00Z", "1999-12-31T23:00:00"),
        (90, "minutes since 2020-02-28 23:00:00 UTC", "2020-02-29T00:30:00"),
        (0.0625, "seconds since 2020-02-28 12:00:00 +00:00", "2020-02-28T12:00:00.062"),
        (1, "days since 2024-11-27 07:07:56.220403", "2024-11-28T07:07:56.220"),
        (86_400_000, "milliseconds since 2020-02-28", "2020-02-29"),
        (1, "days since 2000-01-01 (360_day)", None),
        (1, "months since 2000-01-01", None),
        (1, "days since 0001-01-01", None),
        (-1_000_000, "days since 2000-01-01", None),
        (1, "days since 2000-13-01", None),
        (1, "days since 2000-01-01 00:00:00 +05:00", None),
        (1e300, "days since 2000-01-01", None),
        (float("nan"), "days since 2000-01-01", None),
        (1, "s", None),
    ],
)
def test_dates_by_the_cf_conventions(value: float, unit: str, text: str | None) -> None:
    assert date_text(value, unit) == text


def test_axis_of_time_is_labelled_by_dates() -> None:
    axis = Axis("time", "time", "", "days since 2000-01-01", 2, (0.0, 31.0))
    assert [axis.label(i) for i in (0, 1)] == ["2000-01-01", "2000-02-01"]
    other = Axis("time", "time", "", "s", 2, (0.0, 31.0))
    assert other.label(1) == "31 s"
