"""Curves as astropy draws them, one text each, and whatever is not one refused."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.visualization import AsinhStretch, HistEqStretch, LogStretch, PowerStretch, SqrtStretch, SquaredStretch
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Look, stretch_values
from visiomatic_dask.rendering.stretches import (
    MOST_KNOTS,
    canonical_stretch,
    check_stretch,
    curve_of,
    histogram_stretch,
)

V = np.linspace(0, 1, 1001)
KNOTS = st.lists(st.floats(0, 1), min_size=2, max_size=70).map(sorted).filter(lambda one: one[0] < one[-1])
TEXTS = st.one_of(
    st.sampled_from(["linear", "sqrt", "square", "log", "asinh", "log:0.01", "log:1e9", "power:0.4", "power:10"]),
    st.floats(0.01, 1e9).map("log:{}".format),
    st.floats(0.01, 1e9).map("asinh:{}".format),
    st.floats(0.4, 10).map("power:{}".format),
    KNOTS.map(lambda knots: f"histogram:{','.join(map(repr, knots))}"),
)


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("sqrt", SqrtStretch()),
        ("square", SquaredStretch()),
        ("log", LogStretch(1000)),
        ("log:3.5", LogStretch(3.5)),
        ("asinh", AsinhStretch(0.1)),
        ("asinh:250", AsinhStretch(1 / 250)),
        ("power:2.5", PowerStretch(2.5)),
        ("power:0.4", PowerStretch(0.4)),
    ],
)
def test_astropys_formulas(text: str, theirs: SqrtStretch) -> None:
    np.testing.assert_allclose(stretch_values(text, V), theirs(V), rtol=1e-12, atol=1e-15)


def test_histogram_is_astropys_with_the_same_knots() -> None:
    """Its curve rises evenly from each value of the sample to the next."""
    sample = np.sort(np.random.default_rng(3).beta(0.5, 4, 40))
    knots = (sample - sample[0]) / (sample[-1] - sample[0])
    ours = stretch_values(f"histogram:{','.join(map(repr, knots.tolist()))}", V)
    np.testing.assert_allclose(ours, HistEqStretch(sample)(V), atol=1e-9)


@given(TEXTS)
def test_rises_from_0_to_1_and_its_inverse_undoes_it(text: str) -> None:
    curve = curve_of(canonical_stretch(text))
    y = curve(V)
    assert y[0] == 0
    assert y[-1] == pytest.approx(1)
    assert (np.diff(y) >= 0).all()
    steps = np.linspace(0, 1, 65)
    v = curve.inverse(steps)
    assert (np.diff(v) >= 0).all()
    # Where a histogram jumps the inverse stays.
    assert (curve(np.nextafter(v, -1)) <= steps + 1e-9).all()
    assert (curve(v + 1e-12)[1:] >= steps[1:] - 1e-5).all()
    np.testing.assert_array_equal(curve([-1, np.nan, np.inf])[[0, 2]], [0, y[-1]])
    assert np.isnan(curve(np.nan))


@given(TEXTS)
def test_one_text_each(text: str) -> None:
    canonical = canonical_stretch(text)
    assert check_stretch(canonical) == canonical
    assert Look(stretch=canonical).stretch == canonical


def test_defaults_and_spellings() -> None:
    assert canonical_stretch("log") == canonical_stretch("log:1e3") == canonical_stretch("log:+1000.") == "log:1000.0"
    assert canonical_stretch("asinh") == "asinh:10.0"
    with pytest.raises(InvalidRequest, match=r"allowed: log:1000\.0"):
        check_stretch("log")


@pytest.mark.parametrize(
    "text",
    [
        *("", "Log", "cubic", "sqrt:2", "linear:", "power", "power:", "power:nan", "power:0.39", "power:10.1"),
        *("log:0", "log:-1", "log:1e10", "log:0x1", "log:١", "asinh:inf", "asinh:1:2", "asinh: 1", f"log:1{'0' * 40}"),
        *("histogram", "histogram:", "histogram:0.5", "histogram:0.5,0.5", "histogram:0.7,0.5", "histogram:0,1.1"),
        *("histogram:-0.1,1", "histogram:0,nan,1"),
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"stretch is .*; allowed: ") as caught:
        canonical_stretch(text)
    assert caught.value.parameter == "stretch"
    with pytest.raises(InvalidRequest):
        Look(stretch=text)


def test_too_many_knots_and_too_long_a_text() -> None:
    many = ",".join(map(repr, np.linspace(0, 1, MOST_KNOTS + 1).tolist()))
    with pytest.raises(InvalidRequest, match="histogram of 257 knots"):
        canonical_stretch(f"histogram:{many}")
    with pytest.raises(InvalidRequest) as caught:
        canonical_stretch("histogram:" + "0," * 100_000)
    assert len(str(caught.value)) < 400


@given(KNOTS)
def test_what_is_sent_of_a_histogram_is_short_and_near(knots: list[float]) -> None:
    if float(f"{knots[0]:.6g}") == float(f"{knots[-1]:.6g}"):
        with pytest.raises(InvalidRequest, match="the first below the last"):
            histogram_stretch(knots)
        return
    text = histogram_stretch(knots)
    assert len(text) < 1024
    sent = curve_of(text).inverse(np.linspace(0, 1, 65))
    given_ = np.interp(np.linspace(0, 1, 65), np.linspace(0, 1, len(knots)), knots)
    if len(knots) in (2, 3, 5, 9, 17, 33, 65) or len(knots) > 65:
        np.testing.assert_allclose(sent, given_, rtol=1e-5, atol=1e-12)
