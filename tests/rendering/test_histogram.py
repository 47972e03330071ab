"""Histograms: quantiles to the width of a bin, counts that are kept, and the narrowest range, against plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Cut, Histogram, equalisation, histogram_cut, sample_cut
from visiomatic_dask.rendering.cuts import NARROWEST

VALUES = hnp.arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e6, 1e6, width=32))
EDGES = np.concatenate([[-np.inf], np.linspace(-1000, 1000, 41), [np.inf]])


def counted(values: NDArray[np.float64]) -> Histogram:
    """Count in bins that do not suit the values."""
    counts = np.bincount(np.searchsorted(EDGES, values, side="right") - 1, minlength=len(EDGES) - 1)
    return Histogram.of_bins(EDGES, counts, float(values.min()), float(values.max()))


def width_at(histogram: Histogram, value: float) -> float:
    """Width of the widest of the bins that touch a value."""
    touching = (histogram.edges[:-1] <= value) & (histogram.edges[1:] >= value)
    return float(np.diff(histogram.edges)[touching].max(initial=0))


@given(VALUES, st.floats(0, 1))
def test_a_quantile_is_right_to_the_width_of_its_bin(values: NDArray[np.float64], share: float) -> None:
    histogram = counted(values)
    assert histogram.total == values.size
    (found,) = histogram.quantiles(np.array([share]))
    ordered = np.sort(values)
    # Any value between its neighbours in rank is as good: which of them is meant is a matter of convention.
    rank = share * values.size
    low = ordered[max(0, math.ceil(rank - 1e-9) - 1)]
    high = ordered[min(values.size - 1, math.floor(rank + 1e-9))]
    slack = max(width_at(histogram, low), width_at(histogram, high)) * (1 + 1e-9) + 1e-9
    assert low - slack <= found <= high + slack


@given(VALUES)
def test_minmax_is_exact(values: NDArray[np.float64]) -> None:
    cut = histogram_cut(counted(values), "minmax")
    assert cut == sample_cut(values, "minmax")


@given(VALUES, st.integers(1, 60), st.floats(-2e6, 2e6), st.floats(1, 1e6))
def test_other_bins_keep_the_counts(values: NDArray[np.float64], bins: int, low: float, width: float) -> None:
    histogram = counted(values)
    edges = np.linspace(low, low + width, bins + 1)
    counts = histogram.rebinned(edges)
    assert (counts >= -1e-9).all()
    below, above = histogram.beside(edges[0], edges[-1])
    assert counts.sum() + below + above == pytest.approx(values.size)
    truth = np.count_nonzero((values >= edges[0]) & (values <= edges[-1]))
    ends = [
        histogram.counts[(histogram.edges[:-1] <= one) & (histogram.edges[1:] >= one)].sum() for one in edges[[0, -1]]
    ]
    assert abs(counts.sum() - truth) <= sum(ends) + 1e-6


@given(VALUES)
def test_bins_of_equal_counts(values: NDArray[np.float64]) -> None:
    histogram = Histogram.of_values(values, 32)
    assert histogram.total == values.size
    expected, _ = np.histogram(values, histogram.edges) if values.min() < values.max() else ([values.size], None)
    np.testing.assert_array_equal(histogram.counts, expected)


@given(VALUES, st.floats(0.05, 0.95))
def test_the_narrowest_range(values: NDArray[np.float64], share: float) -> None:
    """No range that begins anywhere else, and holds as much, is narrower."""
    histogram = counted(values)
    low, high = histogram.narrowest(share)
    starts = np.linspace(0, 1 - share, 500)
    others = histogram.quantiles(starts + share) - histogram.quantiles(starts)
    assert high - low <= others.min() + 1e-6
    assert histogram.beside(low, high)[0] + histogram.beside(low, high)[1] <= (1 - share) * values.size + 1e-6


def test_the_cut_histogram_of_a_sample_is_the_narrowest() -> None:
    draw = np.random.default_rng(8)
    values = np.concatenate([draw.normal(100, 1, 10_000), draw.exponential(3000, 80)])
    cut = sample_cut(values, "histogram")
    held = math.ceil(NARROWEST * values.size)
    inside = np.count_nonzero((values >= cut.low - 1e-3) & (values <= cut.high + 1e-3))
    assert inside >= held
    ordered = np.sort(values)
    widths = [ordered[i + held - 1] - ordered[i] for i in range(values.size - held + 1)]
    assert cut.high - cut.low == pytest.approx(min(widths), abs=1e-4)
    assert cut.high < 110  # not up to the sources
    exact = histogram_cut(Histogram.of_values(values, 2000), "histogram")
    assert (exact.low, exact.high) == pytest.approx((cut.low, cut.high), abs=0.3)


@pytest.mark.parametrize("method", ["mad", "zscale", "99", "0.5-99", "histogram"])
def test_of_fine_bins_as_of_the_values(method: str) -> None:
    draw = np.random.default_rng(3)
    values = np.concatenate([draw.normal(10, 2, 50_000), draw.exponential(100, 2000) + 10])
    exact, sampled = (histogram_cut(Histogram.of_values(values, 20_000), method), sample_cut(values, method))
    assert exact.low == pytest.approx(sampled.low, abs=1.0)
    assert exact.high == pytest.approx(sampled.high, rel=0.15)


def test_asymmetric_percentages() -> None:
    values = np.arange(10_001, dtype=np.float64)
    cut = sample_cut(values, "1-99.5")
    assert (cut.low, cut.high) == (100, 9950)
    cut = histogram_cut(Histogram.of_values(values, 100), "0-50")
    assert (cut.low, cut.high) == pytest.approx((0, 5000), abs=1)
    assert sample_cut(values, "2.5-97.5") == sample_cut(values, "95")


@pytest.mark.parametrize(
    "method", ["", "5-5", "99-1", "-1-50", "1-101", "1e1-50", "1-2-3", "nan", "histograms", "9" * 99]
)
def test_no_such_method(method: str) -> None:
    for call in (
        lambda: sample_cut(np.ones(3), method),
        lambda: histogram_cut(Histogram.of_values(np.ones(3), 4), method),
    ):
        with pytest.raises(InvalidRequest, match="allowed: mad, minmax, zscale, histogram") as caught:
            call()
        assert caught.value.parameter == "method"


def test_without_values_or_with_one() -> None:
    nothing = Histogram.of_values(np.full(3, np.nan), 10)
    assert nothing.total == 0
    assert np.isnan(nothing.quantiles(np.array([0.5]))).all()
    assert histogram_cut(nothing, "99") == histogram_cut(nothing, "histogram") == Cut(0, 1)
    assert nothing.rebinned(np.arange(4.0)).tolist() == [0, 0, 0]
    one = Histogram.of_values(np.full(7, 2.5), 10)
    assert one.rebinned(np.array([0.0, 2, 3])).tolist() == [0, 7]
    assert one.beside(3, 4) == (7, 0)
    for method in ("mad", "zscale", "50", "histogram", "minmax"):
        assert histogram_cut(one, method) == Cut(2.5, 3.5)


@given(
    hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(-3, 5, width=32)),
    st.sampled_from([Cut(-1, 2), Cut(2, -1), Cut(100, 101), Cut(0, 1e-30)]),
)
def test_knots_of_an_equalising_stretch(sample: NDArray[np.float32], cut: Cut) -> None:
    knots = equalisation(sample, cut)
    assert len(knots) == 65
    assert (knots[0], knots[-1]) == (0, 1)
    assert min(np.diff(knots)) > 0.9e-6
    assert all(float(f"{knot:.6f}") == knot for knot in knots)
    assert knots == equalisation(sample[::-1].copy(), cut)


def test_equalised_levels_are_equally_frequent() -> None:
    draw = np.random.default_rng(6)
    sample, cut = draw.exponential(3, 200_000), Cut(0, 20)
    knots = equalisation(sample, cut)
    inside = sample[sample <= 20]
    levels = np.interp(inside / 20, knots, np.linspace(0, 1, 65))
    counts, _ = np.histogram(levels, 32, (0, 1))
    assert counts.min() > 0.97 * inside.size / 32
    assert counts.max() < 1.03 * inside.size / 32
