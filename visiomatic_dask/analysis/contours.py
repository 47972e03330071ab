"""Contours of a rectangle of a plane, such that those of neighbouring rectangles meet exactly.

Lines run through the squares between four pixel centres (contourpy). Every point lies on a side of such a square, and
is computed here anew from the two pixels at its ends, in one order: two rectangles that share the side find the same
point, to the last bit, from wherever the line was followed.
"""

from __future__ import annotations

from collections.abc import Sequence

import contourpy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEPS = 1000
"""Points are rounded to so many parts of a pixel."""
_SNAP = 1e-6
"""Interpolation between equal coordinates errs by a last bit; what is as near to a pixel is rounded to it anyway."""


def contour_lines(plane: NDArray[np.floating], level: float) -> list[Floats]:
    """Find the contour of a plane at one value.

    Parameters
    ----------
    plane : ndarray of float, (rows, columns)
        Values at pixel centres. There are no lines in squares with a corner that is not finite.
    level : float
        The value; pixels equal to it lie below the line.

    Returns
    -------
    list of ndarray of float64, (n, 2)
        Lines, each of two points or more: column and row in thousandths of a pixel, integers from 0. Higher values lie
        to the left where rows count upwards, to the right where they count downwards. Closed lines end where they
        began.
    """
    if min(plane.shape) < 2:
        return []
    values = np.asarray(plane, np.float64)
    masked = np.ma.masked_invalid(values)
    generator = contourpy.contour_generator(
        z=masked, name="serial", line_type=contourpy.LineType.Separate, corner_mask=False
    )
    lines = generator.lines(level)
    return [one for line in lines if len(one := _without_repeats(_settled(np.asarray(line), values, level))) > 1]


def _settled(points: Floats, values: Floats, level: float) -> Floats:
    """Compute points on the sides of squares from the pixels at the ends, the left or upper one first."""
    nearest = np.rint(points)
    points = np.where(np.abs(points - nearest) < _SNAP, nearest, points)
    first = np.floor(points).astype(np.intp)
    along = (points > first).astype(np.intp)  # which coordinate lies between two pixels, if any does
    second = first + along
    low, high = values[first[:, 1], first[:, 0]], values[second[:, 1], second[:, 0]]
    between = along.any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.where(between, (level - low) / (high - low), 0.0)
    share = np.clip(np.nan_to_num(share, nan=0.5), 0.0, 1.0)
    return np.asarray(STEPS * first + np.rint(STEPS * share)[:, np.newaxis] * along)


def _without_repeats(points: Floats) -> Floats:
    """Leave out points that equal the one before."""
    return points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))]


def smoothed(plane: NDArray[np.floating], width: int) -> Floats:
    """Means over boxes of `width` × `width` pixels, of those in them that are finite.

    Summed pixel by pixel in one order: a pixel's mean does not depend on the rectangle it is computed in, as long as
    that holds the whole box.

    Parameters
    ----------
    plane : ndarray of float, (rows, columns)
        Values.
    width : int
        Side of the box, odd.

    Returns
    -------
    ndarray of float64, (rows, columns)
        NaN where the pixel itself is not finite.
    """
    finite = np.isfinite(plane)
    sums, counts = np.where(finite, plane, 0.0).astype(np.float64), finite.astype(np.float64)
    for axis in (0, 1):
        sums, counts = _box_sums(sums, width, axis), _box_sums(counts, width, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(finite, sums / counts, np.nan)


def _box_sums(values: Floats, width: int, axis: int) -> Floats:
    margin, size = width // 2, values.shape[axis]
    padded = np.pad(values, [(margin, margin) if axis == one else (0, 0) for one in (0, 1)])
    sums = np.zeros_like(values)
    for shift in range(width):
        sums += padded.take(range(shift, shift + size), axis=axis)
    return sums


def count_points(lines: Sequence[Floats]) -> int:
    """Count the points of some lines."""
    return sum(len(line) for line in lines)
