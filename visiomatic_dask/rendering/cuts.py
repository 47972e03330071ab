"""Cuts: which values are black and white, found from a bounded sample or from a histogram of all values."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import PlaneStatistics
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.content import Cut
from visiomatic_dask.rendering.histogram import Histogram

BELOW_BACKGROUND = 2.0
"""Median absolute deviations between black and the background, as in VisiOmatic."""
ABOVE_BACKGROUND = 400.0
"""Median absolute deviations between the background and white, as in VisiOmatic: wide, for gamma to compress."""
NARROWEST = 0.99
"""Share of the values that the cuts ``histogram`` hold."""
_PERCENT = r"(\d{1,3}(?:\.\d{0,9})?)"
_SHARE = re.compile(_PERCENT, re.ASCII)
_PERCENTILES = re.compile(f"{_PERCENT}-{_PERCENT}", re.ASCII)
_STAND_INS = {"mad": 2**14, "zscale": 1000}
"""Values that stand for those of a histogram; zscale takes no more than a thousand, and not evenly, of what it gets."""
_CLIP = 3.0
_MEDIAN_SAMPLE = 2**16
"""Values that medians are taken of: more would move them by less than anyone can see, and take far longer."""


@dataclass(frozen=True, slots=True)
class Background:
    """Statistics of a sample.

    Attributes
    ----------
    level : float
        Background level.
    mad : float
        Median absolute deviation from the median, of what is not clipped as sources.
    low, high : float
        Range of the sample.
    mean : float
        Mean of the sample, sources and all: above `level` by as much as there is to see.
    """

    level: float
    mad: float
    low: float
    high: float
    mean: float = 0.0

    @property
    def cut(self) -> Cut:
        """Default cuts: the background minus 2 MAD to plus 400 MAD, as far as the sample goes."""
        low = max(self.level - BELOW_BACKGROUND * self.mad, self.low)
        high = min(self.level + ABOVE_BACKGROUND * self.mad, self.high)
        return _safe_cut(low, high)


def background(sample: NDArray[np.floating]) -> Background:
    """Estimate the background of a sample.

    The sample is clipped once at 3 median absolute deviations around its median; the level is the mode 2.5·median -
    1.5·mean (Bertin & Arnouts 1996, A&AS 117, 393, section 3) of what remains. Where more than half of the values are
    the same, the MAD says nothing, and a tenth of the standard deviation stands in for it.

    Parameters
    ----------
    sample : ndarray of float32
        Any shape; what is not finite is left out. Without a finite value: level 0, MAD 0, range 0.
    """
    values = sample[np.isfinite(sample)]
    if values.size == 0:
        return Background(0.0, 0.0, 0.0, 0.0)
    low, high = float(values.min()), float(values.max())
    values = values[:: -(-values.size // _MEDIAN_SAMPLE)].astype(np.float64)
    deviation, mean = float(values.std()), float(values.mean())
    median = np.median(values)
    distance = np.abs(values - median)
    kept = values[distance <= _CLIP * np.median(distance)]
    median = np.median(kept)
    mad = float(np.median(np.abs(kept - median)))
    level = float(2.5 * median - 1.5 * kept.mean())
    if mad * 1e5 < deviation:
        mad = 0.1 * deviation
    return Background(level, mad, low, high, mean)


def interpolate_backgrounds(found: dict[int, Background], count: int) -> list[Background]:
    """Fill in the channels that were not sampled, linearly between those that were.

    Parameters
    ----------
    found : mapping of int to Background
        By channel; not empty.
    count : int
        Number of channels.
    """
    channels = sorted(found)
    rows = np.array([dataclasses.astuple(found[c]) for c in channels])
    columns = [np.interp(np.arange(count), channels, column) for column in rows.T]
    return [Background(*map(float, row)) for row in zip(*columns, strict=True)]


def known_backgrounds(backgrounds: Sequence[Background], known: PlaneStatistics) -> list[Background]:
    """Put the range and the mean that a source has written down in the place of those of samples.

    Parameters
    ----------
    backgrounds : sequence of Background
        One for every channel.
    known : PlaneStatistics
        Of the same channels; those without finite values stay as they are.
    """
    rows = zip(backgrounds, known.minimum, known.maximum, known.mean, strict=True)
    return [
        dataclasses.replace(one, low=low, high=high, mean=mean) if all(map(math.isfinite, (low, high, mean))) else one
        for one, low, high, mean in rows
    ]


def known_range_cut(known: PlaneStatistics, channel: int) -> Cut | None:
    """Return the cut ``minmax`` of a channel, exactly, without its pixels; None where its range is not known."""
    low, high = known.minimum[channel], known.maximum[channel]
    return _safe_cut(low, high) if math.isfinite(low) and math.isfinite(high) else None


def known_cube_cut(known: PlaneStatistics) -> Cut | None:
    """Return the cut ``minmax`` of all channels together; None where the range of one is not known."""
    low, high = min(known.minimum), max(known.maximum)
    return _safe_cut(low, high) if all(map(math.isfinite, (*known.minimum, *known.maximum))) else None


def sample_cut(sample: NDArray[np.floating], method: str) -> Cut:
    """Find cuts of a sample by a named method.

    Parameters
    ----------
    sample : ndarray of float32 or float64
        Any shape; what is not finite is left out.
    method : str
        ``mad``, ``minmax``, ``zscale`` (astropy's `~astropy.visualization.ZScaleInterval`), ``histogram`` (the
        narrowest range that holds 99 % of the values: the region of highest density of a distribution with one peak,
        Hyndman 1996, The American Statistician 50, 120), a percentage as ``99.5``, the central share of the values, or
        two as ``1-99.5``, from one percentile to another.

    Raises
    ------
    InvalidRequest
        If there is no such method.
    """
    shares = method_shares(method)
    values = sample[np.isfinite(sample)]
    if values.size == 0:
        return _safe_cut(0.0, 0.0)
    if method == "mad":
        return background(values).cut
    if method == "zscale":
        # Not at the top: astropy.visualization loads all of matplotlib wherever that is installed.
        from astropy.visualization import ZScaleInterval

        low, high = ZScaleInterval().get_limits(values.astype(np.float64))
    elif method == "histogram":
        low, high = _narrowest(np.sort(values, axis=None).astype(np.float64))
    else:
        low, high = np.quantile(values.astype(np.float64), shares)
    return _safe_cut(float(low), float(high))


def histogram_cut(histogram: Histogram, method: str) -> Cut:
    """Find cuts of all values that a histogram counts; methods and errors as of `sample_cut`.

    ``minmax`` is exact, percentages and ``histogram`` are right to the width of the bins they fall into; ``mad`` and
    ``zscale`` are those of values that stand for all of them, evenly spaced in rank.
    """
    shares = method_shares(method)
    if not histogram.counts.size:
        return _safe_cut(0.0, 0.0)
    if method == "mad":
        found = background(histogram.values(_STAND_INS[method]))
        return dataclasses.replace(found, low=histogram.minimum, high=histogram.maximum).cut
    if method == "zscale":
        return sample_cut(histogram.values(_STAND_INS[method]), method)
    low, high = histogram.narrowest(NARROWEST) if method == "histogram" else histogram.quantiles(np.array(shares))
    return _safe_cut(float(low), float(high))


def method_shares(method: str) -> tuple[float, float]:
    """Check a method, and return which shares of the values are below its cuts; 0 and 1 where it is no percentage.

    Raises
    ------
    InvalidRequest
        If there is no such method.
    """
    if method in ("mad", "minmax", "zscale", "histogram"):
        return 0.0, 1.0
    share, ends = _SHARE.fullmatch(method), _PERCENTILES.fullmatch(method)
    low = high = 0.0
    if share is not None:
        low, high = 50 - float(share[1]) / 2, 50 + float(share[1]) / 2
    elif ends is not None:
        low, high = float(ends[1]), float(ends[2])
    if not 0 <= low < high <= 100:
        raise InvalidRequest.value(
            "method",
            method[:80],
            "mad, minmax, zscale, histogram, a percentage above 0 and up to 100, or two percentiles as 1-99.5",
        )
    return low / 100, high / 100


def _narrowest(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the narrowest range that holds `NARROWEST` of some values, ascending."""
    held = math.ceil(NARROWEST * values.size)
    first = int(np.argmin(values[held - 1 :] - values[: values.size - held + 1]))
    return float(values[first]), float(values[first + held - 1])


def _safe_cut(low: float, high: float) -> Cut:
    """Make a cut of float32; a constant sample is shown black, with white one, or one float32, above it.

    The largest float32 has none above it: it is shown white.
    """
    largest = float(np.finfo(np.float32).max)
    low, high = (float(np.float32(min(max(one, -largest), largest))) for one in (low, high))
    if not high > low:
        step = max(1.0, abs(low) * float(np.finfo(np.float32).eps))
        low, high = (low, low + step) if low + step <= largest else (low - step, low)
    return Cut(low, high)
