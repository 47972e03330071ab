"""Time axes: the date that their zero is, and dates of their pixels.

FITS says it by keywords (Paper IV, Rots et al. 2015, A&A 574, A36: MJDREF or MJDREFI + MJDREFF, JDREF, DATEREF,
TIMESYS), and its times have leap seconds; the CF conventions (1.11, section 4.4) by the unit, as "days since
1970-01-01", and theirs have none.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time, TimeDelta

_SCALES = ("utc", "tai", "tt", "tdb", "tcb", "tcg", "ut1")
_OTHER_NAMES = {"et": "tt", "tdt": "tt", "iat": "tai", "gmt": "utc"}
_MJD_OF_JD = 2400000.5
_SINCE = re.compile(
    r"\s*(\w+)\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{1,2})(?:\.(\d*))?)?)?\s*(?:Z|UTC|GMT|[+-]?0?0:?(?:00)?)?\s*",
    re.IGNORECASE,
)
_MILLISECONDS = {"day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}
_SHORT = {"d": "day", "h": "hour", "hr": "hour", "min": "minute", "s": "second", "sec": "second", "ms": "millisecond"}
_FIRST = np.datetime64("1582-10-15", "ms")
"""Before that, CF's standard calendar is the Julian one."""
_MOST = 2**58


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


def date_text(value: float, unit: str) -> str | None:
    """Write a time as a date.

    Parameters
    ----------
    value : float
        Time in `unit`.
    unit : str
        ``<days, hours, minutes, seconds or milliseconds> since <date>[ <time>]``, in UTC.

    Returns
    -------
    str or None
        ISO 8601, to the millisecond, as short as can be; None where the unit says something else, or the calendar is
        not the Gregorian one.
    """
    found = _SINCE.fullmatch(unit)
    if found is None or not math.isfinite(value):
        return None
    word = found[1].lower()
    size = _MILLISECONDS.get(_SHORT.get(word, word.removesuffix("s")))
    if size is None or abs(value * size) > _MOST:
        return None
    year, month, day, hour, minute, second = (int(one or 0) for one in found.groups()[1:7])
    thousandths = f"{(found[8] or ''):0<3.3}"
    try:
        first = np.datetime64(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{thousandths}", "ms")
    except ValueError:  # there is no such date
        return None
    date = first + np.timedelta64(round(value * size), "ms")
    if first < _FIRST or date < _FIRST:
        return None
    return str(np.datetime_as_string(date)).removesuffix(".000").removesuffix("T00:00:00")


def _date(value: str | float, form: str, scale: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f"{Time(value, format=form, scale=scale).isot} {scale}"
    except ValueError:
        return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
