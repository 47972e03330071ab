"""Recipes to channels and weights, by the coordinates of the channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.content import CollapseMethod
from visiomatic_dask.rendering.recipes.cie import VISIBLE, cie_weights
from visiomatic_dask.rendering.recipes.coordinates import ChannelCoordinates
from visiomatic_dask.rendering.recipes.elements import (
    BandElement,
    ChannelElement,
    CIEElement,
    CollapseElement,
    ComponentsElement,
    RangeElement,
    Recipe,
    Span,
    Summand,
    TableElement,
)

Array = NDArray[np.float64]
Channels = NDArray[np.int64]

_ROUNDING = 1e-9
"""Of the larger end of a range: by so much coordinates may be off for their conversion."""
_TAIL = 2.0
"""Widths (FWHM) from its centre where a Gaussian ends, at 1.5e-5 of its peak."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Channels, ascending, (C,), and their weights in red, green and blue, (C, 3)."""

    channels: Channels
    weights: Array


@dataclass(frozen=True, slots=True)
class Components:
    """Channels whose principal components are wanted."""

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Channels that are made one: first, and one past the last."""

    first: int
    last: int
    method: CollapseMethod


Resolved = Weighted | Components | Collapsed


def resolve(recipe: Recipe, coordinates: ChannelCoordinates) -> Resolved:
    """Find the channels of a recipe, and their weights.

    Weights of ranges and response curves are normalised so that channels which all have the value v give v times the
    colour (with a ramp, v times its mean). Channels without any weight are left out, but one stays.

    Raises
    ------
    InvalidRequest
        If an element selects no channel, or the layer has no coordinates of its kind.
    """
    first = recipe.elements[0]
    if isinstance(first, CollapseElement):
        chosen = _selected(first.span, coordinates, first.method)
        if chosen[-1] - chosen[0] + 1 != chosen.size:
            last = int(chosen[np.flatnonzero(np.diff(chosen) > 1)[0]])
            raise InvalidRequest(
                f"mix is {first.method} of {chosen.size} channels that do not follow one another, as those with the "
                f"same coordinate along other axes; allowed: channel numbers, as {first.method}:{chosen[0]}-{last}",
                "mix",
            )
        return Collapsed(int(chosen[0]), int(chosen[-1]) + 1, first.method)
    if isinstance(first, ComponentsElement):
        chosen = _selected(first.span, coordinates, "pca")
        if chosen.size < 3:
            raise InvalidRequest.value("mix", f"pca of {chosen.size} channels", "pca of three channels or more")
        return Components(tuple(chosen.tolist()))
    weights, touched = np.zeros((coordinates.count, 3)), np.zeros(coordinates.count, bool)
    explicit = [one for one in recipe.elements if isinstance(one, ChannelElement)]
    if explicit:  # at once, for there may be thousands
        numbers = np.array([one.channel for one in explicit])
        if numbers.max() >= coordinates.count:
            raise InvalidRequest.value("mix", int(numbers.max()), f"an integer from 0 to {coordinates.count - 1}")
        weights[numbers] = [one.weights for one in explicit]
        touched[numbers] = True
    for element in recipe.elements:
        if not isinstance(element, ChannelElement | ComponentsElement | CollapseElement):
            channels, added = _weights(element, coordinates)
            weights[channels] += added
            touched[channels] = True
    used = np.flatnonzero(weights.any(axis=1))
    channels = used if used.size else np.flatnonzero(touched)[:1]
    return Weighted(channels.astype(np.int64), weights[channels])


def _weights(element: Summand, coordinates: ChannelCoordinates) -> tuple[Channels, Array]:
    match element:
        case RangeElement(span, ramp):
            channels = _selected(span, coordinates, "range")
            return channels, _ramp(span, channels, coordinates, np.array(ramp)) / channels.size
        case BandElement(shape, centre, width, unit, colour):
            values = coordinates.values(unit)
            distance = np.abs(values - centre) / width
            slack = _ROUNDING * max(abs(centre), width) / width
            if shape == "tophat":
                response = (distance <= 0.5 + slack).astype(np.float64)
            else:
                response = np.where(distance <= _TAIL, np.exp2(-4 * distance**2), 0.0)
            shown = f"{shape}:{centre:g},{width:g}{unit}"
            return _normalised(response, colour, shown, unit, coordinates, centre)
        case TableElement(points, unit, colour):
            values = coordinates.values(unit)
            positions, responses = np.array(points).T
            response = np.interp(values, positions, responses, left=0.0, right=0.0)
            shown = f"table:{positions[0]:g}{unit} to {positions[-1]:g}{unit}"
            middle = float(positions[responses.argmax()])
            return _normalised(np.nan_to_num(response), colour, shown, unit, coordinates, middle)
        case CIEElement():
            if coordinates.spectral is None:
                raise InvalidRequest("mix is cie, but the cube has no wavelengths; allowed: channel numbers", "mix")
            values = coordinates.values("nm")
            low, high = VISIBLE[0] * (1 - _ROUNDING), VISIBLE[1] * (1 + _ROUNDING)
            channels = np.flatnonzero((values >= low) & (values <= high))
            if not channels.size:
                raise _nothing("cie (380 to 780 nm)", "nm", coordinates, sum(VISIBLE) / 2)
            return channels, cie_weights(values[channels])
        case ChannelElement(channel, weights):
            return np.array([channel]), np.array([weights])


def _normalised(
    response: Array,
    colour: tuple[float, float, float],
    shown: str,
    unit: str,
    coordinates: ChannelCoordinates,
    middle: float,
) -> tuple[Channels, Array]:
    """Scale a response, which is highest in its middle, to a sum of 1, and give it a colour."""
    channels = np.flatnonzero(response > 0)
    if not channels.size:
        raise _nothing(shown, unit, coordinates, middle)
    shares = response[channels] / response.max()  # first, for the sum may be beyond all numbers
    return channels, np.outer(shares / shares.sum(), colour)


def _ramp(span: Span | None, channels: Channels, coordinates: ChannelCoordinates, colours: Array) -> Array:
    """Interpolate colours linearly over the channels of a range, from its start to its stop; (C, 3)."""
    if len(colours) == 1:
        return np.repeat(colours, channels.size, axis=0)
    # Channels with one coordinate, as those of several Stokes parameters, have one colour.
    values = coordinates.values("" if span is None else span.unit)
    if span is None and coordinates.spectral is not None:
        values = np.tile(np.repeat(np.arange(coordinates.spectral.values.size), coordinates.after), coordinates.before)
    unique, ranks = np.unique(values[channels], return_inverse=True)
    where = ranks / (unique.size - 1) if unique.size > 1 else np.full(channels.size, 0.5)
    if span is not None and span.stop < span.start:
        where = 1 - where
    nodes = np.linspace(0, 1, len(colours))
    return np.column_stack([np.interp(where, nodes, column) for column in colours.T])


def _selected(span: Span | None, coordinates: ChannelCoordinates, name: str) -> Channels:
    """Find the channels of a range, ascending."""
    if span is None:
        return np.arange(coordinates.count)
    low, high = sorted((span.start, span.stop))
    shown = f"{name}:{span.start:g}..{span.stop:g}{span.unit}"
    if not span.unit and high >= coordinates.count:
        raise InvalidRequest.value("mix", shown, f"channels from 0 to {coordinates.count - 1}")
    values, slack = coordinates.values(span.unit), _ROUNDING * max(abs(low), abs(high))
    channels = np.flatnonzero((values >= low - slack) & (values <= high + slack))
    if not channels.size:
        raise _nothing(shown, span.unit, coordinates, low / 2 + high / 2)
    return channels


def _nothing(shown: str, unit: str, coordinates: ChannelCoordinates, middle: float) -> InvalidRequest:
    nearest = coordinates.nearest(unit, middle)
    near = f", but the nearest is {nearest}" if nearest else ""
    covered = coordinates.covered(unit)
    return InvalidRequest(f"mix has {shown}, where there is no channel{near}; allowed: within {covered}", "mix")
