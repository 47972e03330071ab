"""Statistics of planes and parts of planes: moments, and histograms that can be added up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_NORMAL = 1.4826
"""Standard deviation of a normal distribution over the median distance from its median."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of a histogram that are fine around a center and wider the farther away from it.

    Attributes
    ----------
    center, scale : float
        Where the bins are finest, and how fine: a background and its noise.
    """

    center: float = 0.0
    scale: float = 1.0

    @classmethod
    def around(cls, sample: NDArray[np.generic]) -> Bins:
        """Choose bins for pixels such as those of a sample, in any shape: around their median, by their noise."""
        with np.errstate(over="ignore"):
            values = sample.astype(np.float32)
        values = values[np.isfinite(values)].astype(np.float64)
        if not values.size:
            return cls()
        center = float(np.median(values))
        noise = _NORMAL * float(np.median(np.abs(values - center)))
        # More than half may be alike; all of them too, and then any scale does that fits the value.
        return cls(center, noise or float(values.std()) or abs(center) or 1.0)


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Statistics of the finite pixels of a part of a plane, or of a whole one.

    Attributes
    ----------
    level, plane : int
        Where it is.
    pixels : int
        How many there are, finite or not.
    finite : int
        How many are finite.
    minimum, maximum, mean : float
        Of the finite ones; NaN where there are none.
    squares : float
        Sum of the squared distances from the mean.
    histogram : tuple of int
        How many lie in each bin; see `histogram.bin_edges`. At level 0 of large planes, of those of every fourth row:
        see `piece_rebinning.counted_rows`.
    """

    level: int
    plane: int
    pixels: int
    finite: int
    minimum: float
    maximum: float
    mean: float
    squares: float
    histogram: tuple[int, ...]

    @property
    def rms(self) -> float:
        """Root of the mean square of the values themselves."""
        return math.sqrt(self.squares / self.finite + self.mean**2) if self.finite else math.nan


def merged(parts: Iterable[RegionStatistics]) -> RegionStatistics:
    """Put the statistics of parts of one plane together, in the order given: another order may round differently.

    Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """
    first, *others = parts
    return _sum(first, others)


def _sum(whole: RegionStatistics, others: Iterable[RegionStatistics]) -> RegionStatistics:
    for one in others:
        if (one.level, one.plane) != (whole.level, whole.plane):
            raise ValueError(f"statistics of level {one.level}, plane {one.plane} are not of the same plane")
        pixels = whole.pixels + one.pixels
        if not one.finite:
            whole = replace(whole, pixels=pixels)
            continue
        if not whole.finite:
            whole = replace(one, pixels=pixels)
            continue
        finite = whole.finite + one.finite
        away = one.mean - whole.mean
        whole = replace(
            whole,
            pixels=pixels,
            finite=finite,
            minimum=min(whole.minimum, one.minimum),
            maximum=max(whole.maximum, one.maximum),
            mean=whole.mean + away * one.finite / finite,
            squares=whole.squares + one.squares + away**2 * whole.finite * one.finite / finite,
            histogram=tuple(a + b for a, b in zip(whole.histogram, one.histogram, strict=True)),
        )
    return whole
