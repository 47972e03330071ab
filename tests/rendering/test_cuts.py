"""Cuts: by published formulas, from samples of any kind, and always two finite numbers that differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.visualization import ZScaleInterval
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from visiomatic_dask.cube import PlaneStatistics
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import (
    Background,
    Cut,
    background,
    interpolate_backgrounds,
    known_backgrounds,
    known_range_cut,
    sample_cut,
)

METHODS = ["mad", "minmax", "zscale", "histogram", "99.5", "90", "100", "1-99.5"]
SAMPLES = hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(width=32), fill=st.floats(-1, 1, width=32))


def sky(seed: int = 1, size: int = 40_000) -> NDArray[np.float32]:
    """A background of 100 ± 5 with sources, NaN and infinities."""
    random = np.random.default_rng(seed)
    sample = random.normal(100, 5, size)
    sample[: size // 50] += random.exponential(2000, size // 50)
    sample[size // 50 : size // 40] = np.nan
    sample[-3:] = [np.inf, -np.inf, np.nan]
    return random.permutation(sample).astype(np.float32).reshape(200, -1)


@pytest.mark.filterwarnings("ignore:.*poorly conditioned.*")  # numpy, within astropy's zscale, of few distinct values
@given(SAMPLES, st.sampled_from(METHODS))
def test_any_sample_has_a_finite_cut(sample: NDArray[np.float32], method: str) -> None:
    """Constant, empty, without a finite value, up to the largest float32: low is below high in float32 as well."""
    cut = sample_cut(sample, method)
    assert math.isfinite(cut.low)
    assert math.isfinite(cut.high)
    assert np.float32(cut.low) < np.float32(cut.high)


def test_minmax() -> None:
    finite = sky()[np.isfinite(sky())]
    assert sample_cut(sky(), "minmax") == Cut(float(finite.min()), float(finite.max()))


@pytest.mark.parametrize("share", ["99.5", "90", "100", "0.5"])
def test_percentage_is_the_central_share(share: str) -> None:
    finite = np.sort(sky()[np.isfinite(sky())].astype(np.float64))
    cut = sample_cut(sky(), share)
    inside = np.count_nonzero((finite >= np.float32(cut.low)) & (finite <= np.float32(cut.high))) / finite.size
    assert inside == pytest.approx(float(share) / 100, abs=2e-3)
    below, above = np.count_nonzero(finite < cut.low), np.count_nonzero(finite > cut.high)
    assert abs(below - above) <= 0.002 * finite.size


def test_zscale_is_astropys() -> None:
    finite = sky()[np.isfinite(sky())].astype(np.float64)
    low, high = ZScaleInterval().get_limits(finite)
    assert sample_cut(sky(), "zscale") == Cut(float(np.float32(low)), float(np.float32(high)))


@pytest.mark.parametrize("method", ["", "max", "0", "100.1", "-5", "nan", "inf", "MAD", "1_0", "5e1", " 50", "५०"])
def test_unknown_method(method: str) -> None:
    for sample in (sky(), np.empty(0, np.float32)):
        with pytest.raises(
            InvalidRequest, match="allowed: mad, minmax, zscale, histogram, a percentage above 0"
        ) as caught:
            sample_cut(sample, method)
        assert caught.value.parameter == "method"


def test_background_by_the_formula() -> None:
    sample = sky(size=4000)
    values = sample[np.isfinite(sample)].astype(np.float64)
    median = np.median(values)
    kept = values[np.abs(values - median) <= 3 * np.median(np.abs(values - median))]
    found = background(sample)
    assert found.level == pytest.approx(2.5 * np.median(kept) - 1.5 * kept.mean())
    assert found.mad == pytest.approx(np.median(np.abs(kept - np.median(kept))))
    assert (found.low, found.high) == (values.min(), values.max())
    cut = found.cut
    assert cut.low == pytest.approx(found.level - 2 * found.mad, rel=1e-6)
    assert cut.high == pytest.approx(found.level + 400 * found.mad, rel=1e-6)
    assert sample_cut(sample, "mad") == cut


def test_background_of_a_sky_is_found_through_its_sources() -> None:
    found = background(sky(size=400_000))
    assert found.level == pytest.approx(100, abs=0.5)
    assert found.mad == pytest.approx(0.6745 * 5, rel=0.15)


def test_cut_ends_where_the_sample_does() -> None:
    sample = np.linspace(10, 20, 1001).astype(np.float32)
    assert background(sample).cut == Cut(10.0, 20.0)


def test_background_of_a_mask() -> None:
    """More than half of the values alike: a tenth of the standard deviation stands in for the MAD."""
    sample = np.zeros(1000, np.float32)
    sample[:100] = 50
    found = background(sample)
    assert (found.level, found.low, found.high) == (0, 0, 50)
    assert found.mad == pytest.approx(0.1 * sample.std())
    assert found.cut == Cut(0.0, 50.0)


def test_background_without_a_finite_value() -> None:
    for sample in (np.empty(0, np.float32), np.full(9, np.nan, np.float32), np.full(9, np.inf, np.float32)):
        assert background(sample) == Background(0.0, 0.0, 0.0, 0.0)
    assert Background(0.0, 0.0, 0.0, 0.0).cut == Cut(0.0, 1.0)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e10, -1e30, float(np.finfo(np.float32).max)])
@pytest.mark.parametrize("method", METHODS)
def test_constant_sample_is_black_with_white_above(method: str, value: float) -> None:
    sample = np.full(100, value, np.float32)
    cut = sample_cut(sample, method)
    largest = float(np.finfo(np.float32).max)
    assert (cut.low if value < largest else cut.high) == float(np.float32(value))


def test_interpolated_backgrounds() -> None:
    found = {1: Background(10.0, 1.0, 0.0, 100.0), 4: Background(40.0, 4.0, -3.0, 400.0)}
    filled = interpolate_backgrounds(found, 6)
    assert [one.level for one in filled] == pytest.approx([10, 10, 20, 30, 40, 40])
    assert [one.mad for one in filled] == pytest.approx([1, 1, 2, 3, 4, 4])
    assert [one.low for one in filled] == pytest.approx([0, 0, -1, -2, -3, -3])
    assert [one.high for one in filled] == pytest.approx([100, 100, 200, 300, 400, 400])
    assert filled[1] == found[1]
    assert filled[4] == found[4]


def test_what_a_source_knows_of_its_planes_counts_more_than_a_sample() -> None:
    nan = float("nan")
    known = PlaneStatistics((-7.0, nan, 5.0), (1e4, nan, 5.0), (0.5, nan, 5.0))
    sampled = [Background(1.0, 0.25, 0.0, 50.0, 2.0)] * 3
    first, second, third = known_backgrounds(sampled, known)
    assert first == Background(1.0, 0.25, -7.0, 1e4, 0.5)
    assert first.cut == Cut(0.5, 101.0)
    assert second == sampled[1]
    assert (third.low, third.high, third.mean) == (5.0, 5.0, 5.0)
    assert known_range_cut(known, 0) == Cut(-7.0, 1e4)
    assert known_range_cut(known, 1) is None
    assert known_range_cut(known, 2) == Cut(5.0, 6.0)
