"""Queries to looks: what is done to values once cuts and mix are applied. Both web APIs are parsed here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from visiomatic_dask.config import Settings
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content, Look, Mix, Mono, check_colormap
from visiomatic_dask.rendering.colours import canonical_colour
from visiomatic_dask.rendering.look import (
    BRIGHTNESS,
    CONTRAST,
    GAMMA,
    MARKS,
    OPACITY,
    QUALITY,
    SATURATION,
    TRANSPARENT,
    ImageFormat,
)
from visiomatic_dask.rendering.stretches import HISTOGRAM, LINEAR, canonical_stretch, histogram_stretch
from visiomatic_dask.server.arguments import Arguments

LOOK_KEYS = (
    *("brightness", "contrast", "gamma", "colormap", "invert", "quality"),
    *("stretch", "saturation", "hue", "bad", "under", "over", "opacity"),
)
API_COLORMAPS = ("grey", "jet", "cold", "cool", "hot")
AS_LOW = "lo"
"""Instead of a colour for pixels without a value: they count as the lower cut."""
_ONLY_MIXES = ("saturation", "hue")
_ONLY_PLANES = ("under", "over")

Equalise = Callable[[Content], Awaitable[tuple[float, ...]]]
"""Finds the values of v, ascending, at which a content's equalised histogram reaches evenly spaced steps."""


async def resource_look(
    arguments: Arguments, content: Content, settings: Settings, image_format: ImageFormat, equalise: Equalise
) -> Look:
    """Parse the keys of the resource API.

    Parameters
    ----------
    arguments : Arguments
        Of the query.
    content : Content
        What is shown: some keys are for mixes only, or for a single plane.
    settings : Settings
        For what is not given.
    image_format : {"jpeg", "png", "webp"}
        Encoding.
    equalise : callable
        Asked with ``stretch=histogram`` alone.
    """
    _check_kind(arguments, content)
    stretch = await _stretch(arguments, content, equalise)
    colours = {"bad": "" if image_format == "jpeg" else TRANSPARENT}
    for name in MARKS:
        if name in arguments:
            text = arguments.text(name) or ""
            colours[name] = "" if (name, text) == ("bad", AS_LOW) else canonical_colour(name, text)
    return Look(
        contrast=arguments.number("contrast", 1.0, *CONTRAST),
        brightness=arguments.number("brightness", 0.0, *BRIGHTNESS),
        # Gamma is a stretch itself: who asks for another one has that one, unless they ask for both.
        gamma=arguments.number("gamma", 1.0 if "stretch" in arguments else settings.gamma, *GAMMA),
        colormap=check_colormap(arguments.text("colormap") or "grey"),
        invert=arguments.flag("invert", default=False),
        quality=arguments.integer("quality", settings.quality, *QUALITY),
        format=image_format,
        stretch=stretch,
        saturation=arguments.number("saturation", 1.0, *SATURATION),
        hue=arguments.flag("hue", default=False),
        opacity=arguments.number("opacity", 1.0, *OPACITY),
        **colours,
    )


def _check_kind(arguments: Arguments, content: Content) -> None:
    """Refuse what means nothing for a mix, or for a plane."""
    colormap = arguments.text("colormap") or "grey"
    if isinstance(content, Mix):
        if check_colormap(colormap) != "grey":
            raise InvalidRequest.value("colormap", colormap, "grey, or a channel instead of a mix")
        refused, allowed = _ONLY_PLANES, "nothing for a mix, whose colours may lie outside the cuts one by one"
    else:
        refused, allowed = _ONLY_MIXES, "nothing for a single plane: it is for mixes"
    for name in refused:
        if name in arguments:
            raise InvalidRequest.value(name, arguments.text(name) or "", allowed)


async def _stretch(arguments: Arguments, content: Content, equalise: Equalise) -> str:
    text = arguments.text("stretch")
    if text is None:
        return LINEAR
    if text != HISTOGRAM:
        # Knots in a URL would be another way to write what the server finds, at the length of a page.
        return canonical_stretch(text if text.partition(":")[0] != HISTOGRAM else f"{HISTOGRAM} with knots")
    if isinstance(content, Mix):
        raise InvalidRequest.value("stretch", text, "any other for a mix: a histogram is one plane's")
    return histogram_stretch(await equalise(content))


def api_look(arguments: Arguments, content: Content, settings: Settings) -> Look:
    """Parse the keys of VisiOmatic's API."""
    colormap = arguments.text("CMP") or "grey"
    if colormap not in API_COLORMAPS:
        raise InvalidRequest.value("CMP", colormap, ", ".join(API_COLORMAPS))
    return Look(
        contrast=arguments.number("CNT", 1.0, *CONTRAST),
        brightness=arguments.number("BRT", 0.0, *BRIGHTNESS),
        gamma=arguments.number("GAM", settings.gamma, *GAMMA),
        colormap=colormap if isinstance(content, Mono) else "grey",
        invert="INV" in arguments,
        quality=arguments.integer("QLT", settings.quality, *QUALITY),
    )
