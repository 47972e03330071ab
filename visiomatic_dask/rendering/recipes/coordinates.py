"""Coordinates of all channels of a layer, in whatever unit a recipe is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer
from visiomatic_dask.cube.spectral import SpectralAxis, parse_unit
from visiomatic_dask.errors import InvalidRequest

Array = NDArray[np.float64]

_QUANTITIES: tuple[tuple[str, u.UnitBase], ...] = (
    ("wavelength", u.m),
    ("frequency", u.Hz),
    ("velocity", u.m / u.s),
    ("energy", u.J),
    ("wavenumber", u.m**-1),
)


@dataclass(frozen=True)
class ChannelCoordinates:
    """Where along the spectral axis the channels are.

    Attributes
    ----------
    count : int
        Number of channels.
    spectral : SpectralAxis or None
        The spectral axis, where there is one with coordinates.
    before, after : int
        Channels that have the same coordinate: those that follow one another (`after`), and how often all of the axis
        comes again (`before`).
    """

    count: int
    spectral: SpectralAxis | None = None
    before: int = 1
    after: int = 1
    _found: dict[str, Array] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, layer: Layer) -> ChannelCoordinates:
        """Find the spectral axis of a layer."""
        leading = layer.shape[:-2]
        for place, axis in enumerate(layer.axes[:-2]):
            spectral = SpectralAxis.of(axis, layer.header)
            if spectral is not None:
                return cls(layer.channels, spectral, math.prod(leading[:place]), math.prod(leading[place + 1 :]))
        return cls(layer.channels)

    def values(self, unit: str) -> Array:
        """Coordinates of all channels, (count,), NaN where there is none; an empty unit gives channel numbers.

        A length is a wavelength in vacuum, but of an axis of wavelengths in air it is one in air; a velocity is of the
        axis's own convention, or the radio one of frequencies and the optical one of wavelengths.

        Raises
        ------
        InvalidRequest
            If the axis cannot be expressed in that unit.
        """
        found = self._found.get(unit)
        if found is None:  # a recipe may have hundreds of elements in the same unit
            found = self._found[unit] = self._values(unit)
        return found

    def _values(self, unit: str) -> Array:
        if not unit:
            return np.arange(self.count, dtype=np.float64)
        quantity = _quantity(unit)
        if quantity is None:
            allowed = "for a unit one of wavelength, frequency, velocity, energy or wavenumber, as nm or Angstrom"
            raise InvalidRequest.value("mix", unit, allowed)
        if self.spectral is None:
            raise InvalidRequest(
                f"mix has {unit}, but the cube has no spectral coordinates; "
                f"allowed: channel numbers from 0 to {self.count - 1}, without a unit",
                "mix",
            )
        to = _target(quantity, self.spectral.quantity)
        if to not in self.spectral.conversions():
            raise InvalidRequest(
                f"mix has {unit}, but {self.spectral.quantity} to {to} needs a rest frequency, which the header has "
                f"not; allowed: a unit of {self.spectral.quantity}, or channel numbers",
                "mix",
            )
        found, _ = self.spectral.convert(to, unit)
        return np.tile(np.repeat(found, self.after), self.before)

    def covered(self, unit: str) -> str:
        """Say what range the channels cover."""
        if not unit:
            return f"channels 0 to {self.count - 1}"
        values = self.values(unit)
        finite = values[np.isfinite(values)]
        return f"{finite.min():.7g} to {finite.max():.7g} {unit}" if finite.size else f"nothing in {unit}"

    def nearest(self, unit: str, value: float) -> str:
        """Say which channel is nearest to a coordinate; nothing where none has one."""
        values = self.values(unit)
        if not np.isfinite(values).any():
            return ""
        channel = int(np.nanargmin(np.abs(values - value)))
        return f"channel {channel} at {values[channel]:.7g} {unit}".rstrip()


def _quantity(unit: str) -> str | None:
    parsed = parse_unit(unit)
    try:
        return next((name for name, base in _QUANTITIES if parsed is not None and parsed.is_equivalent(base)), None)
    except u.UnitsError:  # a power so high that its scale cannot be written
        return None


def _target(quantity: str, own: str) -> str:
    if quantity == "velocity":
        if own.startswith("velocity"):
            return own
        return "velocity-optical" if own in ("wavelength", "wavelength-air", "redshift") else "velocity-radio"
    return own if quantity == "wavelength" and own == "wavelength-air" else quantity
