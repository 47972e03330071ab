"""Recipes as JSON: a list of objects, each an element.

::

    [{"channel": 3, "colour": "red"},
     {"range": [656, 660], "unit": "nm", "colour": "#ff0000"},
     {"range": "*", "ramp": ["blue", "white", [1, 0, 0]]},
     {"tophat": [656.3, 4], "unit": "nm", "colour": "red"},
     {"gauss": [500.7, 2], "unit": "nm", "colour": "green"},
     {"table": [[400, 0], [450, 1], [500, 0]], "unit": "nm", "colour": "blue"},
     {"cie": true}]

or one of ``{"pca": [10, 60]}`` and ``{"max": "*"}``, ``min``, ``mean``, ``sum``.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

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
from visiomatic_dask.rendering.recipes.notation import INVERSE_UNIT, UNIT

_LONGEST = 65536
_UNIT = re.compile(rf"(?:{UNIT}|{INVERSE_UNIT})?")
_KEYS: dict[str, tuple[str, ...]] = {
    "channel": ("colour",),
    "range": ("unit", "colour", "ramp"),
    "tophat": ("unit", "colour"),
    "gauss": ("unit", "colour"),
    "table": ("unit", "colour"),
    "cie": (),
    "pca": ("unit",),
    **dict.fromkeys(COLLAPSE_METHODS, ("unit",)),
}
_KINDS = ", ".join(_KEYS)


def recipe_from_json(value: Any) -> Recipe:
    """Read a recipe from decoded JSON; `InvalidRequest` if it is none."""
    return Recipe(_elements(value))


def recipe_json(recipe: Recipe) -> list[dict[str, Any]]:
    """Write a recipe as what `recipe_from_json` reads as the same recipe."""
    return [_object(one) for one in recipe.elements]


def elements_of_json(text: str) -> list[Element]:
    """Read elements from a text; `InvalidRequest` if it is no JSON, or there are none in it."""
    if len(text) > _LONGEST:
        raise InvalidRequest.value("mix", text, f"JSON of at most {_LONGEST:,} characters")
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest.value("mix", text, f"JSON: a list of objects with one of {_KINDS}") from error
    return _elements(value)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _elements(value: Any) -> list[Element]:
    given = [value] if isinstance(value, dict) else value
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise InvalidRequest.value("mix", value, f"a list of objects with one of {_KINDS}")
    return [_element(one) for one in given]


def _element(given: dict[str, Any]) -> Element:
    kinds = [key for key in given if key in _KEYS]
    if len(kinds) != 1 or any(key not in _KEYS[kinds[0]] for key in given if key != kinds[0]):
        keys = f"{kinds[0]}, {', '.join(_KEYS[kinds[0]])}" if len(kinds) == 1 else f"one of {_KINDS}, and its colour"
        raise InvalidRequest.value("mix", given, f"for an element {keys}")
    (kind,) = kinds
    value, unit = given[kind], given.get("unit", "")
    if not isinstance(unit, str) or _UNIT.fullmatch(unit) is None:
        raise InvalidRequest.value("mix", unit, "for a unit a text as nm, km/s or GHz")
    return _made(kind, value, unit, given)


def _made(kind: str, value: Any, unit: str, given: dict[str, Any]) -> Element:
    if kind == "channel":
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidRequest.value("mix", value, "for a channel an integer from 0")
        return ChannelElement(value, _colour(given.get("colour")))
    if kind == "range":
        return RangeElement(_span(value, unit), _ramp(given))
    if kind == "table":
        points = value if isinstance(value, list) else []
        return TableElement(tuple(_pair(point) for point in points), unit, _colour(given.get("colour")))
    if kind == "cie":
        if value is not True:
            raise InvalidRequest.value("mix", value, "for cie true")
        return CIEElement()
    if kind == "pca":
        return ComponentsElement(_span(value, unit))
    for method in COLLAPSE_METHODS:
        if kind == method:
            return CollapseElement(method, _span(value, unit))
    centre, width = _pair(value)
    return BandElement("tophat" if kind == "tophat" else "gauss", centre, width, unit, _colour(given.get("colour")))


def _ramp(given: dict[str, Any]) -> tuple[Colour, ...]:
    if ("ramp" in given) == ("colour" in given):
        raise InvalidRequest.value("mix", given, "for a range either a colour or a ramp, a list of colours")
    ramp = given.get("ramp", [given.get("colour")])
    if not isinstance(ramp, list):
        raise InvalidRequest.value("mix", ramp, "for a ramp a list of colours")
    return tuple(map(_colour, ramp))


def _span(value: Any, unit: str) -> Span | None:
    if value == "*":
        return None
    return Span(*_pair(value), unit)


def _pair(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidRequest.value("mix", value, "a list of two numbers")
    return _number(value[0]), _number(value[1])


def _number(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidRequest.value("mix", value, "a finite number")
    return number


def _colour(value: Any) -> Colour:
    if value is None:
        raise InvalidRequest(f"mix has an element without a colour; allowed: {COLOURS}, the last as a list", "mix")
    if isinstance(value, str):
        return parse_colour(value)
    if isinstance(value, list) and len(value) == 3:
        r, g, b = map(_number, value)
        return r, g, b
    raise InvalidRequest.value("mix", value, f"for a colour {COLOURS}, the last as a list")


def _object(element: Element) -> dict[str, Any]:
    match element:
        case ChannelElement(channel, weights):
            return {"channel": channel, "colour": list(weights)}
        case RangeElement(span, ramp):
            return {"range": _ends(span), **_in(span), "ramp": [list(one) for one in ramp]}
        case BandElement(shape, centre, width, unit, colour):
            return {shape: [centre, width], "unit": unit, "colour": list(colour)}
        case TableElement(points, unit, colour):
            return {"table": [list(point) for point in points], "unit": unit, "colour": list(colour)}
        case CIEElement():
            return {"cie": True}
        case ComponentsElement(span):
            return {"pca": _ends(span), **_in(span)}
        case CollapseElement(method, span):
            return {method: _ends(span), **_in(span)}


def _ends(span: Span | None) -> str | list[float]:
    return "*" if span is None else [span.start, span.stop]


def _in(span: Span | None) -> dict[str, str]:
    return {"unit": span.unit} if span is not None and span.unit else {}
