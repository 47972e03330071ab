"""Queries to looks: what is done to values once cuts and mix are applied. Both web APIs are parsed here."""

from __future__ import annotations

from visiomatic_dask.config import Settings
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content, Look, Mix, Mono, check_colormap
from visiomatic_dask.rendering.look import BRIGHTNESS, CONTRAST, GAMMA, QUALITY, ImageFormat
from visiomatic_dask.server.arguments import Arguments

LOOK_KEYS = ("brightness", "contrast", "gamma", "colormap", "invert", "quality")
API_COLORMAPS = ("grey", "jet", "cold", "cool", "hot")


def resource_look(arguments: Arguments, content: Content, settings: Settings, image_format: ImageFormat) -> Look:
    """Parse the keys of the resource API."""
    colormap = check_colormap(arguments.text("colormap") or "grey")
    if isinstance(content, Mix) and colormap != "grey":
        raise InvalidRequest.value("colormap", colormap, "grey, or a channel instead of a mix")
    return Look(
        contrast=arguments.number("contrast", 1.0, *CONTRAST),
        brightness=arguments.number("brightness", 0.0, *BRIGHTNESS),
        gamma=arguments.number("gamma", settings.gamma, *GAMMA),
        colormap=colormap,
        invert=arguments.flag("invert", default=False),
        quality=arguments.integer("quality", settings.quality, *QUALITY),
        format=image_format,
    )


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
