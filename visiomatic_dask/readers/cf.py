"""What attributes by the CF conventions say of stored values: packing, missing values, the sign of integers, calendars.

CF conventions 1.11, sections 2.5.1, 4.4 and 8.1; ``_Unsigned`` is of the NetCDF User's Guide. ``valid_range`` and its
kin mask nothing: pictures show what the file holds, as xarray does.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from visiomatic_dask.readers.scaling import Scaling

_GREGORIAN = ("", "standard", "gregorian", "proleptic_gregorian")


def cf_scaling(
    stored: np.dtype[Any], attributes: Mapping[str, Any], default_fill: float | None = None
) -> tuple[Scaling, list[str]]:
    """Tell how the stored values of a variable become physical ones.

    Parameters
    ----------
    stored : dtype
        Of the values as they are read: booleans, integers or floats, in either byte order.
    attributes : mapping
        Of the variable: ``scale_factor``, ``add_offset``, ``_FillValue``, ``missing_value``, ``_Unsigned``.
    default_fill : float, optional
        What the format writes where a floating-point variable without a ``_FillValue`` has not been written.

    Returns
    -------
    (scaling, warnings)
        What cannot be used is left out, with a warning.
    """
    notes: list[str] = []
    if stored.kind == "b":
        return Scaling(stored.str), notes
    unsigned = str(attributes.get("_Unsigned", "")).lower()
    if (stored.kind, unsigned) in (("i", "true"), ("u", "false")):
        stored = np.dtype(stored.str.replace(stored.kind, "u" if stored.kind == "i" else "i"))
    scale = _finite(attributes, "scale_factor", 1.0, notes)
    zero = _finite(attributes, "add_offset", 0.0, notes)
    blanks: dict[float, None] = {}
    for key in ("_FillValue", "missing_value"):
        for value in _listed(attributes.get(key)):
            number = _number(value)
            blank = None if number is None else _stored_value(number, stored)
            if blank is not None:
                blanks[blank] = None
            elif number is None or not math.isnan(number):
                notes.append(f"{key} = {value!r} is ignored: {stored.name} has no such value")
    if default_fill is not None and stored.kind == "f" and stored.itemsize >= 4 and "_FillValue" not in attributes:
        blanks[float(stored.type(default_fill))] = None
    values = tuple(blanks)
    return Scaling(stored.str, scale, zero, values[0] if values else None, values[1:]), notes


def unit_of(attributes: Mapping[str, Any]) -> str:
    """Return the units of a variable; those of a time in another calendar than the Gregorian say so."""
    unit, calendar = str(attributes.get("units", "")).strip(), str(attributes.get("calendar", "")).lower()
    return unit if calendar in _GREGORIAN or " since " not in unit else f"{unit} ({calendar})"


def _finite(attributes: Mapping[str, Any], key: str, default: float, notes: list[str]) -> float:
    values = _listed(attributes.get(key, default))
    number = _number(values[0]) if len(values) == 1 else None
    if number is None or not math.isfinite(number):
        notes.append(f"{key} = {attributes[key]!r} is ignored: it is not a number")
        return default
    return float(number)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        return list(value.reshape(-1).tolist())
    return list(value) if isinstance(value, list | tuple) else [value]


def _number(value: Any) -> int | float | None:
    """Read a number as NumPy or JSON has it, or as xarray writes floats into Zarr 3: base64 of a double."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
        try:
            return float(struct.unpack("<d", base64.b64decode(value, validate=True))[0])
        except (binascii.Error, struct.error):
            return None
    return None


def _stored_value(value: float, stored: np.dtype[Any]) -> float | None:
    """Return a missing value as the stored type has it; None where it has not, and for NaN, which is missing anyhow."""
    if math.isnan(value):
        return None
    if stored.kind == "f":
        with np.errstate(over="ignore"):
            return float(stored.type(value))
    if not math.isfinite(value) or value != int(value):
        return None
    value, limits = int(value), np.iinfo(stored)
    if value < 0 and stored.kind == "u":  # written with the sign that _Unsigned denies
        value += limits.max + 1
    elif value > limits.max and stored.kind == "i":
        value -= 1 << (8 * stored.itemsize)
    return value if limits.min <= value <= limits.max else None
