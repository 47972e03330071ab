"""The axes of a layer as JSON, with all their coordinates, converted where that is asked for."""

from __future__ import annotations

from typing import Any

from visiomatic_dask.cube import Axis, Layer
from visiomatic_dask.cube.axes import STOKES_NAMES
from visiomatic_dask.cube.spectral import UNITS, SpectralAxis
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.server.describe import finite

_METADATA = ("SPECSYS", "VELREF", "SSYSOBS", "TIMESYS", "MJDREF", "MJDREFI", "MJDREFF", "DATEREF", "RESTFRQ", "RESTWAV")


def describe_axes(layer: Layer, to: str | None, unit: str | None, rest: str | None) -> dict[str, Any]:
    """Describe all axes but x and y; spectral ones as `to` in `unit`, where that is given.

    Raises
    ------
    InvalidRequest
        If there is no spectral axis to convert, or it cannot be converted.
    """
    if to is None and (unit is not None or rest is not None):
        raise InvalidRequest(f"to is missing; allowed: {', '.join(UNITS)}", "to")
    axes = [axis for axis in layer.axes if axis.kind not in ("x", "y")]
    spectral = {axis.name: one for axis in axes if (one := SpectralAxis.of(axis, layer.header)) is not None}
    if to is not None and not spectral:
        raise InvalidRequest(f"{layer.name} has no spectral axis; allowed: a layer that has", "to")
    return {
        "layer": layer.name,
        "axes": [_axis(axis, spectral.get(axis.name), to, unit, rest) for axis in axes],
        "metadata": {key: layer.header[key] for key in _METADATA if key in layer.header},
    }


def _axis(
    axis: Axis, spectral: SpectralAxis | None, to: str | None, unit: str | None, rest: str | None
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": axis.name,
        "kind": axis.kind,
        "ctype": axis.ctype,
        "unit": axis.unit,
        "size": axis.size,
        "coordinates": None if axis.coordinates is None else finite(axis.coordinates),
    }
    if axis.kind == "stokes" and axis.coordinates is not None:
        described["labels"] = [STOKES_NAMES.get(round(value), f"{value:g}") for value in axis.coordinates]
    if axis.dates is not None:
        described |= {"labels": axis.dates, "reference": axis.reference}
    if spectral is None:
        return described
    described |= {
        "quantity": spectral.quantity,
        "unit": spectral.unit.to_string(),
        "unit_assumed": spectral.assumed,
        "rest_frequency": spectral.rest,
        "conversions": spectral.conversions(),
    }
    if to is not None:
        values, wanted = spectral.convert(to, unit, rest)
        described["converted"] = {"to": to, "unit": wanted.to_string(), "coordinates": finite(values.tolist())}
    return described
