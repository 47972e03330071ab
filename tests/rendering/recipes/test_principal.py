"""Principal components: those of plain linear algebra, and a mix that shows exactly their scores."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from visiomatic_dask.rendering.recipes import PrincipalComponents, component_mix

SPECTRA = 3


def scene(pixels: int, channels: int, noise: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mixtures of three known spectra: (pixels, channels), and the spectra."""
    rng = np.random.default_rng(3)
    x = np.linspace(0, 1, channels)
    spectra = np.stack([np.exp(-((x - 0.2) ** 2) / 0.01), np.exp(-((x - 0.6) ** 2) / 0.02), x**2])
    amounts = rng.exponential(1, (pixels, SPECTRA)) * [5.0, 2.0, 1.0]
    return 100 + amounts @ spectra + noise * rng.standard_normal((pixels, channels)), spectra


@pytest.mark.parametrize("shape", [(4000, 30), (200, 900), (3000, 1500), (500, 3)])
def test_components_are_those_of_numpy(shape: tuple[int, int]) -> None:
    pixels, spectra = scene(*shape)
    found = PrincipalComponents.of(pixels.astype(np.float32))
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(3), atol=1e-9)
    if shape[1] <= 1024:
        _, _, vectors = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
        np.testing.assert_allclose(np.abs(found.components @ vectors[:3].T), np.eye(3), atol=1e-3)
    # What is left of the spectra outside of the space that is spanned
    rest = spectra - spectra @ found.components.T @ found.components
    assert np.abs(rest).max() < 1e-3 * np.abs(spectra).max()
    largest = np.abs(found.components).argmax(axis=1)
    assert (found.components[np.arange(3), largest] > 0).all()


def test_it_is_the_same_every_time() -> None:
    pixels, _ = scene(500, 40, 0.1)
    one, other = (PrincipalComponents.of(pixels.astype(np.float32)) for _ in range(2))
    for name in ("mean", "components", "low", "high", "scale"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("factor", [1.0, 1e-25, 1e25])
def test_the_mix_shows_the_scores(factor: float) -> None:
    pixels, _ = scene(2000, 50, 0.05)
    pixels *= factor
    found = PrincipalComponents.of(pixels)
    mix = component_mix(tuple(range(50)), found)
    shown = (pixels - mix.cuts[:, 0]) @ mix.factors
    scores = (pixels - pixels.mean(axis=0)) @ found.components.T
    low, high = np.percentile(scores, [2, 98], axis=0)
    np.testing.assert_allclose(shown, (scores - low) / (high - low), atol=1e-6)
    assert ((shown < 0).mean(axis=0) < 0.025).all()
    assert ((shown > 1).mean(axis=0) < 0.025).all()


def test_missing_values_count_as_the_mean() -> None:
    pixels, _ = scene(3000, 20)
    holes = pixels.copy()
    holes[np.random.default_rng(1).random(holes.shape) < 0.02] = np.nan
    holes[5, 3] = np.inf
    found, whole = PrincipalComponents.of(holes), PrincipalComponents.of(pixels)
    assert np.isfinite(found.components).all()
    assert (np.abs(np.sum(found.components * whole.components, axis=1)) > 0.98).all()


@pytest.mark.parametrize(
    "pixels",
    [np.full((50, 5), np.nan), np.zeros((50, 5)), np.full((1, 5), 3.0), np.full((50, 5), 1e30), np.full((2, 9), -7.0)],
)
def test_nothing_to_see_is_no_error(pixels: NDArray[np.float64]) -> None:
    found = PrincipalComponents.of(pixels.astype(np.float32))
    mix = component_mix(tuple(range(pixels.shape[1])), found)
    assert np.isfinite(mix.factors).all()


def test_fewer_components_than_colours() -> None:
    line = np.outer(np.arange(100.0), [1.0, 2.0, 2.0, 0.0])
    found = PrincipalComponents.of(line)
    np.testing.assert_allclose(found.components, [[1 / 3, 2 / 3, 2 / 3, 0.0], [0.0] * 4, [0.0] * 4], atol=1e-9)
    mix = component_mix((2, 4, 6, 8), found)
    assert (mix.weights[:, 1:] == 0).all()
