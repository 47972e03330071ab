"""Packed and missing values as the CF conventions have them (1.11, sections 2.5.1 and 8.1)."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from visiomatic_dask.readers.scaling import Scaling


def cf_scaling(stored: np.dtype[Any], attributes: Mapping[str, Any]) -> tuple[Scaling, list[str]]:
    """Read ``scale_factor``, ``add_offset``, ``_FillValue``, ``missing_value`` and ``_Unsigned``.

    Parameters
    ----------
    stored : dtype
        Of the values as they are read: boolean, integer or float.
    attributes : mapping
        Attributes of the array.

    Returns
    -------
    scaling : Scaling
    warnings : list of str
        What cannot be made sense of, or cannot be done.
    """
    warnings: list[str] = []
    if stored.kind == "b":
        return Scaling(stored.str), warnings
    if stored.kind == "i" and str(attributes.get("_Unsigned", "")).lower() == "true":
        stored = np.dtype(stored.str.replace("i", "u"))
    numbers = {"scale_factor": 1.0, "add_offset": 0.0}
    for key in numbers:
        if key in attributes:
            value = _number(attributes[key], stored)
            if value is None or not math.isfinite(value):
                warnings.append(f"{key} is {attributes[key]!r}, which is no number: it is not applied")
            else:
                numbers[key] = value
    blanks = _blanks(stored, attributes, warnings)
    if len(blanks) > 1:
        warnings.append(f"of its missing values {blanks[0]:g} is masked, {', '.join(f'{b:g}' for b in blanks[1:])} not")
    return Scaling(stored.str, numbers["scale_factor"], numbers["add_offset"], next(iter(blanks), None)), warnings


def _blanks(stored: np.dtype[Any], attributes: Mapping[str, Any], warnings: list[str]) -> list[int | float]:
    """List the stored values that mean a missing one, without NaN, which needs no telling."""
    blanks: list[int | float] = []
    for key in ("_FillValue", "missing_value"):
        values = attributes.get(key)
        for value in values if isinstance(values, list | tuple | np.ndarray) else (values,):
            number = None if value is None else _number(value, stored)
            if value is not None and number is None:
                warnings.append(f"{key} is {value!r}, which is no number: nothing is masked for it")
            elif number is not None and not math.isnan(number) and number not in blanks:
                blanks.append(number)
    if stored.kind == "u":
        blanks = [number + 2 ** (8 * stored.itemsize) if -(2**63) <= number < 0 else number for number in blanks]
    return blanks


def _number(value: Any, stored: np.dtype[Any]) -> int | float | None:
    """Read a number as JSON or NumPy has it, or as xarray writes floats into Zarr 3: base64 of a double."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
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
            return float(struct.unpack("<d", base64.b64decode(value, validate=True))[0]) if stored.kind == "f" else None
        except (binascii.Error, struct.error):
            return None
    return None
