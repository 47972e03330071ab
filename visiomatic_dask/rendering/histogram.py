"""Histograms with bins of any widths: quantiles, other bins, and cuts that need no pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9
"""Share of the values that sums of counts may be off by."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values lie in which bin; within a bin they are taken to be spread evenly.

    A quantile is right to the width of the bin it falls into, and so is the position of a value among all of them to
    the count of its bin. `minimum` and `maximum` are those of the values themselves.

    Attributes
    ----------
    edges : ndarray of float64, (bins + 1,)
        Ascending and finite, from `minimum` to `maximum`.
    counts : ndarray of float64, (bins,)
        Not all zero, unless there are no values at all: then there are no bins.
    minimum, maximum : float
        NaN where there are no values.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.float64]
    minimum: float
    maximum: float

    @classmethod
    def of_bins(
        cls, edges: NDArray[np.float64], counts: NDArray[np.integer | np.floating], minimum: float, maximum: float
    ) -> Histogram:
        """Make one of bins that may be open, and wider than the values.

        Parameters
        ----------
        edges : ndarray of float64, (bins + 1,)
            Ascending, the outermost perhaps infinite.
        counts : ndarray, (bins,)
            How many values were counted in each; perhaps not all there are, and by edges that were rounded.
        minimum, maximum : float
            Of all values; NaN for none.
        """
        if math.isnan(minimum):
            return cls(np.empty(0), np.empty(0), math.nan, math.nan)
        inside = np.clip(edges, minimum, maximum)
        numbers = counts.astype(np.float64)
        first = min(int(np.searchsorted(inside, minimum, side="right")) - 1, len(numbers) - 1)
        last = max(int(np.searchsorted(inside, maximum, side="left")), first + 1)
        # What rounding has put beside the values belongs to the outermost bins that have a width.
        numbers[first] += numbers[:first].sum()
        numbers[last - 1] += numbers[last:].sum()
        numbers = numbers[first:last]
        if not numbers.sum():  # only some rows are counted, which may be those without values
            numbers = np.diff(inside[first : last + 1]) if maximum > minimum else np.ones_like(numbers)
        return cls(inside[first : last + 1], numbers, minimum, maximum)

    @classmethod
    def of_values(cls, values: NDArray[np.floating], bins: int) -> Histogram:
        """Count the finite ones of some values in bins that hold the same number of them, as far as they differ."""
        finite = np.sort(values[np.isfinite(values)].astype(np.float64), axis=None)
        if not finite.size:
            return cls.of_bins(np.array([-np.inf, np.inf]), np.zeros(1), math.nan, math.nan)
        places = np.linspace(0, finite.size - 1, min(bins, max(1, finite.size - 1)) + 1).astype(np.int64)
        edges = np.unique(finite[places])
        if edges.size == 1:
            edges = np.repeat(edges, 2)
        counts = np.diff(np.searchsorted(finite, edges, side="left"))
        counts[-1] = finite.size - np.searchsorted(finite, edges[-2], side="left")
        return cls(edges, counts.astype(np.float64), float(finite[0]), float(finite[-1]))

    @property
    def total(self) -> float:
        """How many values were counted."""
        return float(self.counts.sum())

    def quantiles(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values below which given shares of the values lie; those of 0 and 1 are exact. Of no values, NaN."""
        if not self.counts.size:
            return np.full(shares.shape, math.nan)
        upto = np.concatenate([[0.0], self.counts.cumsum()])
        found = np.interp(shares * upto[-1], upto, self.edges)
        return np.where(shares <= 0, self.minimum, np.where(shares >= 1, self.maximum, found))

    def rebinned(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Count in other bins, ascending and finite: a bin that an edge divides is divided in proportion.

        A sum of such counts is off by the counts of the two bins at its ends at most. A value on the last edge lies in
        the last bin.
        """
        if not self.counts.size:
            return np.zeros(len(edges) - 1)
        if self.maximum == self.minimum:
            return np.histogram([self.minimum], edges)[0] * self.total
        upto = np.concatenate([[0.0], self.counts.cumsum()])
        return np.diff(np.interp(edges, self.edges, upto))

    def beside(self, low: float, high: float) -> tuple[float, float]:
        """How many values lie below one value, and above another."""
        if not self.counts.size or self.maximum == self.minimum:
            return self.total * (self.minimum < low), self.total * (self.maximum > high)
        upto = np.concatenate([[0.0], self.counts.cumsum()])
        return float(np.interp(low, self.edges, upto)), float(upto[-1] - np.interp(high, self.edges, upto))

    def values(self, count: int) -> NDArray[np.float64]:
        """So many values, ascending, that stand for all of them: evenly spaced in rank. Of no values, none."""
        return self.quantiles((np.arange(count) + 0.5) / count) if self.counts.size else np.empty(0)

    def narrowest(self, share: float) -> tuple[float, float]:
        """Return the narrowest range that holds a share of the values.

        Its width changes linearly while it is moved, but where one of its ends passes an edge: so it need only be
        looked at there.
        """
        if not self.counts.size:
            return math.nan, math.nan
        upto = np.concatenate([[0.0], self.counts.cumsum()])
        held = share * upto[-1]
        begins, ends = upto <= upto[-1] - held, upto >= held
        lows = np.concatenate([self.edges[begins], self._inverse(upto, upto[ends] - held, "right")])
        highs = np.concatenate([self._inverse(upto, upto[begins] + held, "left"), self.edges[ends]])
        best = int(np.argmin(highs - lows))
        return float(lows[best]), float(highs[best])

    def _inverse(
        self, upto: NDArray[np.float64], ranks: NDArray[np.float64], side: Literal["left", "right"]
    ) -> NDArray[np.float64]:
        """Return the lowest (left) or highest (right) values that have those ranks, whose rounding counts for none."""
        slack = _ROUNDING * upto[-1]
        ranks = np.clip(ranks + (slack if side == "right" else -slack), 0.0, upto[-1])
        places = np.clip(np.searchsorted(upto, ranks, side) - 1, 0, len(self.counts) - 1)
        into = (ranks - upto[places]) / np.where(self.counts[places] > 0, self.counts[places], 1.0)
        lows, highs = self.edges[places], self.edges[places + 1]
        return np.asarray(np.clip(lows + into * (highs - lows), lows, highs))
