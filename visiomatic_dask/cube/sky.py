"""Positions on the sky: how they are written, and the frames they can be given in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.coordinates import (
    FK4,
    FK5,
    ICRS,
    Angle,
    BarycentricMeanEcliptic,
    BaseCoordinateFrame,
    Galactic,
    GeocentricTrueEcliptic,
    SkyCoord,
    Supergalactic,
)
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest

FRAMES: dict[str, type[BaseCoordinateFrame]] = {
    "icrs": ICRS,
    "fk5": FK5,
    "fk4": FK4,
    "galactic": Galactic,
    "supergalactic": Supergalactic,
    "geocentrictrueecliptic": GeocentricTrueEcliptic,
    "barycentricmeanecliptic": BarycentricMeanEcliptic,
}
"""Frames that positions may be asked for in; FK5, FK4 and the ecliptic ones of their default equinox."""

_EQUATORIAL = ("icrs", "fk5", "fk4", "fk4noeterms", "gcrs")
_CONVERTIBLE = (*FRAMES, "fk4noeterms")


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


def sky_position(lon: float, lat: float, frame: str) -> SkyPosition:
    """Write a position, given in degrees, as is the custom in its frame."""
    names = axis_names(frame)
    if frame in _EQUATORIAL:
        ra = Angle(lon, "deg").wrap_at("360d").to_string(unit="hourangle", precision=2, pad=True)
        dec = Angle(lat, "deg").to_string(unit="deg", precision=1, pad=True, alwayssign=True)
        return SkyPosition(lon, lat, names, (str(ra), str(dec)), frame)
    return SkyPosition(lon, lat, names, (f"{lon % 360:.6f}°", f"{lat:+.6f}°"), frame)


def axis_names(frame: str) -> tuple[str, str]:
    """Return what longitude and latitude are called in a frame."""
    if frame in _EQUATORIAL:
        return "RA", "Dec"
    return {"galactic": ("l", "b"), "supergalactic": ("SGL", "SGB")}.get(frame, ("lon", "lat"))


def celestial_frame(celestial: WCS) -> BaseCoordinateFrame | None:
    """Frame of a celestial WCS, or None where astropy has none (helioprojective and planetary coordinates).

    ELON/ELAT and SLON/SLAT are the ecliptic and the supergalactic system (Calabretta & Greisen 2002, A&A 395, 1077,
    section 3.1), which `astropy.wcs.utils` leaves out.
    """
    kinds = {ctype[:4].upper() for ctype in celestial.wcs.ctype}
    if kinds == {"SLON", "SLAT"}:
        return Supergalactic()
    if kinds == {"ELON", "ELAT"}:
        equinox = celestial.wcs.equinox
        return BarycentricMeanEcliptic(equinox=f"J{equinox if math.isfinite(equinox) else 2000.0}")
    try:
        return wcs_to_celestial_frame(celestial)
    except ValueError:
        return None


def transformed(
    world: NDArray[np.float64], source: BaseCoordinateFrame | None, target: BaseCoordinateFrame | None, name: str
) -> NDArray[np.float64]:
    """Positions in another frame.

    Parameters
    ----------
    world : ndarray of float64, (n, 2)
        Longitude and latitude in degrees; NaN where there is none, which stays NaN.
    source, target : astropy frame or None
        None where astropy does not know the frame.
    name : str
        What the request calls the frame it wants.

    Raises
    ------
    InvalidRequest
        If one of them cannot be converted into the other.
    """
    if any(frame is None or frame.name not in _CONVERTIBLE for frame in (source, target)):
        raise InvalidRequest.value("frame", name, "native: this layer's own coordinates cannot be converted to others")
    assert source is not None
    found = np.full(world.shape, np.nan)
    there = np.isfinite(world).all(axis=1)
    if there.any():
        sky: Any = SkyCoord(world[there, 0], world[there, 1], unit="deg", frame=source).transform_to(target)
        found[there] = np.column_stack([sky.spherical.lon.deg, sky.spherical.lat.deg])
    return found


def frame_named(name: str) -> BaseCoordinateFrame:
    """Return a frame by name.

    Raises
    ------
    InvalidRequest
        If there is none of that name; the message lists those there are.
    """
    frame = FRAMES.get(name.lower())
    if frame is None:
        raise InvalidRequest.value("frame", name, ", ".join(("native", *FRAMES)))
    return frame()
