"""Colours of recipes: written as on the web, meant as linear light."""

from __future__ import annotations

import re

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.colours import swatch
from visiomatic_dask.rendering.recipes.notation import NUMBER

Colour = tuple[float, float, float]

SWATCH_GAMMA = 2.2
"""Display gamma that a swatch is undone by: light is added linearly, and the default gamma is applied after."""
COLOURS = "#rrggbb, #rgb, a CSS colour name as red, or r,g,b: shares of light as numbers"
_NUMBERS = re.compile(r"\s*,\s*".join([NUMBER] * 3))
_BRIGHTEST = 1e9


def parse_colour(text: str) -> Colour:
    """Read a colour as shares of linear light in red, green and blue.

    Parameters
    ----------
    text : str
        ``#rrggbb``, ``#rgb`` or a CSS name, each share s of 255 of which is (s/255)^2.2 of light; or ``r,g,b``, which
        are shares of light themselves.

    Raises
    ------
    InvalidRequest
        If it is none of those.
    """
    plain = text.strip()
    numbers = _NUMBERS.fullmatch(plain)
    if numbers is not None:
        r, g, b = (float(one) for one in numbers.groups())
        return check_colour((r, g, b))
    shares = swatch(plain)
    if shares is not None:
        r, g, b = ((share / 255) ** SWATCH_GAMMA for share in shares)
        return r, g, b
    raise InvalidRequest.value("mix", text, f"for a colour {COLOURS}")


def check_colour(colour: Colour) -> Colour:
    """Return a colour whose shares can be used; `InvalidRequest` if one is beyond a thousand millions."""
    if not all(abs(share) <= _BRIGHTEST for share in colour):  # NaN is not, either
        raise InvalidRequest.value("mix", ",".join(map(str, colour)), f"for a colour numbers up to {_BRIGHTEST:g}")
    return colour
