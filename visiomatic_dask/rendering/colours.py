"""Colours as they are written in a URL."""

from __future__ import annotations

import re

from PIL import ImageColor

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.look import TRANSPARENT

_HEX = re.compile("#[0-9a-f]{6}|#[0-9a-f]{3}")
_NAME = re.compile("[a-z]{1,20}")


def canonical_colour(parameter: str, text: str) -> str:
    """Write a colour in its one canonical way.

    Parameters
    ----------
    parameter : str
        What to call it in an error.
    text : str
        ``#rrggbb``, ``#rgb``, a name of CSS, or ``transparent``; in any case.

    Returns
    -------
    str
        ``#rrggbb``, or ``transparent``.

    Raises
    ------
    InvalidRequest
        If it is none of these.
    """
    lower = text.lower()
    if lower == TRANSPARENT:
        return lower
    if _HEX.fullmatch(lower) or (_NAME.fullmatch(lower) and lower in ImageColor.colormap):
        red, green, blue = ImageColor.getrgb(lower)[:3]
        return f"#{red:02x}{green:02x}{blue:02x}"
    raise InvalidRequest.value(parameter, text[:40], f"#rrggbb, #rgb, a name of CSS, or {TRANSPARENT}")
