"""World coordinates of a layer, by astropy; what cannot be used degrades to pixels with a warning, never an error."""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from astropy.coordinates import BaseCoordinateFrame
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from visiomatic_dask.cube.sky import SkyPosition, frame_named, sky_position, transformed
from visiomatic_dask.cube.wcs_levels import binned
from visiomatic_dask.cube.wcs_parts import WCSParts, parts_of

_COMMENTARY = ("COMMENT", "HISTORY", "")
_ASTRAY = 1e-3
"""How far, in pixels, a position may be from where its pixel lies, before the inversion counts as failed."""

_PIECE = 10_000
"""Positions that are converted in one go; in between, others get a look at the same WCS."""
_PAUSE = 1e-4
"""Seconds between two pieces: without any, who let go of a lock is the first to have it again."""

LookupTables = Callable[[], fits.HDUList | None]


class LayerWCS:
    """World coordinates of a layer. One that is made from a header reads it when something is first asked of it.

    Safe to use from several threads, which astropy's WCS is not.

    Parameters
    ----------
    full : astropy.wcs.WCS or None
        Of all axes; None where the header has none that can be used.
    celestial : astropy.wcs.WCS or None
        Of the x and y axes, where they are celestial.
    complaints : tuple of str
        What was wrong with the header's keywords.
    """

    def __init__(self, full: WCS | None, celestial: WCS | None, complaints: tuple[str, ...] = ()) -> None:
        self._parts: WCSParts | None = WCSParts(full, celestial, complaints)
        self._read: Callable[[], WCSParts] | None = None
        self._lock = threading.RLock()

    @classmethod
    def from_header(
        cls, header: fits.Header, x_axis: int = 1, y_axis: int = 2, *, tables: LookupTables | None = None
    ) -> LayerWCS:
        """Describe the WCS of a header; whatever is wrong with it becomes a warning.

        Parameters
        ----------
        header : astropy.io.fits.Header
            Commentary is left out: wcslib would look at every card of it.
        x_axis, y_axis : int
            Numbers of the FITS axes, from 1, that are shown as x and y.
        tables : callable, optional
            Gives the HDUs that hold the lookup tables of the header's distortions and -TAB axes.
        """
        cards = fits.Header([card for card in header.cards if card.keyword not in _COMMENTARY])
        wcs = cls(None, None)
        wcs._parts, wcs._read = None, lambda: parts_of(cards, x_axis, y_axis, tables)
        return wcs

    def checked(self, complaints: Callable[[LayerWCS], list[str]]) -> LayerWCS:
        """Return the same, with more warnings, which are looked for when something is first asked of it."""
        wcs = LayerWCS(None, None)
        wcs._parts, wcs._read = None, lambda: replace(self.parts, warnings=(*self.parts.warnings, *complaints(self)))
        return wcs

    @property
    def parts(self) -> WCSParts:
        """What the header was found to hold."""
        if self._parts is None:
            with self._lock:
                if self._parts is None:
                    assert self._read is not None
                    self._parts, self._read = self._read(), None
        return self._parts

    @property
    def full(self) -> WCS | None:
        """WCS of all axes."""
        return self.parts.full

    @property
    def celestial(self) -> WCS | None:
        """WCS of x and y, where they are celestial."""
        return self.parts.celestial

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the header's keywords."""
        return self.parts.warnings

    @property
    def frame(self) -> str | None:
        """Name of the celestial frame, or None."""
        if self.celestial is None:
            return None
        frame = self.astropy_frame
        return str(frame.name) if frame is not None else "/".join(self.celestial.wcs.ctype)

    @property
    def astropy_frame(self) -> BaseCoordinateFrame | None:
        """The celestial frame, where astropy knows it."""
        return self.parts.frame

    @property
    def pixel_scale(self) -> float | None:
        """Side of a pixel in degrees (geometric mean of both), or None."""
        if self.celestial is None:
            return None
        scale = math.sqrt(math.prod(float(s) for s in proj_plane_pixel_scales(self.celestial)))
        return scale if math.isfinite(scale) and scale > 0 else None

    def sky(self, x: float, y: float) -> SkyPosition | None:
        """Sky position of a FITS pixel.

        Parameters
        ----------
        x, y : float
            1-based pixel coordinates, y up; integers are pixel centres.

        Returns
        -------
        SkyPosition or None
            None without a celestial WCS, or where the projection has no sky.
        """
        if self.celestial is None:
            return None
        lon, lat = self.world(np.array([[x, y]], np.float64))[0].tolist()
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        return sky_position(lon, lat, self.frame or "")

    def world(self, pixels: NDArray[np.float64], frame: str | None = None) -> NDArray[np.float64]:
        """Sky positions of FITS pixels.

        Parameters
        ----------
        pixels : ndarray of float64, (n, 2)
            x and y, from 1, y up.
        frame : str, optional
            One of `visiomatic_dask.cube.sky.FRAMES`; by default the layer's own.

        Returns
        -------
        ndarray of float64, (n, 2)
            Longitude and latitude in degrees; NaN where there is no sky, or no celestial WCS.

        Raises
        ------
        InvalidRequest
            If the frame is unknown, or the layer's own cannot be converted to it.
        """
        celestial = self.celestial
        if celestial is None or len(pixels) == 0:
            return np.full((len(pixels), 2), np.nan)
        pix2world = celestial.all_pix2world if celestial.has_distortion else celestial.wcs_pix2world
        # The axes are longitude and latitude, or, as the header has them, the other way round.
        world = self._in_pieces(lambda piece: pix2world(piece, 1), pixels)[:, [celestial.wcs.lng, celestial.wcs.lat]]
        world[~np.isfinite(world).all(axis=1)] = np.nan
        return world if frame is None else self.transform(world, frame)

    def transform(self, world: NDArray[np.float64], frame: str) -> NDArray[np.float64]:
        """Positions of the layer's own frame, (n, 2) in degrees, in another; errors as of `world`."""
        return transformed(world, self.astropy_frame, frame_named(frame), frame)

    def pixels(self, world: NDArray[np.float64], frame: str | None = None) -> NDArray[np.float64]:
        """FITS pixels of sky positions: the inverse of `world`, with the same parameters and errors.

        Returns
        -------
        ndarray of float64, (n, 2)
            x and y, from 1, y up; NaN where a position is not in the projection, or the inversion does not converge.
        """
        celestial = self.celestial
        if frame is not None and celestial is not None:
            world = transformed(world, frame_named(frame), self.astropy_frame, frame)
        found = np.full((len(world), 2), np.nan)
        usable = np.isfinite(world).all(axis=1)
        if celestial is None or not usable.any():
            return found
        order = np.argsort([celestial.wcs.lng, celestial.wcs.lat])

        def world2pix(piece: NDArray[np.float64]) -> NDArray[np.float64]:
            if celestial.has_distortion:
                return np.asarray(celestial.all_world2pix(piece, 1, quiet=True))
            return np.asarray(celestial.wcs_world2pix(piece, 1))

        found[usable] = self._in_pieces(world2pix, world[usable][:, order])
        if celestial.has_distortion:  # where the iteration went astray, its result is somewhere else on the sky
            found[~(separation(self.world(found), world) <= _ASTRAY * (self.pixel_scale or np.inf))] = np.nan
        found[~np.isfinite(found).all(axis=1)] = np.nan
        return found

    def _in_pieces(
        self, convert: Callable[[NDArray[np.float64]], NDArray[np.float64]], points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Convert points, (n, 2), n > 0, so that who wants one position need not wait for a million of others."""
        pieces = []
        for start in range(0, len(points), _PIECE):
            if start:
                time.sleep(_PAUSE)
            with self._lock:
                pieces.append(convert(points[start : start + _PIECE]))
        return np.concatenate(pieces)

    def axis_coordinates(self, fits_axis: int, size: int) -> tuple[tuple[float, ...], str] | None:
        """World coordinates along one axis, through the reference pixel of the others.

        Parameters
        ----------
        fits_axis : int
            Number of the FITS axis, from 1.
        size : int
            Pixels along it.

        Returns
        -------
        (coordinates, unit) or None
            None where the axis has no WCS.
        """
        with self._lock:
            found = self.parts.axis(fits_axis)
            if found is None:
                return None
            wcs, index = found
            pixels = np.tile(np.asarray(wcs.wcs.crpix, float), (size, 1))
            pixels[:, index] = np.arange(1, size + 1)
            try:
                values = wcs.wcs_pix2world(pixels, 1)[:, index]
            except ValueError:  # what wcslib raises where its parameters contradict one another
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that astropy does not know a unit
                unit = str(wcs.wcs.cunit[index])
        if not np.isfinite(values).all():
            return None
        return tuple(float(v) for v in values), unit

    def at_level(self, level: int, height: int) -> LayerWCS:
        """Make the WCS of a level, whose pixels are 2^level × 2^level pixels of the layer, aligned at its top.

        Parameters
        ----------
        level : int
            From 0.
        height : int
            Pixels of the layer along y.
        """
        with self._lock:
            parts = self.parts
            full, celestial = (
                None if one is None or one.naxis <= max(axes) else binned(one, axes, level, height)
                for one, axes in ((parts.full, parts.plane), (parts.celestial, (0, 1)))
            )
            return LayerWCS(full, celestial, parts.warnings)


def separation(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles in degrees between positions in degrees, (n, 2) each; by Vincenty's formula, exact for small ones too."""
    (lon1, lat1), (lon2, lat2) = np.radians(one).T, np.radians(other).T
    delta = lon2 - lon1
    y = np.hypot(
        np.cos(lat2) * np.sin(delta),
        np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(delta),
    )
    x = np.sin(lat1) * np.sin(lat2) + np.cos(lat1) * np.cos(lat2) * np.cos(delta)
    return np.asarray(np.degrees(np.arctan2(y, x)))
