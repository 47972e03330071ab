"""Recipes as text, as they stand in URLs: ``range:656..660nm:red``.

A range is ``A..B`` or ``A-B`` with a unit, where both numbers may be negative and have exponents (``-20--5km/s``):
numbers are read as far as they go, and what is between the two is one dash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.content import COLLAPSE_METHODS
from visiomatic_dask.rendering.recipes.colours import COLOURS, Colour, parse_colour
from visiomatic_dask.rendering.recipes.elements import (
    BandElement,
    ChannelElement,
    CIEElement,
    CollapseElement,
    ComponentsElement,
    Element,
    RangeElement,
    Recipe,
    Span,
    TableElement,
)
from visiomatic_dask.rendering.recipes.json_form import elements_of_json
from visiomatic_dask.rendering.recipes.notation import INVERSE_UNIT, NUMBER, UNIT

_LONGEST = 8192
"""Characters of an element; those of JSON are as many as a request may have."""
_UNIT = rf"(?:\s*({UNIT})|\s+({INVERSE_UNIT}))?"
_SPAN = re.compile(rf"{NUMBER}\s*(?:\.\.|-|–)\s*{NUMBER}{_UNIT}")
_BAND = re.compile(rf"{NUMBER}\s*,\s*{NUMBER}{_UNIT}")
_POINT = re.compile(rf"{NUMBER}{_UNIT}\s*=\s*{NUMBER}")
_CHANNEL_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CHANNEL = re.compile(rf"(\d{{1,9}}):({_CHANNEL_NUMBER}),({_CHANNEL_NUMBER}),({_CHANNEL_NUMBER})")
RANGE = "* for all channels, or A-B or A..B: channel numbers from 0, or coordinates with a unit as 656-660nm"
FORMS = (
    "c:r,g,b or c:colour, finite numbers; range:A-Bunit:colour..colour; tophat:centre,width unit:colour; "
    "gauss:centre,FWHM unit:colour; table:400nm=0,450nm=1,500nm=0:colour; cie; pca or pca:A-Bunit; "
    "max, min, mean or sum:A-Bunit; or a list of objects in JSON"
)


def parse_recipe(texts: Sequence[str]) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    texts : sequence of str
        An element each, or several of them in JSON: see `visiomatic_dask.rendering.recipes.json_form`.

    Raises
    ------
    InvalidRequest
        If one cannot be read, or they do not go together.
    """
    elements: list[Element] = []
    for text in texts:
        if text.lstrip().startswith(("[", "{")):
            elements += elements_of_json(text)
        else:
            elements.append(_element(text))
    return Recipe(elements)


def recipe_text(recipe: Recipe) -> list[str]:
    """Write a recipe as texts, an element each, that `parse_recipe` reads as the same recipe."""
    return [_text(one) for one in recipe.elements]


def _element(text: str) -> Element:
    channel = _CHANNEL.fullmatch(text) if len(text) <= _LONGEST else None
    if channel is not None:  # first, for there may be thousands
        r, g, b = (float(one) for one in channel.groups()[1:])
        return ChannelElement(int(channel[1]), (r, g, b))
    name, colon, rest = text.strip().partition(":")
    name, rest = name.strip(), rest.strip()
    if len(text) > _LONGEST:
        raise InvalidRequest.value("mix", text, FORMS)
    if name.isascii() and name.isdigit() and colon and len(name) <= 9:
        try:
            return ChannelElement(int(name), parse_colour(rest))
        except InvalidRequest as error:
            allowed = f"c:r,g,b or c:colour: a channel and its weights, finite numbers, or a colour: {COLOURS}"
            raise InvalidRequest.value("mix", text, allowed) from error
    if name == "cie" and not rest:
        return CIEElement()
    if name == "pca":
        return ComponentsElement(_span(rest, text) if colon else None)
    for method in COLLAPSE_METHODS:
        if name == method:
            return CollapseElement(method, _span(rest, text))
    read = _READERS.get(name)
    where, colon, colours = rest.rpartition(":")
    if read is None or not colon:
        raise InvalidRequest.value("mix", text, FORMS)
    return read(where.strip(), colours, text)


def _range(where: str, colours: str, text: str) -> Element:
    ramp = colours.split("..")
    if not all(one.strip() for one in ramp):
        raise InvalidRequest.value("mix", text, f"for a ramp colours with .. between them, each {COLOURS}")
    return RangeElement(_span(where, text), tuple(parse_colour(one) for one in ramp))


def _band(shape: str) -> Callable[[str, str, str], Element]:
    def read(where: str, colours: str, text: str) -> Element:
        match = _BAND.fullmatch(where)
        if match is None:
            raise InvalidRequest.value("mix", text, f"{shape}:centre,width unit:colour, as {shape}:656.3,4 nm:red")
        centre, width, unit, reciprocal = match.groups()
        colour = parse_colour(colours)
        return BandElement(
            "tophat" if shape == "tophat" else "gauss", float(centre), float(width), unit or reciprocal or "", colour
        )

    return read


def _table(where: str, colours: str, text: str) -> Element:
    points, units = [], set()
    for part in where.split(","):
        match = _POINT.fullmatch(part.strip())
        if match is None:
            raise InvalidRequest.value("mix", text, "table:400nm=0,450nm=1,500nm=0:colour")
        position, unit, reciprocal, response = match.groups()
        units.add(unit or reciprocal or "")
        points.append((float(position), float(response)))
    if len(units) > 1:
        raise InvalidRequest.value("mix", text, "one unit for all points of a table")
    return TableElement(tuple(points), units.pop(), parse_colour(colours))


_READERS: dict[str, Callable[[str, str, str], Element]] = {
    "range": _range,
    "tophat": _band("tophat"),
    "gauss": _band("gauss"),
    "table": _table,
}


def _span(text: str, element: str) -> Span | None:
    if text == "*":
        return None
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InvalidRequest.value("mix", element, f"for a range {RANGE}")
    start, stop, unit, reciprocal = match.groups()
    return Span(float(start), float(stop), unit or reciprocal or "")


def _text(element: Element) -> str:
    match element:
        case ChannelElement(channel, weights):
            return f"{channel}:{_colour(weights)}"
        case RangeElement(span, ramp):
            return f"range:{_span_text(span)}:{'..'.join(map(_colour, ramp))}"
        case BandElement(shape, centre, width, unit, colour):
            return f"{shape}:{_number(centre)},{_number(width)}{_unit(unit)}:{_colour(colour)}"
        case TableElement(points, unit, colour):
            written = ",".join(f"{_number(x)}{_unit(unit)}={_number(y)}" for x, y in points)
            return f"table:{written}:{_colour(colour)}"
        case CIEElement():
            return "cie"
        case ComponentsElement(span):
            return f"pca:{_span_text(span)}"
        case CollapseElement(method, span):
            return f"{method}:{_span_text(span)}"


def _span_text(span: Span | None) -> str:
    return "*" if span is None else f"{_number(span.start)}..{_number(span.stop)}{_unit(span.unit)}"


def _colour(colour: Colour) -> str:
    return ",".join(map(_number, colour))


def _unit(unit: str) -> str:
    return f" {unit}" if unit.startswith("1/") else unit


def _number(value: float) -> str:
    """Write a number in full, without a + that a URL would make a space."""
    return repr(float(value)).replace("e+", "e")
