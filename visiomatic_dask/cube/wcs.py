"""World coordinates of a layer, by astropy; what cannot be used degrades to pixels with a warning, never an error."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

_COMMENTARY = ("COMMENT", "HISTORY", "")


@dataclass(frozen=True, slots=True)
class SkyPosition:
    """A position on the sky.

    Attributes
    ----------
    lon, lat : float
        Degrees, in `frame`.
    names : tuple of str
        What the two are called: RA and Dec, l and b …
    text : tuple of str
        The same for people: sexagesimal where that is the custom, else degrees.
    frame : str
        astropy's name of the frame, or the native coordinate types where it has none.
    """

    lon: float
    lat: float
    names: tuple[str, str]
    text: tuple[str, str]
    frame: str


@dataclass(frozen=True)
class LayerWCS:
    """World coordinates of a layer.

    Attributes
    ----------
    full : astropy.wcs.WCS or None
        Of all axes; None where the header has none that can be used.
    celestial : astropy.wcs.WCS or None
        Of the y and x axes, where they are celestial.
    warnings : tuple of str
        What was wrong with the header's keywords.
    """

    full: WCS | None
    celestial: WCS | None
    warnings: tuple[str, ...] = field(default=())

    @classmethod
    def from_header(cls, header: fits.Header) -> LayerWCS:
        """Build the WCS that a header describes; whatever is wrong with it becomes a warning."""
        found: list[str] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                cards = fits.Header([card for card in header.cards if card.keyword not in _COMMENTARY])
                full = WCS(cards)
                celestial = _spatial_celestial(full)
            except Exception as error:  # noqa: BLE001 - wcslib raises many kinds on headers from the wild
                full = celestial = None
                found.append(f"the WCS cannot be used: {_one_line(error)}")
        # wcslib also tells what it put right by itself ("datfix made the change …"): nothing a user need act on.
        found += [text for one in caught if "made the change" not in (text := _one_line(one.message))]
        return cls(full, celestial, tuple(dict.fromkeys(found)))

    @property
    def frame(self) -> str | None:
        """Name of the celestial frame, or None."""
        if self.celestial is None:
            return None
        try:
            return str(wcs_to_celestial_frame(self.celestial).name)
        except ValueError:
            return "/".join(self.celestial.wcs.ctype)

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
        pix2world = self.celestial.all_pix2world if self.celestial.has_distortion else self.celestial.wcs_pix2world
        world = pix2world([[x, y]], 1)[0]
        # The axes are longitude and latitude, or, as the header has them, the other way round.
        lon, lat = float(world[self.celestial.wcs.lng]), float(world[self.celestial.wcs.lat])
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        frame = self.frame or ""
        names, text = _written(lon, lat, frame)
        return SkyPosition(lon, lat, names, text, frame)

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
        if self.full is None or not 1 <= fits_axis <= self.full.naxis:
            return None
        pixels = np.tile(np.asarray(self.full.wcs.crpix, float), (size, 1))
        pixels[:, fits_axis - 1] = np.arange(1, size + 1)
        values = self.full.wcs_pix2world(pixels, 1)[:, fits_axis - 1]
        if not np.isfinite(values).all():
            return None
        return tuple(float(v) for v in values), str(self.full.wcs.cunit[fits_axis - 1])


def cd_matrix(header: dict[str, Any]) -> dict[str, float]:
    """Derive the CD matrix of the first two axes (FITS Paper I, section 2 and 6).

    Parameters
    ----------
    header : mapping
        FITS keywords. CDi_j is taken where it stands; else PCi_j (or the older PC00i00j) times CDELTi; else the
        rotation CROTA2.

    Returns
    -------
    dict
        CD1_1, CD1_2, CD2_1 and CD2_2, in degrees a pixel (or whatever CDELT is in).
    """

    def number(key: str, default: float) -> float:
        value = header.get(key, default)
        return float(value) if isinstance(value, int | float) else default

    if any(f"CD{i}_{j}" in header for i in (1, 2) for j in (1, 2)):
        return {f"CD{i}_{j}": number(f"CD{i}_{j}", 0.0) for i in (1, 2) for j in (1, 2)}
    cdelt = {i: number(f"CDELT{i}", 1.0) for i in (1, 2)}
    for pattern in ("PC{0}_{1}", "PC{0:03d}{1:03d}"):
        if any(pattern.format(i, j) in header for i in (1, 2) for j in (1, 2)):
            return {
                f"CD{i}_{j}": cdelt[i] * number(pattern.format(i, j), float(i == j)) for i in (1, 2) for j in (1, 2)
            }
    angle = math.radians(number("CROTA2", number("CROTA1", 0.0)))
    return {
        "CD1_1": cdelt[1] * math.cos(angle),
        "CD1_2": -cdelt[2] * math.sin(angle),
        "CD2_1": cdelt[1] * math.sin(angle),
        "CD2_2": cdelt[2] * math.cos(angle),
    }


def _spatial_celestial(full: WCS) -> WCS | None:
    """Return the celestial part, if the two fastest axes are the celestial ones."""
    if not full.has_celestial or {full.wcs.lng, full.wcs.lat} != {0, 1}:
        return None
    celestial = full.sub([1, 2])
    world = celestial.wcs_pix2world([celestial.wcs.crpix], 1)  # raises here, not at the first request
    return celestial if np.isfinite(world).all() else None


def _written(lon: float, lat: float, frame: str) -> tuple[tuple[str, str], tuple[str, str]]:
    if frame in ("icrs", "fk5", "fk4", "fk4noeterms", "gcrs"):
        ra = Angle(lon, "deg").wrap_at("360d").to_string(unit="hourangle", precision=2, pad=True)
        dec = Angle(lat, "deg").to_string(unit="deg", precision=1, pad=True, alwayssign=True)
        return ("RA", "Dec"), (str(ra), str(dec))
    names = ("l", "b") if frame == "galactic" else ("lon", "lat")
    return names, (f"{lon % 360:.6f}°", f"{lat:+.6f}°")


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
