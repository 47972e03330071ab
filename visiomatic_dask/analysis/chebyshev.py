"""Chebyshev polynomials in two variables of limited total degree, fitted to many patches at once.

A patch is a rectangle whose sides run from −1 to 1 in s and t. Terms T_p(s) T_q(t) come in rising p + q, and within
that in rising p, so that a lower degree is the beginning of a higher one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEGREE = 9
"""Highest total degree."""


def terms(degree: int) -> int:
    """Return how many terms there are up to a total degree."""
    return (degree + 1) * (degree + 2) // 2


@dataclass(frozen=True)
class Basis:
    """Terms and their derivatives at some points.

    Attributes
    ----------
    points : ndarray of float64, (n, 2)
        s and t.
    values, along_s, along_t : ndarray of float64, (n, terms(DEGREE))
        Every term, and its derivatives by s and t.
    """

    points: Array
    values: Array
    along_s: Array
    along_t: Array

    @classmethod
    def at(cls, points: Array) -> Basis:
        """Evaluate every term at points, (n, 2)."""
        powers = [(p, total - p) for total in range(DEGREE + 1) for p in range(total + 1)]
        p, q = np.array(powers).T
        in_s, in_t = (chebyshev.chebvander(column, DEGREE) for column in points.T)
        slope_s, slope_t = (_slopes(one) for one in (in_s, in_t))
        return cls(points, in_s[:, p] * in_t[:, q], slope_s[:, p] * in_t[:, q], in_s[:, p] * slope_t[:, q])


def _slopes(vander: Array) -> Array:
    """Differentiate T_0 … T_n where their values are known: T_k' is a sum of lower ones."""
    matrix = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(1, DEGREE + 1):
        one = np.zeros(k + 1)
        one[k] = 1
        slope = chebyshev.chebder(one)
        matrix[: len(slope), k] = slope
    return np.asarray(vander @ matrix)


def grid(along: Array) -> Array:
    """All pairs of values, as points, t varying slowest."""
    t, s = np.meshgrid(along, along, indexing="ij")
    return np.column_stack([s.ravel(), t.ravel()])


@cache
def nodes() -> Basis:
    """Points of a fit: the zeros of T_12 along both sides."""
    return Basis.at(grid(np.cos(np.pi * (np.arange(12) + 0.5) / 12)))


@cache
def checks() -> Basis:
    """Points between those of a fit, and on the border of the patch: the extrema of T_12."""
    return Basis.at(grid(np.cos(np.pi * np.arange(13) / 12)))


@cache
def _projection() -> Array:
    return np.asarray(np.linalg.pinv(nodes().values), np.float64)


def fit(values: Array) -> Array:
    """Fit patches whose values are all finite.

    Parameters
    ----------
    values : ndarray of float64, (patches, 144, k)
        k functions at `nodes`.

    Returns
    -------
    ndarray of float64, (patches, terms(DEGREE), k)
    """
    return np.asarray(_projection() @ values)


def fit_masked(basis: Basis, values: Array) -> Array | None:
    """Fit one patch by least squares where its values are finite.

    Parameters
    ----------
    basis : Basis
        At n points.
    values : ndarray of float64, (n, k)
        NaN where there is nothing to fit.

    Returns
    -------
    ndarray of float64, (terms(DEGREE), k), or None
        Of the highest degree that there are twice as many values as terms for; None without enough for a plane.
    """
    there = np.isfinite(values).all(axis=1)
    degree = next((d for d in range(DEGREE, 0, -1) if 2 * terms(d) <= there.sum()), 0)
    if degree == 0:
        return None
    found, *_ = np.linalg.lstsq(basis.values[there, : terms(degree)], values[there], rcond=1e-13)
    whole = np.zeros((terms(DEGREE), values.shape[1]))
    whole[: len(found)] = found
    return whole
