"""Spectral coordinates: what an axis measures, and its conversion into anything else, by astropy.

Quantities are those of FITS Paper III (Greisen et al. 2006, A&A 446, 747), table 1. Air and vacuum wavelengths
differ by the refractivity of standard air of Ciddor (1996, Appl. Opt. 35, 1566), equation 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import constants
from astropy import units as u
from numpy.typing import NDArray

from visiomatic_dask.cube.axes import Axis
from visiomatic_dask.errors import InvalidRequest

Array = NDArray[np.float64]

UNITS: dict[str, u.UnitBase] = {
    "frequency": u.GHz,
    "wavelength": u.um,
    "wavelength-air": u.um,
    "velocity-radio": u.km / u.s,
    "velocity-optical": u.km / u.s,
    "velocity-relativistic": u.km / u.s,
    "energy": u.eV,
    "wavenumber": u.cm**-1,
    "redshift": u.dimensionless_unscaled,
    "beta": u.dimensionless_unscaled,
}
"""What can be converted into, and the unit it comes in unless another is asked for."""

NEEDS_REST = ("velocity-radio", "velocity-optical", "velocity-relativistic", "redshift", "beta")

_SI: dict[str, u.UnitBase] = {
    "frequency": u.Hz,
    "wavelength": u.m,
    "wavelength-air": u.m,
    "energy": u.J,
    "wavenumber": u.m**-1,
    "redshift": u.dimensionless_unscaled,
    "beta": u.dimensionless_unscaled,
}

_OF_CTYPE = {
    "FREQ": "frequency",
    "WAVE": "wavelength",
    "WAVELENG": "wavelength",
    "LAMBDA": "wavelength",
    "AWAV": "wavelength-air",
    "ENER": "energy",
    "WAVN": "wavenumber",
    "VRAD": "velocity-radio",
    "VOPT": "velocity-optical",
    "FELO": "velocity-optical",
    "VELO": "velocity-relativistic",
    "ZOPT": "redshift",
    "BETA": "beta",
}

_SPELLINGS = {
    "a": "Angstrom",
    "ang": "Angstrom",
    "angstroms": "Angstrom",
    "angstrom": "Angstrom",
    "å": "Angstrom",
    "nanometer": "nm",
    "nanometers": "nm",
    "nanometre": "nm",
    "nanometres": "nm",
    "micron": "um",
    "microns": "um",
    "micrometer": "um",
    "micrometers": "um",
    "micrometre": "um",
    "micrometres": "um",
    "hz": "Hz",
    "khz": "kHz",
    "mhz": "MHz",
    "ghz": "GHz",
    "thz": "THz",
    "m/sec": "m/s",
    "km/sec": "km/s",
    "kms-1": "km/s",
    "kev": "keV",
    "ev": "eV",
    "cm-1": "cm-1",
    "cm^-1": "cm-1",
}

_NAME = re.compile(r"[^\W\d]+")
_EXPONENT = re.compile(r"(?<=[\d.])[eE](?=[+-]?\d)")
_FUNCTIONS = ("sqrt", "mag", "dB", "dex", "log", "ln", "exp")

_AIR_FROM = 2e-7
"""Metres: below 200 nm air is opaque, and wavelengths are those in vacuum by convention."""


@dataclass(frozen=True, slots=True)
class SpectralAxis:
    """The coordinates of an axis, with what is needed to convert them.

    Attributes
    ----------
    quantity : str
        One of `UNITS`.
    values : ndarray of float64, (size,)
        The coordinates.
    unit : astropy unit
        Theirs.
    rest : float or None
        Frequency in Hz of the line at rest, where the header has one.
    assumed : bool
        Whether the unit is a guess, for the header has none that can be read.
    """

    quantity: str
    values: Array
    unit: u.UnitBase
    rest: float | None
    assumed: bool = False

    @classmethod
    def of(cls, axis: Axis, header: Mapping[str, Any]) -> SpectralAxis | None:
        """Understand an axis; None where it is not spectral, or has no coordinates.

        Parameters
        ----------
        axis : Axis
            Any.
        header : mapping
            FITS keywords: RESTFRQ, RESTFREQ or RESTWAV, and VELREF, which says what an AIPS velocity is.
        """
        if axis.kind != "spectral" or axis.coordinates is None:
            return None
        values = np.asarray(axis.coordinates, np.float64)
        unit = parse_unit(axis.unit)
        quantity = _quantity(axis, unit, header)
        if quantity is None:
            return None
        expected = _SI.get(quantity, u.m / u.s)
        assumed = unit is None or not unit.is_equivalent(expected)
        if assumed or unit is None:
            metres = expected == u.m and np.abs(values).max(initial=0.0) >= 100
            unit = u.AA if metres else expected
        return cls(quantity, values, unit, rest_frequency(header), assumed)

    def conversions(self) -> list[str]:
        """List what it can be converted into without being told a rest frequency."""
        needs = self.quantity in NEEDS_REST
        return [to for to in UNITS if to == self.quantity or self.rest is not None or not (needs or to in NEEDS_REST)]

    def convert(self, to: str, unit: str | None = None, rest: str | None = None) -> tuple[Array, u.UnitBase]:
        """Convert the coordinates.

        Parameters
        ----------
        to : str
            One of `UNITS`.
        unit : str, optional
            What to express them in; by default the one in `UNITS`.
        rest : str, optional
            Frequency, vacuum wavelength or energy of the line at rest, with its unit; by default the header's.

        Returns
        -------
        (ndarray of float64, (size,), unit)
            NaN where a coordinate has no counterpart, as a frequency of zero has no wavelength.

        Raises
        ------
        InvalidRequest
            If something is missing or cannot be used.
        """
        if to not in UNITS:
            raise InvalidRequest.value("to", to, ", ".join(UNITS))
        wanted = UNITS[to] if unit is None else parse_unit(unit)
        if wanted is None or not wanted.is_equivalent(UNITS[to]):
            raise InvalidRequest.value("unit", unit, f"a unit of {to}, as {UNITS[to] or 'none'}")
        if to == self.quantity:
            return (self.values * self.unit).to_value(wanted), wanted
        line = self.rest if rest is None else _rest(rest)
        if line is None and (self.quantity in NEEDS_REST or to in NEEDS_REST):
            raise InvalidRequest(
                f"{self.quantity} to {to} needs a rest frequency, which the header has not; "
                "allowed: rest=1.42GHz, or a wavelength or an energy",
                "rest",
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            frequency = _to_frequency(self.quantity, self.values * self.unit, line)
            found = _from_frequency(to, frequency, line).to_value(wanted)
        found[~np.isfinite(found)] = np.nan
        return found, wanted


def parse_unit(text: str) -> u.UnitBase | None:
    """Read a unit in any of the spellings that are found in headers; None where it cannot be read."""
    plain = text.strip()
    for one in (plain, _SPELLINGS.get(plain.lower().replace(" ", ""), ""), plain.lower()):
        if one and _may_be_unit(one):
            try:
                return u.Unit(one)
            except (ValueError, TypeError, u.UnitsError):
                continue
    return None


def _may_be_unit(text: str) -> bool:
    """Whether all names in a text are those of units: for one that is none, astropy takes 0.1 s to suggest others."""
    known = u.get_current_unit_registry().registry
    return all(
        name in known or (name in _FUNCTIONS and f"{name}(" in text) for name in _NAME.findall(_EXPONENT.sub("", text))
    )


def rest_frequency(header: Mapping[str, Any]) -> float | None:
    """Rest frequency of a header in Hz, from RESTFRQ, RESTFREQ or RESTWAV (metres, in vacuum); None without one."""
    for key, factor in (("RESTFRQ", None), ("RESTFREQ", None), ("RESTWAV", constants.c.value)):
        value = header.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
            return float(value) if factor is None else factor / float(value)
    return None


def refractive_index(vacuum: Array) -> Array:
    """Refractive index of standard air (15 °C, 101,325 Pa, 0.045 % CO2) at vacuum wavelengths in metres.

    Ciddor (1996), equation 1; 1 below 200 nm.
    """
    square = (1e-6 / vacuum) ** 2
    index = 1 + 1e-8 * (5792105 / (238.0185 - square) + 167917 / (57.362 - square))
    return np.where(vacuum >= _AIR_FROM, index, 1.0)


def vacuum_wavelength(air: Array) -> Array:
    """Vacuum wavelengths of wavelengths in air, in metres: the inverse of `refractive_index`, to 1 in 10^15."""
    vacuum = np.asarray(air, np.float64)
    for _ in range(4):
        vacuum = air * refractive_index(vacuum)
    return vacuum


def _quantity(axis: Axis, unit: u.UnitBase | None, header: Mapping[str, Any]) -> str | None:
    code, _, suffix = axis.ctype.strip().upper().partition("-")
    if code == "VELO" and suffix[:3] in ("LSR", "HEL", "OBS"):
        velref = header.get("VELREF", 0)
        # AIPS: 256 is added where the velocity is of the radio convention.
        return "velocity-radio" if isinstance(velref, int) and velref > 256 else "velocity-optical"
    if code in _OF_CTYPE:
        return _OF_CTYPE[code]
    for quantity, base in (("frequency", u.Hz), ("wavelength", u.m), ("energy", u.J), ("wavenumber", u.m**-1)):
        if unit is not None and unit.is_equivalent(base):
            return quantity
    return "velocity-radio" if unit is not None and unit.is_equivalent(u.m / u.s) else None


def _rest(text: str) -> float:
    try:
        frequency = u.Quantity(text).to_value(u.Hz, equivalencies=u.spectral())
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise InvalidRequest.value("rest", text, "a frequency, wavelength or energy as 1.42GHz") from error
    if not (np.ndim(frequency) == 0 and 0 < frequency < math.inf):
        raise InvalidRequest.value("rest", text, "a positive frequency, wavelength or energy as 1.42GHz")
    return float(frequency)


_DOPPLER = {
    "velocity-radio": u.doppler_radio,
    "velocity-optical": u.doppler_optical,
    "velocity-relativistic": u.doppler_relativistic,
}


def _to_frequency(quantity: str, values: u.Quantity, rest: float | None) -> u.Quantity:
    if quantity == "wavelength-air":
        values = vacuum_wavelength(values.to_value(u.m)) * u.m
    elif quantity == "redshift":
        return rest * u.Hz / (1 + values.to_value(u.dimensionless_unscaled))
    elif quantity == "beta":
        return (values * constants.c).to(u.Hz, equivalencies=u.doppler_relativistic(rest * u.Hz))
    elif quantity in _DOPPLER:
        return values.to(u.Hz, equivalencies=_DOPPLER[quantity](rest * u.Hz))
    return values.to(u.Hz, equivalencies=u.spectral())


def _from_frequency(to: str, frequency: u.Quantity, rest: float | None) -> u.Quantity:
    if to == "wavelength-air":
        vacuum = frequency.to_value(u.m, equivalencies=u.spectral())
        return vacuum / refractive_index(vacuum) * u.m
    if to == "redshift":
        return (rest * u.Hz / frequency - 1).to(u.dimensionless_unscaled)
    if to == "beta":
        speed = frequency.to(u.m / u.s, equivalencies=u.doppler_relativistic(rest * u.Hz))
        return (speed / constants.c).to(u.dimensionless_unscaled)
    if to in _DOPPLER:
        return frequency.to(UNITS[to], equivalencies=_DOPPLER[to](rest * u.Hz))
    return frequency.to(UNITS[to], equivalencies=u.spectral())
