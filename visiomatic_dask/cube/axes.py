"""Axes of a layer: names, kinds, units and world coordinates along them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from astropy import units as u

from visiomatic_dask.cube.times import date_text, dates

AxisKind = Literal["x", "y", "spectral", "stokes", "time", "other"]

# FITS Paper III (Greisen et al. 2006, A&A 446, 747), table 1, and the older names that are still written.
_SPECTRAL_NAMES = {
    "FREQ": "frequency",
    "ENER": "energy",
    "WAVN": "wavenumber",
    "WAVE": "wavelength",
    "AWAV": "wavelength",
    "VRAD": "velocity",
    "VOPT": "velocity",
    "VELO": "velocity",
    "FELO": "velocity",
    "ZOPT": "redshift",
    "BETA": "beta",
    "LAMBDA": "wavelength",
    "WAVELENG": "wavelength",
}

_SPECTRAL_QUANTITIES = {"frequency": "frequency", "length": "wavelength", "speed": "velocity"}

# FITS Paper I (Greisen & Calabretta 2002, A&A 395, 1061), section 5.4.
STOKES_NAMES = {
    1: "I",
    2: "Q",
    3: "U",
    4: "V",
    -1: "RR",
    -2: "LL",
    -3: "RL",
    -4: "LR",
    -5: "XX",
    -6: "YY",
    -7: "XY",
    -8: "YX",
}


@dataclass(frozen=True)
class Axis:
    """One axis of a layer.

    Attributes
    ----------
    name : str
        Name of the dimension, unique within the layer: y, x, frequency, velocity, stokes, time, axis3 …
    kind : str
        What the axis is.
    ctype : str
        CTYPE of the header, or an empty string.
    unit : str
        Unit of `coordinates` (FITS spelling), or an empty string.
    size : int
        Number of pixels.
    coordinates : tuple of float or None
        World coordinate of every pixel; None where there is no usable WCS, and for y and x of FITS.
    reference : str
        Of a time axis: the date of its zero, see `visiomatic_dask.cube.times.time_reference`; or empty.
    """

    name: str
    kind: AxisKind
    ctype: str
    unit: str
    size: int
    coordinates: tuple[float, ...] | None = None
    reference: str = ""

    @cached_property
    def dates(self) -> list[str] | None:
        """Dates of the pixels of a time axis, ISO 8601 in its own time scale; None where they are not known."""
        if self.kind != "time" or self.coordinates is None:
            return None
        if self.reference:
            return dates(self.coordinates, self.unit, self.reference)
        found = [date_text(value, self.unit) for value in self.coordinates]
        return [one for one in found if one is not None] if None not in found else None

    def label(self, index: int) -> str:
        """Say in a few characters where along the axis a pixel is: ``115.271 GHz``, ``Q``."""
        if self.coordinates is None:
            return f"{self.name} {index + 1}"
        value = self.coordinates[index]
        if self.kind == "stokes":
            return STOKES_NAMES.get(round(value), f"{value:g}")
        if self.dates is not None:
            return self.dates[index]
        return _readable(value, self.unit, self._largest, self._step())

    @cached_property
    def _largest(self) -> float:
        return max(map(abs, self.coordinates or ()), default=0.0)

    def _step(self) -> float:
        assert self.coordinates is not None
        return abs(self.coordinates[-1] - self.coordinates[0]) / max(1, self.size - 1)


def kind_and_name(ctype: str, unit: str, position: int) -> tuple[AxisKind, str]:
    """Tell what a non-spatial axis is from its CTYPE, or from its unit where the type says nothing (CTYPE3 = LINEAR).

    Parameters
    ----------
    ctype : str
        CTYPE of the header.
    unit : str
        CUNIT of the header.
    position : int
        Number of the FITS axis, from 1; used for a name when the type says nothing.
    """
    code = ctype.strip().upper().split("-")[0]
    if code in _SPECTRAL_NAMES:
        return "spectral", _SPECTRAL_NAMES[code]
    if code == "STOKES":
        return "stokes", "stokes"
    if code in ("TIME", "UTC", "TAI", "TT", "TDB", "MJD", "JD"):
        return "time", "time"
    try:
        physical_type = str(u.Unit(unit).physical_type)
    except ValueError:
        physical_type = ""
    for quantity, name in _SPECTRAL_QUANTITIES.items():
        if quantity in physical_type:
            return "spectral", name
    return "other", "".join(c if c.isalnum() else "_" for c in code.lower()) or f"axis{position}"


def unique_names(names: Sequence[str]) -> list[str]:
    """Make names unique by numbering those that occur more than once; what is a name already is no number."""
    occurrences = Counter(names)
    numbers = {name: itertools.count(1) for name in names}
    taken = set(names)
    unique = []
    for name in names:
        one = name
        while occurrences[name] > 1 and one in taken:
            one = f"{name}_{next(numbers[name])}"
        taken.add(one)
        unique.append(one)
    return unique


_PREFIXES: dict[str, tuple[tuple[float, str], ...]] = {
    "Hz": ((1e12, "THz"), (1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz")),
    "m": ((1.0, "m"), (1e-2, "cm"), (1e-3, "mm"), (1e-6, "µm"), (1e-9, "nm")),
    "m / s": ((1e3, "km/s"),),
    "m s-1": ((1e3, "km/s"),),
    "m/s": ((1e3, "km/s"),),
}


def _readable(value: float, unit: str, largest: float, step: float) -> str:
    """Write a value with a prefix that suits the whole axis and the digits that tell neighbours apart."""
    scale, shown = 1.0, unit
    for factor, name in _PREFIXES.get(unit, ()):
        if largest >= factor or (unit.startswith("m ") or unit == "m/s"):
            scale, shown = factor, name
            break
    digits = 3
    while digits < 9 and 0 < step / scale < 10.0 ** (1 - digits):
        digits += 1
    number = f"{value / scale:.{digits}f}".rstrip("0").rstrip(".")
    return f"{number or '0'} {shown}".strip()
