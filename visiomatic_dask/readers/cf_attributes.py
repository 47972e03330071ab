"""What the attributes of the CF conventions say of stored values: packing, missing values, the sign of integers.

CF conventions 1.11, sections 2.5.1 and 8.1; ``_Unsigned`` is of the NetCDF User's Guide. ``valid_range`` and its kin
mask nothing: pictures show what the file holds, as xarray does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from visiomatic_dask.readers.scaling import Scaling

DEFAULT_FILL = 9.969209968386869e36
"""What NetCDF writes where a floating-point variable has not been written (NC_FILL_FLOAT, NC_FILL_DOUBLE)."""
_GREGORIAN = ("", "standard", "gregorian", "proleptic_gregorian")


def cf_scaling(stored: np.dtype[Any], attributes: Mapping[str, Any]) -> tuple[Scaling, list[str]]:
    """Tell how the stored values of a variable become physical ones.

    Parameters
    ----------
    stored : dtype
        Of the stored values: integers or floats, in either byte order.
    attributes : mapping
        Of the variable.

    Returns
    -------
    (scaling, warnings)
        What cannot be used is left out, with a warning.
    """
    notes: list[str] = []
    unsigned = str(attributes.get("_Unsigned", "")).lower()
    if (stored.kind, unsigned) in (("i", "true"), ("u", "false")):
        stored = np.dtype(stored.str.replace(stored.kind, "u" if stored.kind == "i" else "i"))
    scale = _number(attributes, "scale_factor", 1.0, notes)
    zero = _number(attributes, "add_offset", 0.0, notes)
    blanks: dict[float, None] = {}
    for key in ("_FillValue", "missing_value"):
        for value in np.atleast_1d(attributes.get(key, ())).tolist():
            blank = _stored_value(value, stored)
            if blank is not None:
                blanks[blank] = None
            elif value == value:  # NaN, which is missing anyhow, is not equal to itself
                notes.append(f"{key} = {value!r} is ignored: {stored.name} has no such value")
    if stored.kind == "f" and stored.itemsize >= 4 and "_FillValue" not in attributes:
        blanks[float(stored.type(DEFAULT_FILL))] = None
    values = tuple(blanks)
    return Scaling(stored.str, scale, zero, values[0] if values else None, values[1:]), notes


def unit_of(attributes: Mapping[str, Any]) -> str:
    """Return the units of a variable; those of a time in another calendar than the Gregorian say so."""
    unit, calendar = str(attributes.get("units", "")).strip(), str(attributes.get("calendar", "")).lower()
    return unit if calendar in _GREGORIAN or " since " not in unit else f"{unit} ({calendar})"


def _number(attributes: Mapping[str, Any], key: str, default: float, notes: list[str]) -> float:
    value = attributes.get(key, default)
    if isinstance(value, str | np.ndarray) or not np.isfinite(value):
        notes.append(f"{key} = {value!r} is ignored: it is not a number")
        return default
    return float(value)


def _stored_value(value: Any, stored: np.dtype[Any]) -> float | None:
    """Return a missing value as the stored type has it; None where it has not."""
    if isinstance(value, str) or value != value:
        return None
    if stored.kind == "f":
        with np.errstate(over="ignore"):
            return float(stored.type(value))
    if value != int(value):
        return None
    value, limits = int(value), np.iinfo(stored)
    if value < 0 and stored.kind == "u":  # written with the sign that _Unsigned denies
        value += limits.max + 1
    elif value > limits.max and stored.kind == "i":
        value -= 1 << (8 * stored.itemsize)
    return value if limits.min <= value <= limits.max else None
