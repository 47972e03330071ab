"""FITS keywords of arrays whose axes have names and coordinates: so that what works on a header works on them, too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io import fits

from visiomatic_dask.cube import Axis

_KEYWORD = re.compile("[A-Za-z0-9]{1,8}")
_STRUCTURAL = re.compile(
    "SIMPLE|BITPIX|NAXIS|EXTEND|XTENSION|PCOUNT|GCOUNT|GROUPS|END$|COMMENT|HISTORY|BSCALE|BZERO|BLANK"
    "|CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|PC0|CD0|PV|PS|LONPOLE|LATPOLE|WCSAXES|RADESYS|EQUINOX|MJDREF|DATEREF|TIMESYS",
    re.IGNORECASE,
)
"""Keywords of the layout of a FITS array, or of where it is on the sky: of a copied header they may hold for an array
with its rows the other way round, or for another part of it."""
_LONGEST = 60
_EVEN = 1e-3
"""Largest deviation from even spacing, in pixels."""


def labelled_header(axes: Sequence[Axis], y: int, x: int, unit: str, attributes: Mapping[str, Any]) -> fits.Header:
    """Write what is known of an array as FITS keywords: with a WCS where both spatial axes are evenly spaced.

    Parameters
    ----------
    axes : sequence of Axis
        In array order.
    y, x : int
        Positions of the spatial axes among them.
    unit : str
        Unit of the pixels.
    attributes : mapping
        What the file says of the array; what a FITS card can hold is taken over, but for keywords of layout and WCS.
    """
    header = fits.Header()
    header["NAXIS"] = len(axes)
    for number, axis in enumerate(reversed(axes), 1):
        header[f"NAXIS{number}"] = axis.size
    _write_wcs(header, axes, y, x)
    if unit:
        header["BUNIT"] = unit
    for key, value in attributes.items():
        if not _KEYWORD.fullmatch(key) or _STRUCTURAL.match(key):
            continue
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str) and (not plain.isprintable() or not plain.isascii() or len(plain) > _LONGEST):
            continue
        if isinstance(plain, str | int) or (isinstance(plain, float) and np.isfinite(plain)):
            header.setdefault(key.upper(), plain)
    return header


def _write_wcs(header: fits.Header, axes: Sequence[Axis], y: int, x: int) -> None:
    """Write the WCS of the spatial axes.

    Latitudes and longitudes of a body: FITS calls its own sky by these names, so that of the Earth is TLAT, TLON
    (astropy's ITRS). In the plate carrée CRVAL of the latitude is 0, for elsewhere the projection would be oblique; and
    it ends 180° to either side of its reference longitude, so with that in the middle it holds the whole Earth.
    """
    along_x, along_y = _spacing(axes[x]), _spacing(axes[y])
    if along_x is None or along_y is None:
        return
    degrees = all(axes[axis].unit.lower().startswith("degree") for axis in (y, x))
    middle = along_x[0] + along_x[1] * (axes[x].size - 1) / 2
    for axis, (first, step), ctype, reference in (
        (x, along_x, "TLON-CAR", middle),
        (y, along_y, "TLAT-CAR", 0.0),
    ):
        number = len(axes) - axis
        header[f"CTYPE{number}"] = ctype if degrees else "LINEAR"
        header[f"CDELT{number}"] = step
        if degrees:
            header[f"CUNIT{number}"] = "deg"
        header[f"CRVAL{number}"] = reference if degrees else first
        header[f"CRPIX{number}"] = 1.0 + ((reference if degrees else first) - first) / step


def _spacing(axis: Axis) -> tuple[float, float] | None:
    """First coordinate and step, where the coordinates are evenly spaced."""
    if axis.coordinates is None or axis.size < 2:
        return None
    values = np.asarray(axis.coordinates)
    step = (values[-1] - values[0]) / (axis.size - 1)
    if step == 0 or np.abs(values - (values[0] + step * np.arange(axis.size))).max() > _EVEN * abs(step):
        return None
    return float(values[0]), float(step)
