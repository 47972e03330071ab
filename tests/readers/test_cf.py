"""Packed and missing values by the CF conventions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from visiomatic_dask.readers.cf import cf_scaling, unit_of
from visiomatic_dask.readers.scaling import Scaling


@pytest.mark.parametrize(
    ("stored", "attributes", "expected"),
    [
        ("i2", {}, Scaling("<i2")),
        ("i2", {"scale_factor": 0.5, "add_offset": [10]}, Scaling("<i2", 0.5, 10.0)),
        ("i2", {"_FillValue": -1, "missing_value": np.array([-1])}, Scaling("<i2", blank=-1)),
        ("f4", {"_FillValue": float("nan"), "missing_value": 1e20}, Scaling("<f4", blank=float(np.float32(1e20)))),
        ("f8", {"_FillValue": "AAAAAAA4j8A="}, Scaling("<f8", blank=-999.0)),
        ("f4", {"_FillValue": "NaN"}, Scaling("<f4")),
        ("i1", {"_Unsigned": "true", "_FillValue": -1}, Scaling("|u1", blank=255)),
        ("bool", {"scale_factor": 2, "_FillValue": True}, Scaling("|b1")),
    ],
)
def test_scaling(stored: str, attributes: dict[str, Any], expected: Scaling) -> None:
    assert cf_scaling(np.dtype(stored), attributes) == (expected, [])


@pytest.mark.parametrize(
    ("attributes", "warning"),
    [
        ({"scale_factor": "two"}, "scale_factor = 'two' is ignored: it is not a number"),
        ({"scale_factor": [1, 2]}, "scale_factor = [1, 2] is ignored: it is not a number"),
        ({"add_offset": float("inf")}, "add_offset = inf is ignored: it is not a number"),
        ({"_FillValue": "none"}, "_FillValue = 'none' is ignored: int32 has no such value"),
        ({"_FillValue": 0.5}, "_FillValue = 0.5 is ignored: int32 has no such value"),
        ({"missing_value": 2**40}, "missing_value = 1099511627776 is ignored: int32 has no such value"),
    ],
)
def test_what_cannot_be_done(attributes: dict[str, Any], warning: str) -> None:
    scaling, warnings = cf_scaling(np.dtype("i4"), attributes)
    assert warnings == [warning]
    assert (scaling.scale, scaling.zero) == (1, 0)


def test_unsigned_values() -> None:
    scaling, _ = cf_scaling(np.dtype("i1"), {"_Unsigned": "true", "_FillValue": -1, "scale_factor": 2.0})
    stored = np.array([0, 127, -128, -1], np.int8).view(scaling.stored)
    np.testing.assert_array_equal(scaling.physical(stored), [0, 254, 256, np.nan])


def test_all_missing_values_are_masked() -> None:
    scaling, warnings = cf_scaling(np.dtype("i4"), {"_FillValue": 1, "missing_value": [1, 2, 3]})
    assert warnings == []
    np.testing.assert_array_equal(scaling.physical(np.arange(5, dtype=np.int32)), [0, np.nan, np.nan, np.nan, 4])


def test_what_a_format_writes_by_default_is_missing_in_floats_alone() -> None:
    for dtype, blank in (("f4", 9.0), ("i4", None)):
        assert cf_scaling(np.dtype(dtype), {}, default_fill=9.0)[0].blank == blank
    assert cf_scaling(np.dtype("f4"), {"_FillValue": 1.0}, default_fill=9.0)[0].missing == ()


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"units": " K "}, "K"),
        ({"units": "days since 2000-01-01", "calendar": "standard"}, "days since 2000-01-01"),
        ({"units": "days since 2000-01-01", "calendar": "noleap"}, "days since 2000-01-01 (noleap)"),
        ({}, ""),
    ],
)
def test_units_of_other_calendars_say_so(attributes: dict[str, Any], unit: str) -> None:
    assert unit_of(attributes) == unit
