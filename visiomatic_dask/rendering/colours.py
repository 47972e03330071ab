"""Colours as they are written in a URL."""

from __future__ import annotations

import re

from PIL import ImageColor

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.look import TRANSPARENT

_HEX = re.compile("#[0-9a-f]{6}|#[0-9a-f]{3}")


def swatch(text: str) -> tuple[int, int, int] | None:
    """Red, green and blue, 0 to 255, of ``#rrggbb``, ``#rgb`` or a name of CSS, in any case; None of anything else."""
    lower = text.lower()
    if _HEX.fullmatch(lower) is None and lower not in ImageColor.colormap:
        return None
    red, green, blue = ImageColor.getrgb(lower)[:3]
    return red, green, blue


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
    if text.lower() == TRANSPARENT:
        return TRANSPARENT
    shares = swatch(text)
    if shares is None:
        raise InvalidRequest.value(parameter, text[:40], f"#rrggbb, #rgb, a name of CSS, or {TRANSPARENT}")
    red, green, blue = shares
    return f"#{red:02x}{green:02x}{blue:02x}"
