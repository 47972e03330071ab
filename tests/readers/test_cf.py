"""Packed and missing values by the CF conventions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from visiomatic_dask.readers.cf import cf_scaling
from visiomatic_dask.readers.scaling import Scaling


@pytest.mark.parametrize(
    ("stored", "attributes", "expected"),
    [
        ("i2", {}, Scaling("<i2")),
        ("i2", {"scale_factor": 0.5, "add_offset": [10]}, Scaling("<i2", 0.5, 10.0)),
        ("i2", {"_FillValue": -1, "missing_value": np.array([-1])}, Scaling("<i2", blank=-1)),
        ("f4", {"_FillValue": float("nan"), "missing_value": 1e20}, Scaling("<f4", blank=1e20)),
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
        ({"scale_factor": "two"}, "scale_factor is 'two', which is no number: it is not applied"),
        ({"add_offset": float("inf")}, "add_offset is inf, which is no number: it is not applied"),
        ({"_FillValue": "none"}, "_FillValue is 'none', which is no number: nothing is masked for it"),
        ({"_FillValue": 1, "missing_value": [1, 2, 3]}, "of its missing values 1 is masked, 2, 3 not"),
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
