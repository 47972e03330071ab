"""Dates of time axes that count from one: "days since 1970-01-01" (CF conventions 1.11, section 4.4)."""

from __future__ import annotations

import math
import re

import numpy as np

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
