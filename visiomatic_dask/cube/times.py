"""Time axes of FITS: the date that their zero is, and dates of their pixels.

FITS Paper IV (Rots et al. 2015, A&A 574, A36): MJDREF (MJDREFI + MJDREFF), JDREF, DATEREF, TIMESYS.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time, TimeDelta

_SCALES = ("utc", "tai", "tt", "tdb", "tcb", "tcg", "ut1")
_OTHER_NAMES = {"et": "tt", "tdt": "tt", "iat": "tai", "gmt": "utc"}
_MJD_OF_JD = 2400000.5


def time_reference(header: Mapping[str, Any], ctype: str) -> str:
    """Date that the zero of a time axis is, as ``2000-01-01T00:00:00.000 utc``.

    Parameters
    ----------
    header : mapping
        FITS keywords.
    ctype : str
        CTYPE of the axis.

    Returns
    -------
    str
        Empty where it is not told.
    """
    system = str(header.get("TIMESYS", ctype if ctype.lower() in _SCALES else "utc")).strip().lower()
    scale = _OTHER_NAMES.get(system, system if system in _SCALES else "utc")
    date = header.get("DATEREF")
    if isinstance(date, str):
        return _date(date.strip(), "isot", scale)
    days = [header.get(key) for key in ("MJDREF", "MJDREFI", "MJDREFF")]
    if any(_is_number(one) for one in days):
        whole, *parts = (float(one) if _is_number(one) else 0.0 for one in days)  # type: ignore[arg-type]
        return _date(sum(parts) or whole, "mjd", scale)
    if _is_number(header.get("JDREF")):
        return _date(float(header["JDREF"]) - _MJD_OF_JD, "mjd", scale)
    return _date(0.0, "mjd", scale) if ctype.strip().upper() == "MJD" else ""


def dates(values: Sequence[float], unit: str, reference: str) -> list[str] | None:
    """Dates of the pixels of a time axis, to the millisecond; None where they cannot be told.

    Parameters
    ----------
    values : sequence of float
        Coordinates.
    unit : str
        Theirs; seconds where there is none.
    reference : str
        As of `time_reference`.
    """
    date, _, scale = reference.partition(" ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dates that are far off have no leap seconds
            seconds = np.asarray(values) * u.Unit(unit or "s").to(u.s)
            found = Time(date, format="isot", scale=scale) + TimeDelta(seconds, format="sec")
            return [str(text) for text in found.isot]
    except (ValueError, TypeError):
        return None


def _date(value: str | float, form: str, scale: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f"{Time(value, format=form, scale=scale).isot} {scale}"
    except ValueError:
        return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
