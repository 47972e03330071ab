"""Ticks: round numbers between any two values, few enough, evenly spaced, and written as what they are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from visiomatic_dask.rendering.legend.png import as_ascii
from visiomatic_dask.rendering.legend.ticks import round_ticks

VALUES = st.floats(-1e30, 1e30, allow_subnormal=False)


def meant(label: str, factor: str) -> float:
    """What a label says."""
    ascii_factor = as_ascii(factor)
    power = re.fullmatch(r"x10\^(-?\d+)", ascii_factor)
    assert (power is not None) == bool(factor)
    return float(as_ascii(label)) * 10.0 ** (int(power[1]) if power else 0)


@given(VALUES, VALUES, st.integers(2, 12))
def test_any_two_values(low: float, high: float, most: int) -> None:
    span = abs(high - low)
    assume(span > 1e-6 * max(abs(low), abs(high)))
    assume(span > 1e-30)
    ticks = round_ticks(low, high, most)
    assert 1 <= len(ticks.values) <= most
    assert min(low, high) <= ticks.values[0]
    assert ticks.values[-1] <= max(low, high)
    steps = np.diff(ticks.values)
    if steps.size:
        np.testing.assert_allclose(steps, steps[0], rtol=1e-3, atol=span * 1e-9)
        # a step down there would have been too many, or there is no smaller one
        assert len(ticks.values) * 2.6 + 3 >= most
    for value, label in zip(ticks.values, ticks.labels, strict=True):
        assert meant(label, ticks.factor) == pytest.approx(value, abs=1e-3 * span + 1e-8 * abs(value))
    assert len(set(ticks.labels)) == len(ticks.labels)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_any_two_cuts_have_a_few_ticks(low: float, high: float) -> None:
    assume(low != high)
    for other in (high, np.nextafter(low, np.inf)):
        if np.isfinite(other):
            ticks = round_ticks(low, float(other), 6)
            assert 1 <= len(ticks.values) == len(ticks.labels) <= 6
            assert all(min(low, other) <= value <= max(low, other) for value in ticks.values)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 5e-324), (-1e308, 1.7e308), (7.0, 7.000000000000001), (1e15, 1e15 + 1), (-1e300, -1e300 * (1 - 1e-15))],
)
def test_values_beyond_round_numbers(low: float, high: float) -> None:
    ticks = round_ticks(low, high, 6)
    assert 2 <= len(ticks.values) <= 6
    assert len(set(ticks.labels)) == len(ticks.labels)


@pytest.mark.parametrize(
    ("low", "high", "most", "labels", "factor"),
    [
        (0, 10, 6, ["0", "2", "4", "6", "8", "10"], ""),
        (10, 0, 6, ["0", "2", "4", "6", "8", "10"], ""),
        (-3, 400, 5, ["0", "100", "200", "300", "400"], ""),
        (-0.002, 0.013, 7, ["0.0000", "0.0025", "0.0050", "0.0075", "0.0100", "0.0125"], ""),
        (1e-6, 3.3e-5, 4, ["1", "2", "3"], "×10⁻⁵"),
        (-2e7, 2e7, 3, ["−2", "0", "2"], "×10⁷"),
        (1000, 1001, 3, ["1000.0", "1000.5", "1001.0"], ""),
    ],
)
def test_as_people_write_them(low: float, high: float, most: int, labels: list[str], factor: str) -> None:
    ticks = round_ticks(low, high, most)
    assert (list(ticks.labels), ticks.factor) == (labels, factor)


def test_what_the_typeface_lacks_is_spelt_out() -> None:
    assert as_ascii("×10⁻⁵ µJy·Å⁻¹") == "x10^-5 uJy·Angstrom^-1"
    assert as_ascii("Éta 5°\x00\n") == "Eta 5°"
    assert as_ascii("10² 銀") == "10^2 ?"
