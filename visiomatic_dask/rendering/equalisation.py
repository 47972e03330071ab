"""Histogram equalisation: the stretch by which all levels of a picture are equally frequent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.content import Cut

STEPS = 64
"""Steps of the stretch: between them it is linear."""
_UNIT = 1_000_000
"""Knots are multiples of one over this: few digits, and no two alike."""


def equalisation(sample: NDArray[np.floating], cut: Cut) -> tuple[float, ...]:
    """Find the knots of the stretch that makes the levels of a picture equally frequent.

    Parameters
    ----------
    sample : ndarray of float32 or float64
        Values, in any shape. Those outside the cuts are left out, as they are black or white whatever the stretch;
        without any inside, the stretch is linear.
    cut : Cut
        What is black and what is white.

    Returns
    -------
    tuple of float, (STEPS + 1,)
        Values of v = (x - low)/(high - low) at which the output reaches 0, 1/64, … 1: from 0 to 1, each above the one
        before by a millionth or more, all of at most six decimals.
    """
    v = (sample[np.isfinite(sample)].astype(np.float64) - cut.low) / (cut.high - cut.low)
    v = v[(v >= 0) & (v <= 1)]
    steps = np.linspace(0, 1, STEPS + 1)
    knots = np.rint((np.quantile(v, steps) if v.size else steps) * _UNIT).astype(np.int64)
    # Where many values are alike the curve rises as steeply as can be written, from one knot to the next.
    places = np.arange(STEPS + 1)
    spare = np.clip(knots - places, 0, _UNIT - STEPS)
    spare[0], spare[-1] = 0, _UNIT - STEPS
    return tuple(((np.maximum.accumulate(spare) + places) / _UNIT).tolist())
