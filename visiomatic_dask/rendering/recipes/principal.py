"""Principal components of channels, and the mix that shows the first three of them in red, green and blue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.content import Mix, NaNPolicy

Array = NDArray[np.float64]

SHOWN = 3
"""Components: one for each colour."""
MOST_PIXELS_OF_MANY = 1024
"""Pixels that are used where there are more channels than that: the smaller of the two Gram matrices is decomposed,
and so has never more rows."""
_PERCENT = (2.0, 98.0)
_MANY = 1024


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalComponents:
    """The first three principal components of C channels.

    Attributes
    ----------
    mean : ndarray of float64, (C,)
        Of each channel.
    components : ndarray of float64, (3, C)
        Orthonormal, by falling variance, the largest absolute loading of each positive; zeros where the sample has
        fewer.
    low, high : ndarray of float64, (3,)
        Scores that are black and white: percentiles 2 and 98.
    scale : ndarray of float64, (C,)
        Standard deviation of each channel, above 0.
    """

    mean: Array
    components: Array
    low: Array
    high: Array
    scale: Array

    @classmethod
    def of(cls, sample: NDArray[np.floating[Any]]) -> PrincipalComponents:
        """Find those of a sample.

        The decomposition is exact for the sample, or for evenly spread 1,024 pixels of it where there are more than
        1,024 channels. Nothing is random.

        Parameters
        ----------
        sample : ndarray, (pixels, C)
            Spectra. What is not finite is taken for the mean of its channel.
        """
        many = sample.shape[1] > _MANY and len(sample) > MOST_PIXELS_OF_MANY
        chosen = sample[np.linspace(0, len(sample) - 1, MOST_PIXELS_OF_MANY).astype(int)] if many else sample
        centred = np.where(np.isfinite(chosen), chosen, np.nan).astype(np.float64)
        counts = np.maximum(1, np.isfinite(centred).sum(axis=0))
        mean = np.nansum(centred, axis=0) / counts
        centred -= mean
        centred[np.isnan(centred)] = 0.0
        scale = np.sqrt(np.einsum("pc,pc->c", centred, centred) / counts)
        components = _leading(centred)
        scores = centred @ components.T
        low, high = np.percentile(scores, _PERCENT, axis=0) if len(scores) else np.zeros((2, SHOWN))
        flat = ~(high > low)
        high = np.where(flat, low + np.maximum(1.0, np.abs(low)), high)
        return cls(mean, components, low, high, np.where(scale > 0, scale, 1.0))


def component_mix(channels: tuple[int, ...], found: PrincipalComponents, nan: NaNPolicy = "lo") -> Mix:
    """Make the mix whose colours are the scores of the first three components, `low` black and `high` white.

    With orthonormal components E and means m, the lower cuts l = m + Eᵀ·low give E·(x - l) = E·(x - m) - low exactly.
    """
    lows = found.mean + found.components.T @ found.low
    cuts = np.column_stack([lows, lows + found.scale])
    # Where the scale is lost in the cut's own digits, the next number has to do.
    cuts[:, 1] = np.where(cuts[:, 1] > lows, cuts[:, 1], np.nextafter(lows, np.inf))
    widths = cuts[:, 1] - cuts[:, 0]
    weights = found.components.T * widths[:, np.newaxis] / (found.high - found.low)
    return Mix(channels, cuts, weights, nan)


def _leading(centred: Array) -> Array:
    """First right singular vectors, (3, C), by the smaller of the two Gram matrices."""
    pixels, channels = centred.shape
    # Within the range of float64 whatever the unit: squares of 1e-200 vanish.
    largest = np.abs(centred).max(initial=0.0)
    scaled = centred / largest if largest > 0 else centred
    if channels <= pixels:
        _, vectors = np.linalg.eigh(scaled.T @ scaled)
        leading = vectors[:, ::-1][:, :SHOWN].T
        sizes = np.linalg.norm(scaled @ leading.T, axis=0)
    else:
        _, vectors = np.linalg.eigh(scaled @ scaled.T)
        projected = scaled.T @ vectors[:, ::-1][:, :SHOWN]
        leading, triangle = np.linalg.qr(projected)
        leading, sizes = leading.T, np.abs(np.diag(triangle))
    components = np.zeros((SHOWN, channels))
    real = sizes > 1e-7 * max(sizes.max(initial=0.0), 1e-300)
    components[: len(leading)] = np.where(real[:, np.newaxis], leading, 0.0)
    signs = np.sign(components[np.arange(SHOWN), np.abs(components).argmax(axis=1)])
    return components * np.where(signs == 0, 1.0, signs)[:, np.newaxis]
