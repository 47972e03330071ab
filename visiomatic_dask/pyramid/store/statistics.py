"""Statistics of planes and parts of planes: moments, and histograms that can be added up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace


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
        How many lie in each bin; see `Bins`.
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
