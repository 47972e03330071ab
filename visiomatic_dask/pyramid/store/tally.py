"""What is counted and summed up of the rows of a plane while they pass by.

Sums are kept by column: those of neighbours do not depend on each other, so they run several at a time, and each grows
in the order of its rows, whatever bands the rows come in. A rebuilt piece has the same statistics to the last bit.

A column's values are summed as distances from its first finite one. As that is one of them, the sum of the squared
distances from their mean keeps all but log2(rows) of float64's bits, wherever the values lie.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.pyramid.store.histogram import BINS, TABLES, count_row
from visiomatic_dask.pyramid.store.statistics import RegionStatistics

STRIP = 2048
"""Columns that are gone through at a time: what is kept of them stays in the fastest cache."""

_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITE = np.int32(0x7F800000)
_SIGN_SHIFT = np.int32(31)
_LOWEST, _HIGHEST = np.int32(-0x7FFFFFFF - 1), np.int32(0x7FFFFFFF)


class Tally(NamedTuple):
    """Statistics under way, of some planes of one level.

    Attributes
    ----------
    shift : ndarray of float64, (planes, columns)
        First finite value of each column; NaN as long as there is none.
    sums, squares : ndarray of float64, (planes, columns)
        Of the distances from it.
    lacking : ndarray of int32, (planes, columns)
        Values that are not finite.
    extremes : ndarray of int32, (planes, 2)
        Lowest and highest finite value, by their bits: as integers, they are in the same order.
    tables : ndarray of uint32, (planes, TABLES, BINS + 1)
        As of `histogram.count_row`.
    """

    shift: NDArray[np.float64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    lacking: NDArray[np.int32]
    extremes: NDArray[np.int32]
    tables: NDArray[np.uint32]

    @classmethod
    def empty(cls, planes: int, columns: int) -> Tally:
        """Start."""
        size = planes, columns
        extremes = np.tile(np.array([_HIGHEST, _LOWEST]), (planes, 1))
        tables = np.zeros((planes, TABLES, BINS + 1), np.uint32)
        return cls(np.full(size, np.nan), np.zeros(size), np.zeros(size), np.zeros(size, np.int32), extremes, tables)

    def of(self, planes: slice) -> Tally:
        """Return the same of some planes: changing it changes this one."""
        return Tally(
            self.shift[planes],
            self.sums[planes],
            self.squares[planes],
            self.lacking[planes],
            self.extremes[planes],
            self.tables[planes],
        )

    def statistics(self, level: int, first_plane: int, rows: int) -> list[RegionStatistics]:
        """Put the columns together, once all rows were observed."""
        found = []
        moments, histograms = np.empty(3), self.tables[:, :, :BINS].sum(axis=1, dtype=np.int64)
        for index, histogram in enumerate(histograms):
            _merge(self.shift[index], self.sums[index], self.squares[index], self.lacking[index], rows, moments)
            finite = int(moments[0])
            lowest, highest = (float(_value(bits)) if finite else math.nan for bits in self.extremes[index])
            found.append(
                RegionStatistics(
                    level,
                    first_plane + index,
                    rows * self.shift.shape[1],
                    finite,
                    lowest,
                    highest,
                    float(moments[1]),
                    float(moments[2]),
                    tuple(histogram.tolist()),
                )
            )
        return found


class Counting(NamedTuple):
    """How values are put into bins, and room to do so.

    Attributes
    ----------
    center, inverse : float32
        As of `histogram.numbers`.
    distances, places : ndarray of float32 and of int32, (STRIP,)
        Room.
    """

    center: np.float32
    inverse: np.float32
    distances: NDArray[np.float32]
    places: NDArray[np.int32]

    @classmethod
    def of(cls, center: np.float32, inverse: np.float32) -> Counting:
        """Make room."""
        return cls(center, inverse, np.empty(STRIP, np.float32), np.empty(STRIP, np.int32))


def _value(bits: np.int32) -> np.float32:
    """Turn the bits that compare as integers back into a value."""
    return (bits ^ ((bits >> _SIGN_SHIFT) & _MAGNITUDE)).view(np.float32)


@njit(nogil=True, cache=True)
def all_finite(row: NDArray[np.float32]) -> bool:
    """Tell whether all values of a row are finite."""
    bits = row.view(np.int32)
    most = np.int32(0)
    for j in range(bits.shape[0]):
        magnitude = bits[j] & _MAGNITUDE
        most = magnitude if magnitude > most else most
    return bool(most < _INFINITE)


@njit(nogil=True, cache=True)
def has_shifts(tally: Tally, plane: int, first: int, last: int) -> bool:
    """Tell whether some columns have had a finite value each."""
    shift = tally.shift[plane, first:last]
    none = 0
    for j in range(shift.shape[0]):
        none += 1 if shift[j] != shift[j] else 0
    return none == 0


@njit(nogil=True, cache=True)
def observe(
    row: NDArray[np.float32], tally: Tally, plane: int, first: int, shifted: bool, counted: bool, counting: Counting
) -> bool:
    """Add a part of a row to a tally.

    Parameters
    ----------
    row : ndarray of float32, (columns,)
        At most `STRIP` values.
    tally : Tally
        Changed in place.
    plane, first : int
        Plane, and column of the first value, in the tally.
    shifted : bool
        Whether `has_shifts` is true of these columns.
    counted : bool
        Whether the values go into the histogram.
    counting : Counting
        How.

    Returns
    -------
    bool
        Whether all are finite.
    """
    last = first + row.shape[0]
    shift, sums, squares = (
        tally.shift[plane, first:last],
        tally.sums[plane, first:last],
        tally.squares[plane, first:last],
    )
    bits = row.view(np.int32)
    low, high = _HIGHEST, _LOWEST
    for j in range(bits.shape[0]):
        # The bits of floats, once those of negative ones are turned round, compare as integers; so those of what is
        # not finite lie outside of all others.
        ordered = bits[j] ^ ((bits[j] >> _SIGN_SHIFT) & _MAGNITUDE)
        low = ordered if ordered < low else low
        high = ordered if ordered > high else high
    finite = bool(high < _INFINITE and low > ~_INFINITE)
    if finite and shifted:
        for j in range(row.shape[0]):
            distance = np.float64(row[j]) - shift[j]
            sums[j] += distance
            squares[j] += distance * distance
    else:
        low, high = _observe_some(row, shift, sums, squares, tally.lacking[plane, first:last])
    if counted:
        count_row(row, counting.center, counting.inverse, counting.distances, counting.places, tally.tables[plane])
    extremes = tally.extremes[plane]
    extremes[0] = min(extremes[0], low)
    extremes[1] = max(extremes[1], high)
    return finite


@njit(nogil=True, cache=True)
def _observe_some(
    row: NDArray[np.float32],
    shift: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    lacking: NDArray[np.int32],
) -> tuple[np.int32, np.int32]:
    """Add the finite values of a row; return the lowest and the highest by their bits."""
    for j in range(row.shape[0]):
        finite = row[j] - row[j] == 0
        lacking[j] += 0 if finite else 1
        new = finite and shift[j] != shift[j]
        shift[j] = np.float64(row[j]) if new else shift[j]
    for j in range(row.shape[0]):
        finite = row[j] - row[j] == 0
        distance = np.float64(row[j]) - shift[j] if finite else 0.0
        sums[j] += distance
        squares[j] += distance * distance
    bits = row.view(np.int32)
    low, high = _HIGHEST, _LOWEST
    for j in range(bits.shape[0]):
        finite = (bits[j] & _INFINITE) != _INFINITE
        ordered = bits[j] ^ ((bits[j] >> _SIGN_SHIFT) & _MAGNITUDE)
        lowest, highest = ordered if finite else _HIGHEST, ordered if finite else _LOWEST
        low = lowest if lowest < low else low
        high = highest if highest > high else high
    return low, high


@njit(nogil=True, cache=True)
def _merge(
    shift: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    lacking: NDArray[np.int32],
    rows: int,
    out: NDArray[np.float64],
) -> None:
    """Merge columns, one after the other: number, mean, and sum of squared distances from it (Chan et al. 1979)."""
    finite, mean, total = 0, 0.0, 0.0
    for j in range(shift.shape[0]):
        more = rows - lacking[j]
        if more > 0:
            away = shift[j] + sums[j] / more - mean
            mean += away * more / (finite + more)
            total += max(squares[j] - sums[j] * sums[j] / more, 0.0) + away * away * finite * more / (finite + more)
            finite += more
    out[0], out[1], out[2] = finite, mean if finite else np.nan, total
