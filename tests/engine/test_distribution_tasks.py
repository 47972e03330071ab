"""Equalising stretches from samples: bounded reads, and for collapsed ranges the same pixels of every channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.distribution_tasks import SampleLimits, sampled_equalisation, sampled_histogram
from visiomatic_dask.engine.spectra_tasks import collapsed_equalisation
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import CollapseMethod, Cut, equalisation


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, NDArray[np.float32]]:
    draw = np.random.default_rng(4)
    pixels = draw.exponential(2, (40, 150, 200)).astype(np.float32)
    pixels[draw.random(pixels.shape) < 0.2] = np.nan
    pixels[:, :3] = np.nan
    path = tmp_path_factory.mktemp("cube") / "a.fits"
    fits.writeto(path, pixels)
    return open_cube(path).layer().reader, pixels


@pytest.mark.parametrize("method", ["max", "min", "mean", "sum"])
def test_of_a_collapsed_range(cube: tuple[Reader, NDArray[np.float32]], method: CollapseMethod) -> None:
    """All channels within the limit: to the knot what the collapsed plane gives."""
    reader, pixels = cube
    some = pixels[5:17, 3:].astype(np.float64)
    collapse: dict[str, Any] = {"max": np.nanmax, "min": np.nanmin, "mean": np.nanmean, "sum": np.nansum}
    made = collapse[method](some, axis=0)
    cut = Cut(*np.percentile(made, [5, 95]).tolist())
    found = collapsed_equalisation(reader, 5, 17, method, cut, 2**24, 2**24)
    expected = equalisation(made, cut)
    assert np.abs(np.subtract(found, expected)).max() <= 1e-5


def test_of_many_channels_from_few_pixels(cube: tuple[Reader, NDArray[np.float32]]) -> None:
    """A maximum of some channels is lower than that of all: pixels are left out, not channels."""
    reader, pixels = cube
    made = np.nanmax(pixels[:, 3:], axis=0)
    cut = Cut(*np.percentile(made, [1, 99]).tolist())
    knots = collapsed_equalisation(reader, 0, 40, "max", cut, 200_000, 2**24)
    assert np.abs(np.subtract(knots, equalisation(made, cut))).max() < 0.1
    assert min(np.diff(knots)) > 0


def test_of_a_channel_and_of_all(cube: tuple[Reader, NDArray[np.float32]]) -> None:
    reader, pixels = cube
    limits = SampleLimits(40, 2**26, 40)
    assert sampled_equalisation(reader, limits, 7, Cut(0, 6)) == equalisation(pixels[7], Cut(0, 6))
    whole = sampled_histogram(reader, limits, None)
    finite = pixels[np.isfinite(pixels)]
    assert whole.maximum <= finite.max()
    shares = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(whole.quantiles(shares), np.quantile(finite, shares), rtol=0.01)
