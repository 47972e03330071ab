"""The sky of a layer as a few numbers: Chebyshev patches of the unit vector, for browsers that have no WCS library.

The picture is divided like a quadtree until a polynomial of each patch differs from astropy by less than
`TARGET` pixels. Patches across the rim of the sky, or where a projection has a fold, carry a mask that says where they
can be used; what does not converge within the limits is left to the server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.analysis import chebyshev
from visiomatic_dask.analysis.chebyshev import DEGREE, Array, Basis, terms

TARGET = 1e-3
"""Error in pixels below which a patch is not divided."""
ACCEPTED = 0.04
"""Error in pixels up to which a patch that cannot be divided further is used."""
SAFETY = 2.0
"""What is stated is so many times the largest error that was found between the points of the fit."""
MASK = 16
"""A mask has so many cells along either side."""
DEPTH = 6
"""How often a patch may be divided."""
_RIM_DEPTH = 3
"""A patch across the rim is divided so often at least: cells of its mask that the rim runs through are lost."""
_MOST_PATCHES = 320
_FLATTEST = 1e-2
"""Pixels that are this many times longer than wide, as at the poles of a cylindrical projection, are measured by their
longer side."""

NO_SKY, USABLE, ASK = ".+?"

Sky = Callable[[Array], Array]
"""Longitude and latitude in degrees, (n, 2), at FITS pixels, (n, 2)."""


@dataclass(frozen=True)
class Patch:
    """One rectangle of the picture.

    Attributes
    ----------
    depth, column, row : int
        Where it is: ``2**depth`` columns and rows, counted from the left and from below.
    degree : int
        Total degree of its polynomials.
    coefficients : ndarray of float64, (terms(degree), 3), or None
        Of x, y and z of the unit vector; None where the patch is not usable.
    max_err_px : float
        Bound of its error in pixels.
    mask : str
        ``MASK**2`` cells, row by row from below: no sky, usable, or to be asked for. Empty where all is usable.
    has_sky : bool
        Whether there is any.
    """

    depth: int
    column: int
    row: int
    degree: int = 0
    coefficients: Array | None = None
    max_err_px: float = 0.0
    mask: str = ""
    has_sky: bool = True


def unit_vectors(world: Array) -> Array:
    """Return unit vectors, (…, 3), of longitudes and latitudes in degrees, (…, 2)."""
    lon, lat = np.radians(world[..., 0]), np.radians(world[..., 1])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def sky_patches(sky: Sky, width: int, height: int) -> list[Patch]:
    """Describe the sky of a picture.

    Parameters
    ----------
    sky : callable
        Gives the sky of FITS pixels; NaN where there is none.
    width, height : int
        Pixels of the picture, which reaches from 0.5 to width + 0.5 and height + 0.5.

    Returns
    -------
    list of Patch
        They cover the picture without overlap.
    """
    return _Division(sky, width, height).patches()


class _Division:
    def __init__(self, sky: Sky, width: int, height: int) -> None:
        self._sky = sky
        self._size = np.array([width, height], np.float64)

    def patches(self) -> list[Patch]:
        found: list[Patch] = []
        cells = np.zeros((1, 2), np.int64)
        for depth in range(DEPTH + 1):
            done, worst_first = self._level(cells, depth)
            found += done
            room = max(0, (_MOST_PATCHES - len(found) - len(worst_first)) // 3) if depth < DEPTH else 0
            found += [self._masked(cell, depth, fitted) for cell, fitted in worst_first[room:]]
            parents = np.array([cell for cell, _ in worst_first[:room]], np.int64).reshape(-1, 1, 2)
            cells = (2 * parents + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).reshape(-1, 2)
            if not len(cells):
                break
        return found

    def _vectors(self, cells: NDArray[np.int64], depth: int, points: Array) -> Array:
        """Return unit vectors, (cells, points, 3)."""
        side = self._size / 2**depth
        pixels = 0.5 + side * (cells[:, np.newaxis] + (points + 1) / 2)
        return unit_vectors(self._sky(pixels.reshape(-1, 2)).reshape(pixels.shape))

    def _level(
        self, cells: NDArray[np.int64], depth: int
    ) -> tuple[list[Patch], list[tuple[NDArray[np.int64], Array | None]]]:
        """Patches that are done, and those to be divided, with their fits, the worst ones first."""
        nodes, checks = chebyshev.nodes(), chebyshev.checks()
        vectors = self._vectors(cells, depth, np.vstack([nodes.points, checks.points, _ring()]))
        there: NDArray[np.bool_] = np.isfinite(vectors[..., 0])
        whole, nothing = there.all(axis=1), ~there.any(axis=1)
        done = [Patch(depth, c, r, has_sky=False) for c, r in cells[nothing].tolist()] if depth >= _RIM_DEPTH else []
        divided: list[tuple[float, NDArray[np.int64], Array | None]] = []
        inside = vectors[:, : len(nodes.points) + len(checks.points)]
        fits = chebyshev.fit(inside[whole, : len(nodes.points)])
        truth = inside[whole, len(nodes.points) :]
        errors = self._errors(checks, fits, truth, depth).max(axis=1)
        for cell, fitted, vector, error in zip(cells[whole], fits, truth, errors, strict=True):
            if error <= TARGET:
                done.append(self._thrifty(cell, depth, fitted, vector))
            else:
                divided.append((float(error), cell, fitted))
        for index in np.flatnonzero(~whole & ~(nothing if depth >= _RIM_DEPTH else np.zeros_like(nothing))):
            if depth < _RIM_DEPTH:
                divided.append((np.inf, cells[index], None))
                continue
            fitted, error = self._across(inside[index], depth)
            if error <= TARGET:
                done.append(self._masked(cells[index], depth, fitted))
            else:
                divided.append((error, cells[index], fitted))
        divided.sort(key=lambda one: -one[0])
        return done, [(cell, fitted) for _, cell, fitted in divided]

    def _across(self, inside: Array, depth: int) -> tuple[Array | None, float]:
        """Fit a patch that the rim runs through, and its error; by half of the points, and by the other."""
        nodes, checks = chebyshev.nodes(), chebyshev.checks()
        fitted = chebyshev.fit_masked(nodes, inside[: len(nodes.points)])
        if fitted is None:
            return None, np.inf
        errors = self._errors(checks, fitted[np.newaxis], inside[np.newaxis, len(nodes.points) :], depth)
        return fitted, float(np.nanmax(errors, initial=0.0))

    def _errors(self, basis: Basis, fits: Array, truth: Array, depth: int) -> Array:
        """Errors in pixels, (patches, points), of fits, (patches, terms, 3); NaN where there is no sky."""
        count = fits.shape[1]
        value = basis.values[:, :count] @ fits
        half = self._size / 2 ** (depth + 1)
        along_x = basis.along_s[:, :count] @ fits / half[0]
        along_y = basis.along_t[:, :count] @ fits / half[1]
        wrong = value / np.linalg.norm(value, axis=2, keepdims=True) - truth
        a, b, c = (
            (one * other).sum(axis=2) for one, other in ((along_x, along_x), (along_x, along_y), (along_y, along_y))
        )
        largest = (a + c) / 2 + np.hypot((a - c) / 2, b)
        with np.errstate(divide="ignore", invalid="ignore"):
            a, c = a + _FLATTEST**2 * largest, c + _FLATTEST**2 * largest
            u, v = (wrong * along_x).sum(axis=2), (wrong * along_y).sum(axis=2)
            determinant = a * c - b * b
            moved = np.hypot(c * u - b * v, a * v - b * u) / determinant
            errors = np.maximum(moved, np.linalg.norm(wrong, axis=2) / np.sqrt(largest))
        errors[np.isfinite(truth).all(axis=2) & ~np.isfinite(errors)] = np.inf
        return np.asarray(errors)

    def _thrifty(self, cell: NDArray[np.int64], depth: int, fitted: Array, truth: Array) -> Patch:
        """Keep the lowest degree, and the fewest digits, that suffice."""
        checks = chebyshev.checks()
        for degree in range(1, DEGREE + 1):
            tail = np.linalg.norm(fitted[terms(degree) :], axis=1).sum()
            if degree < DEGREE and tail > 10 * TARGET * self._finest(fitted, depth):
                continue
            short = self._rounded(fitted[: terms(degree)], depth)
            error = float(self._errors(checks, short[np.newaxis], truth[np.newaxis], depth).max())
            if error <= TARGET:
                return Patch(depth, int(cell[0]), int(cell[1]), degree, short, SAFETY * error)
        error = float(self._errors(checks, fitted[np.newaxis], truth[np.newaxis], depth).max())
        return Patch(depth, int(cell[0]), int(cell[1]), DEGREE, fitted, SAFETY * error)

    def _finest(self, fitted: Array, depth: int) -> float:
        """Typical angle of a pixel in radians, from the linear terms."""
        half = self._size / 2 ** (depth + 1)
        sides = np.linalg.norm(fitted[1:3], axis=1) / half[::-1]
        return float(max(sides.max(), 1e-300))

    def _rounded(self, fitted: Array, depth: int) -> Array:
        """Leave out the digits that mean less than a thousandth of the target."""
        digits = int(np.ceil(-np.log10(self._finest(fitted, depth) * TARGET / 1000)))
        return np.round(fitted, min(max(digits, 0), 17))

    def _masked(self, cell: NDArray[np.int64], depth: int, fitted: Array | None) -> Patch:
        """Say cell by cell where a patch can be used."""
        column, row = int(cell[0]), int(cell[1])
        if fitted is None:
            return Patch(depth, column, row)
        short = self._rounded(fitted, depth)
        lattice = _lattice()
        truth = self._vectors(cell[np.newaxis], depth, lattice.points)
        errors = self._errors(lattice, short[np.newaxis], truth, depth)[0]
        # Cells are 3 x 3 points of the lattice, which has one cell more around the patch.
        side = 2 * (MASK + 2) + 1
        there = np.isfinite(truth[0]).all(axis=1).reshape(side, side)
        error = np.where(there, errors.reshape(side, side), 0.0)
        # A cell counts with those around it: near the rim, errors rise steeply between the points.
        all_there, any_there, largest = (
            _blocks(values, reduce, 7) for values, reduce in ((there, np.min), (there, np.max), (error, np.max))
        )
        usable = all_there & (largest <= ACCEPTED)
        if not any_there.any():
            return Patch(depth, column, row, has_sky=False)
        if not usable.any():
            return Patch(depth, column, row)
        signs = np.where(usable, USABLE, np.where(any_there, ASK, NO_SKY))
        mask = "" if usable.all() else "".join(signs.ravel().tolist())
        return Patch(depth, column, row, DEGREE, short, SAFETY * float(largest[usable].max()), mask)


def _ring() -> Array:
    """Points around a patch: one that the rim comes near to has to be looked at closely."""
    along = np.linspace(-1.125, 1.125, 13)
    points = chebyshev.grid(along)
    return points[np.abs(points).max(axis=1) > 1.12]


def _lattice() -> Basis:
    """Points of the cells of a mask, and of one more all around."""
    edge = 1 + 2 / MASK
    return Basis.at(chebyshev.grid(np.linspace(-edge, edge, 2 * (MASK + 2) + 1)))


def _blocks(values: NDArray[Any], reduce: Callable[..., Any], size: int) -> NDArray[Any]:
    """Reduce windows of ``size`` × ``size`` points, every second one."""
    windows = np.lib.stride_tricks.sliding_window_view(values, (size, size))[::2, ::2]
    return np.asarray(reduce(windows, axis=(2, 3)))
