"""Histograms that any parts of a plane can be added up in: their bins are a float's exponent and top bits.

Eight bins an octave on both sides of a center: as fine as need be near a background, and wide enough for the brightest
star. Which bin a value falls into is read off its bits, without a logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.pyramid.store.statistics import Bins

_FINEST, _WIDEST = -6, 24
"""Distances from the center, in octaves of the scale, that bins tell apart."""
_SIDE = 8 * (_WIDEST - _FINEST) + 1
"""Bins on one side: the last is open."""
BINS = 2 * _SIDE + 1
"""Bins of a histogram: those below the center, the one around it, and those above."""
TABLES = 4
"""Tables that are counted in side by side: an increment need not wait for the one before it."""

_MIDDLE = np.int32(_SIDE)
_LAST = np.int32(_SIDE)
_BELOW_FIRST = np.int32(8 * (127 + _FINEST) - 1)  # 127: bias of a float32's exponent
_NO_PLACE = np.int32(BINS)
_INFINITE = np.int32(0x7F800000)
_MAGNITUDE = np.int32(0x7FFFFFFF)
_SIGN_SHIFT, _BIN_SHIFT = np.int32(31), np.int32(20)


def bin_edges(bins: Bins) -> NDArray[np.float64]:
    """Edges of the bins, ascending: one more than there are bins, the outermost infinite.

    A value on an edge lies in the bin farther from the center. Distances from the center are rounded to float32.
    """
    away = 2.0 ** np.arange(_FINEST, _WIDEST) * (1 + np.arange(8)[:, np.newaxis] / 8)
    steps = np.append(away.T.ravel(), 2.0**_WIDEST)
    center, inverse = numbers(bins)
    edges = float(center) + np.concatenate([-steps[::-1], steps]) / float(inverse)
    return np.concatenate([[-np.inf], edges, [np.inf]])


def quantile(histogram: Sequence[int], bins: Bins, minimum: float, maximum: float, q: float) -> float:
    """Estimate a quantile: right to the width of a bin, an eighth of the distance from the center at most.

    Parameters
    ----------
    histogram : sequence of int
        How many values lie in each bin.
    bins : Bins
        Which bins.
    minimum, maximum : float
        Of the values, NaN where there are none.
    q : float
        From 0 to 1.

    Returns
    -------
    float
        Between `minimum` and `maximum`; NaN where there are no values. Linear between the two if none was counted,
        which may be where only some rows are.
    """
    if math.isnan(minimum):
        return math.nan
    counts = np.asarray(histogram, np.float64)
    total = counts.sum()
    if total == 0 or q <= 0 or q >= 1:
        return minimum + min(max(q, 0.0), 1.0) * (maximum - minimum)
    edges = np.clip(bin_edges(bins), minimum, maximum)
    upto = counts.cumsum()
    place = int(np.searchsorted(upto, q * total))
    into = (q * total - (upto[place] - counts[place])) / counts[place]
    return float(edges[place] + into * (edges[place + 1] - edges[place]))


def numbers(bins: Bins) -> tuple[np.float32, np.float32]:
    """Center, and what the distance from it is multiplied by: the two numbers that `count_row` takes."""
    least, most = np.finfo(np.float32).tiny, np.finfo(np.float32).max / 2.0**_WIDEST
    return np.float32(bins.center), np.float32(1 / min(max(bins.scale, float(least)), float(most)))


@njit(nogil=True, cache=True)
def count_row(
    row: NDArray[np.float32],
    center: np.float32,
    inverse: np.float32,
    distances: NDArray[np.float32],
    places: NDArray[np.int32],
    tables: NDArray[np.uint32],
) -> None:
    """Count the finite values of a row.

    Parameters
    ----------
    row : ndarray of float32, (columns,)
        The values.
    center, inverse : float32
        As of `numbers`.
    distances, places : ndarray of float32 and of int32, (columns,) or longer
        Room to work in.
    tables : ndarray of uint32, (TABLES, BINS + 1)
        Their sum is the histogram, but for the last column: what is not finite. Changed in place.
    """
    columns, values = row.shape[0], row.view(np.int32)
    for j in range(columns):
        distances[j] = (row[j] - center) * inverse
    bits = distances.view(np.int32)
    for j in range(columns):
        away = ((bits[j] & _MAGNITUDE) >> _BIN_SHIFT) - _BELOW_FIRST
        away = away if away > 0 else np.int32(0)
        away = away if away < _LAST else _LAST
        negative = bits[j] >> _SIGN_SHIFT
        place = _MIDDLE + ((away ^ negative) - negative)
        places[j] = place if (values[j] & _INFINITE) != _INFINITE else _NO_PLACE
    whole = columns // 4 * 4
    for j in range(0, whole, 4):
        tables[0, places[j]] += 1
        tables[1, places[j + 1]] += 1
        tables[2, places[j + 2]] += 1
        tables[3, places[j + 3]] += 1
    for j in range(whole, columns):
        tables[0, places[j]] += 1
