"""Dates of time axes, written as people do."""

from __future__ import annotations

import pytest

from visiomatic_dask.cube import Axis
from visiomatic_dask.cube.dates import date_text


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
def test_date(value: float, unit: str, text: str | None) -> None:
    assert date_text(value, unit) == text


def test_axis_of_time_is_labelled_by_dates() -> None:
    axis = Axis("time", "time", "", "days since 2000-01-01", 2, (0.0, 31.0))
    assert [axis.label(i) for i in (0, 1)] == ["2000-01-01", "2000-02-01"]
    other = Axis("time", "time", "", "s", 2, (0.0, 31.0))
    assert other.label(1) == "31 s"
