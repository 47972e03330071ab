"""Kernels that make a level from the one below: means over 2 x 2 blocks, whatever of them is finite.

A mean of means would give a half-empty block the same say as a full one, and one at the edge the same as one inside. So
the finite pixels of full resolution behind every mean are known: their number at most, less those that are missing.

What is made is the same to the last bit whatever bands it is made in. All arrays are in raster orientation but the
bands of a source, whose rows are in the order of the file.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.pyramid.store.tally import STRIP, Counting, Tally, all_finite, has_shifts, observe

_INFINITE = np.int32(0x7F800000)
_ONE = np.int32(1)


@njit(nogil=True, cache=True)
def round_row(row: NDArray[np.float32], dropped: int) -> None:
    """Round to nearest, ties to even, so that the lowest bits of the mantissa are zero; NaN and infinities stay.

    What would become infinite is rounded towards zero.

    Parameters
    ----------
    row : ndarray of float32, (columns,)
        Changed in place.
    dropped : int
        How many bits, from 0 to 22.
    """
    bits = row.view(np.int32)
    shift = np.int32(dropped)
    mask = ~((_ONE << shift) - _ONE)
    half = (_ONE << shift) >> _ONE
    for j in range(bits.shape[0]):
        down = bits[j] & mask
        odd = (bits[j] >> shift) & _ONE
        rounded = (bits[j] + half - _ONE + odd) & mask
        rounded = rounded if (rounded & _INFINITE) != _INFINITE else down
        bits[j] = rounded if (bits[j] & _INFINITE) != _INFINITE else bits[j]


@njit(nogil=True, cache=True)
def halve_source(
    band: NDArray[np.float32],
    above: NDArray[np.float32],
    row: int,
    column: int,
    last: bool,
    out: NDArray[np.float32],
    missing: NDArray[np.uint32],
    seen: Tally,
    made: Tally,
    phase: int,
    every: int,
    counting: Counting,
    dropped: int,
) -> int:
    """Halve a band of full resolution.

    Parameters
    ----------
    band : ndarray of float32, (planes, rows, columns)
        The last row is the uppermost.
    above : ndarray of float32, (planes, columns) or (0, 0)
        The row above it, where its first row is the lower one of a block.
    row, column : int
        Where the upper left corner of the band lies in the rectangle that is halved; `column` is even.
    last : bool
        Whether there are no rows below it. A row that is left over is a block's only one then; else it is left to the
        caller to pass as `above`.
    out, missing : ndarray of float32 and uint32, (planes, rows, columns)
        Means, and numbers of pixels that are not finite; changed in place. `missing` must hold zeros.
    seen, made : Tally
        Of what is read, and of what is made; changed in place.
    phase, every : int
        Rows whose number plus `phase` is a multiple of `every` go into the histogram of what is read.
    counting : Counting
        How.
    dropped : int
        Bits of the mantissa that are rounded away.

    Returns
    -------
    int
        How many pixels are missing in the blocks that were made.
    """
    planes, rows, columns = band.shape
    pairs, counts = np.empty(STRIP + 1), np.empty(STRIP + 1, np.int32)
    lacking = 0
    for plane in range(planes):
        for left in range(0, columns, STRIP):
            right = min(left + STRIP, columns)
            seen_at, made_at = column + left, (column + left) // 2
            made_end = made_at + (right - left + 1) // 2
            shifted, made_shifted = has_shifts(seen, plane, seen_at, seen_at + right - left), False
            at = row
            while at < row + rows:
                target = at // 2
                if at % 2:
                    upper = above[plane, left:right]
                    upper_finite = all_finite(upper)
                else:
                    upper = band[plane, rows - 1 - (at - row), left:right]
                    upper_finite = observe(upper, seen, plane, seen_at, shifted, (phase + at) % every == 0, counting)
                    shifted = shifted or has_shifts(seen, plane, seen_at, seen_at + right - left)
                    at += 1
                single = at == row + rows
                if single and not last:
                    break
                lower = band[plane, rows - 1 - (at - row) if not single else 0, left:right]
                finite = upper_finite and not single
                if not single:
                    lower_finite = observe(lower, seen, plane, seen_at, shifted, (phase + at) % every == 0, counting)
                    finite = upper_finite and lower_finite
                    shifted = shifted or has_shifts(seen, plane, seen_at, seen_at + right - left)
                    at += 1
                means = out[plane, target, made_at:made_end]
                if finite and (right - left) % 2 == 0:
                    _halve_full(upper, lower, pairs, means)
                else:
                    lacking += _halve_some(
                        upper, lower, single, pairs, counts, means, missing[plane, target, made_at:made_end]
                    )
                if dropped:
                    round_row(means, dropped)
                made_shifted = made_shifted or has_shifts(made, plane, made_at, made_end)
                observe(means, made, plane, made_at, made_shifted, True, counting)
    return lacking


@njit(nogil=True, cache=True)
def _halve_full(
    upper: NDArray[np.float32], lower: NDArray[np.float32], pairs: NDArray[np.float64], means: NDArray[np.float32]
) -> None:
    """Halve two rows that are finite, with an even number of columns."""
    for j in range(upper.shape[0]):
        pairs[j] = np.float64(upper[j]) + np.float64(lower[j])
    for j in range(means.shape[0]):
        means[j] = np.float32((pairs[2 * j] + pairs[2 * j + 1]) * 0.25)


@njit(nogil=True, cache=True, error_model="numpy")
def _halve_some(
    upper: NDArray[np.float32],
    lower: NDArray[np.float32],
    single: bool,
    pairs: NDArray[np.float64],
    counts: NDArray[np.int32],
    means: NDArray[np.float32],
    missing: NDArray[np.uint32],
) -> int:
    """Halve what is finite of two rows, or of the upper one alone; return how many pixels are not."""
    columns = upper.shape[0]
    for j in range(columns):
        finite = upper[j] - upper[j] == 0
        pairs[j] = np.float64(upper[j]) if finite else 0.0
        counts[j] = 1 if finite else 0
    if not single:
        for j in range(columns):
            finite = lower[j] - lower[j] == 0
            pairs[j] += np.float64(lower[j]) if finite else 0.0
            counts[j] += 1 if finite else 0
    pairs[columns], counts[columns] = 0.0, 0  # beside an odd number of columns
    high = 1 if single else 2
    for j in range(means.shape[0]):
        count = counts[2 * j] + counts[2 * j + 1]
        # 0 / 0 is what a block without a finite pixel shall be.
        means[j] = np.float32((pairs[2 * j] + pairs[2 * j + 1]) / np.float64(count))
    lacking = high * columns
    for j in range(means.shape[0]):
        count = counts[2 * j] + counts[2 * j + 1]
        missing[j] = 2 * high - count
        lacking -= count
    if columns % 2:
        missing[columns // 2] -= high
    return lacking


@njit(nogil=True, cache=True)
def halve_stored(
    band: NDArray[np.float32],
    lost: NDArray[np.uint32],
    row: int,
    column: int,
    side: int,
    high: int,
    wide: int,
    out: NDArray[np.float32],
    missing: NDArray[np.uint32],
    made: Tally,
    counting: Counting,
    dropped: int,
) -> int:
    """Halve a band of a level that is stored.

    Parameters
    ----------
    band : ndarray of float32, (planes, rows, columns)
        In raster orientation.
    lost : ndarray of uint32, of the same shape or (0, 0, 0)
        How many pixels of full resolution are missing in each of its; (0, 0, 0) if none are.
    row, column : int
        Where its upper left corner lies in the rectangle that is halved; both are even.
    side : int
        Pixels of full resolution along a side of one of its.
    high, wide : int
        Pixels of full resolution from the upper left corner of the rectangle to the edges of the plane.
    out, missing, made, counting, dropped
        As of `halve_source`.

    Returns
    -------
    int
        How many pixels of full resolution are missing.
    """
    planes, rows, columns = band.shape
    pairs, weights = np.empty(STRIP + 1), np.empty(STRIP + 1)
    is_lost, lacking = lost.size > 0, 0
    for plane in range(planes):
        for left in range(0, columns, STRIP):
            right = min(left + STRIP, columns)
            made_at = (column + left) // 2
            made_end = made_at + (right - left + 1) // 2
            made_shifted = False
            inside = (column + right) * side <= wide and (right - left) % 2 == 0
            for i in range(0, rows, 2):
                single = i + 1 == rows
                upper, lower = band[plane, i, left:right], band[plane, i if single else i + 1, left:right]
                target = (row + i) // 2
                means = out[plane, target, made_at:made_end]
                full = inside and not single and (row + i + 2) * side <= high
                if is_lost and full:
                    full = not _any(lost[plane, i, left:right]) and not _any(lost[plane, i + 1, left:right])
                if full:
                    _halve_full(upper, lower, pairs, means)
                else:
                    pairs[:] = 0.0
                    weights[:] = 0.0
                    losses = missing[plane, target, made_at:made_end]
                    for k in range(i, min(i + 2, rows)):
                        pixels = band[plane, k, left:right]
                        tall = min(side, high - (row + k) * side)
                        lost_here = lost[plane, k, left:right] if is_lost else lost[:0, 0, 0]
                        lacking += _weigh(pixels, lost_here, column + left, side, wide, tall, pairs, weights, losses)
                    for j in range(means.shape[0]):
                        weight = weights[2 * j] + weights[2 * j + 1]
                        total = pairs[2 * j] + pairs[2 * j + 1]
                        means[j] = np.float32(total / weight) if weight > 0 else np.float32(np.nan)
                if dropped:
                    round_row(means, dropped)
                made_shifted = made_shifted or has_shifts(made, plane, made_at, made_end)
                observe(means, made, plane, made_at, made_shifted, True, counting)
    return lacking


@njit(nogil=True, cache=True)
def _any(lost: NDArray[np.uint32]) -> bool:
    """Tell whether anything is not zero."""
    bits = np.uint32(0)
    for j in range(lost.shape[0]):
        bits |= lost[j]
    return bits != 0


@njit(nogil=True, cache=True)
def _weigh(
    pixels: NDArray[np.float32],
    lost: NDArray[np.uint32],
    column: int,
    side: int,
    wide: int,
    tall: int,
    sums: NDArray[np.float64],
    weights: NDArray[np.float64],
    missing: NDArray[np.uint32],
) -> int:
    """Add a row, weighed by the finite pixels of full resolution behind each of its; return how many are missing."""
    lacking = np.int64(0)
    for j in range(pixels.shape[0]):
        count = np.int64(tall * min(side, wide - (column + j) * side))
        if lost.size and lost[j]:
            missing[j // 2] += lost[j]
            lacking += np.int64(lost[j])
            count -= np.int64(lost[j])
        if count > 0:
            sums[j] += count * np.float64(pixels[j])
            weights[j] += count
    return int(lacking)
