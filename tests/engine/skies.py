"""Images of one made-up sky on many pixel grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_skycoord
from numpy.typing import NDArray

CENTRE = SkyCoord(359.98, 20.0, unit="deg")
"""Beside the meridian where right ascension starts anew."""


def header(
    width: int,
    height: int,
    scale: float,
    angle: float = 0.0,
    frame: str = "icrs",
    projection: str = "TAN",
    **cards: Any,
) -> fits.Header:
    """Make keywords of an image about `CENTRE`, pixels of `scale` degrees turned by `angle` degrees."""
    names = {"icrs": ("RA---", "DEC--"), "galactic": ("GLON-", "GLAT-"), "supergalactic": ("SLON-", "SLAT-")}[frame]
    where = CENTRE.transform_to(frame).spherical
    turn = np.radians(angle)
    suffix = projection if projection != "TAN-SIP" else "TAN"
    made = fits.Header()
    made.update(
        {
            "CTYPE1": f"{names[0]}{suffix}", "CTYPE2": f"{names[1]}{suffix}",
            "CRVAL1": where.lon.deg, "CRVAL2": where.lat.deg, "CRPIX1": (width + 1) / 2, "CRPIX2": (height + 1) / 2,
            "CD1_1": -scale * np.cos(turn), "CD1_2": scale * np.sin(turn),
            "CD2_1": scale * np.sin(turn), "CD2_2": scale * np.cos(turn),
        }
    )  # fmt: skip
    if projection == "TAN-SIP":
        made.update({"CTYPE1": f"{names[0]}TAN-SIP", "CTYPE2": f"{names[1]}TAN-SIP", "A_ORDER": 2, "B_ORDER": 2})
        made.update({"A_2_0": 2e-4, "A_1_1": -1e-4, "B_0_2": 3e-4, "AP_ORDER": 0, "BP_ORDER": 0})
    made.update(cards)
    return made


def brightness(sky: SkyCoord) -> NDArray[np.float64]:
    """A smooth pattern on the sky, and one star at `CENTRE`."""
    x, y, z = sky.icrs.cartesian.xyz.value
    star = 8 * np.exp(-((sky.separation(CENTRE).deg / 0.004) ** 2) / 2)
    return np.asarray(np.sin(300 * x) + np.cos(410 * y) + np.sin(500 * z) + star)


def write_image(path: Path, keywords: fits.Header, width: int, height: int) -> NDArray[np.float32]:
    """Write an image of that sky; NaN where there is none."""
    from visiomatic_dask.cube.sky import celestial_frame

    wcs = WCS(keywords)
    y, x = np.mgrid[:height, :width]
    if keywords["CTYPE1"].startswith("SLON"):
        lon, lat = wcs.all_pix2world(x, y, 0)
        pixels = brightness(SkyCoord(lon, lat, unit="deg", frame=celestial_frame(wcs))).astype(np.float32)
    else:
        pixels = brightness(pixel_to_skycoord(x, y, wcs)).astype(np.float32)
    fits.writeto(path, pixels, keywords)
    return pixels
