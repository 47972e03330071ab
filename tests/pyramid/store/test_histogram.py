"""Histograms: bins without gaps, and quantiles within the width of one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from visiomatic_dask.pyramid.store.histogram import BINS, TABLES, bin_edges, count_row, numbers, quantile
from visiomatic_dask.pyramid.store.statistics import Bins

CENTERS = st.sampled_from([0.0, 3.0, -1e4, 1e-20])
SCALES = st.sampled_from([1.0, 0.3, 1e-9, 1e7])


def histogram(values: NDArray[np.float32], bins: Bins) -> NDArray[np.int64]:
    tables = np.zeros((TABLES, BINS + 1), np.uint32)
    room = np.empty(values.size, np.float32), np.empty(values.size, np.int32)
    count_row(values, *numbers(bins), *room, tables)
    assert tables.sum() == values.size
    assert tables[:, BINS].sum() == np.sum(~np.isfinite(values))
    return tables[:, :BINS].sum(axis=0, dtype=np.int64)


def test_edges_are_as_described() -> None:
    """Eight bins an octave between 2**-6 and 2**24 of the scale, on both sides, one between them, and open ends."""
    edges = bin_edges(Bins(10.0, 2.0))
    assert len(edges) == BINS + 1
    assert np.all(np.diff(edges) > 0)
    np.testing.assert_array_equal(edges[1:-1] - 10, -(edges[1:-1] - 10)[::-1])
    assert list(edges[[0, 1, -2, -1]]) == [-math.inf, 10 - 2 * 2.0**24, 10 + 2 * 2.0**24, math.inf]
    middle = edges[BINS // 2 : BINS // 2 + 2]
    assert list(middle) == [10 - 2 / 64, 10 + 2 / 64]
    assert edges[BINS // 2 + 9] == 10 + 2 / 32
    assert edges[BINS // 2 + 2] == 10 + 2 / 64 * 9 / 8


@given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(width=32)), CENTERS, SCALES)
def test_every_value_is_counted_in_its_bin(values: NDArray[np.float32], center: float, scale: float) -> None:
    """Any float32: what is not finite in none, all others in one."""
    bins = Bins(center, scale)
    edges = bin_edges(bins)
    for value in values:
        counts = histogram(np.array([value]), bins)
        if not np.isfinite(value):
            assert counts.sum() == 0
            continue
        (place,) = np.flatnonzero(counts)
        slack = 3e-7 * max(abs(float(value)), abs(center))
        assert edges[place] - slack <= float(value) <= edges[place + 1] + slack


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e-300, 1e300, math.inf])
def test_no_scale_breaks_it(scale: float) -> None:
    bins = Bins(0.0, scale)
    assert histogram(np.array([-3e38, -1, 0, 1e-45, 3e38], np.float32), bins).sum() == 5
    assert np.all(np.diff(bin_edges(bins)) > 0)


@pytest.mark.parametrize("q", [0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.9999, 1])
@pytest.mark.parametrize("kind", ["noise", "stars", "far", "constant", "two"])
def test_quantiles_are_right_within_a_bin(kind: str, q: float) -> None:
    random = np.random.default_rng(3)
    values = {
        "noise": random.normal(100, 3, 50_000),
        "stars": random.normal(100, 3, 50_000) + random.pareto(1, 50_000) ** 2,
        "far": random.uniform(-1e6, 3e6, 50_000),
        "constant": np.full(1000, 7.0),
        "two": np.repeat([-5.0, 900.0], 500),
    }[kind].astype(np.float32)
    bins = Bins(100.0, 3.0)
    found = quantile(histogram(values, bins).tolist(), bins, float(values.min()), float(values.max()), q)
    below, above = (float(np.quantile(values, q, method=m)) for m in ("lower", "higher"))
    edges = bin_edges(bins)
    lower = edges[np.searchsorted(edges, below, "right") - 1]
    upper = (
        edges[np.searchsorted(edges, above, "left")] if above > below else edges[np.searchsorted(edges, below, "right")]
    )
    assert max(lower, values.min()) <= found <= min(upper, values.max())


def test_quantiles_of_nothing() -> None:
    nothing = [0] * BINS
    assert math.isnan(quantile(nothing, Bins(), math.nan, math.nan, 0.5))
    # Rows that are counted may be blank where others are not.
    assert quantile(nothing, Bins(), 2.0, 4.0, 0.25) == 2.5


@pytest.mark.parametrize(
    ("values", "center", "scale"),
    [
        ([], 0, 1),
        ([math.nan, math.inf], 0, 1),
        ([5, 5, 5, math.nan], 5, 5),
        ([0, 0], 0, 1),
        ([2, 2, 2, 8], 2, np.std([2, 2, 2, 8])),
        ([1, 2, 3, 4, 5, 1e300], 3, 1.4826),
    ],
)
def test_bins_around_a_sample(values: list[float], center: float, scale: float) -> None:
    bins = Bins.around(np.array([values]))
    assert bins.center == center
    assert bins.scale == pytest.approx(scale)


def test_bins_around_noise() -> None:
    bins = Bins.around(np.random.default_rng(1).normal(100, 3, (50, 400)))
    assert bins.center == pytest.approx(100, abs=0.2)
    assert bins.scale == pytest.approx(3, rel=0.05)
