"""Queries to styles: what is shown, and how it looks.

Default cuts, and whatever else a query leaves to us, may have to be sampled first.
"""

from __future__ import annotations

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content, Style
from visiomatic_dask.rendering.look import ImageFormat
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.catalog import OpenedCube
from visiomatic_dask.server.content_query import CONTENT_KEYS, api_content, resource_content
from visiomatic_dask.server.look_query import LOOK_KEYS, Equalise, api_look, resource_look

STYLE_KEYS = (*CONTENT_KEYS, *LOOK_KEYS)
"""Keys of the resource API."""


async def no_histogram(content: Content) -> tuple[float, ...]:
    """Refuse to equalise: for pictures without a histogram."""
    raise InvalidRequest.value("stretch", "histogram", f"any other stretch for {content.text}")


async def resource_style(
    arguments: Arguments,
    opened: OpenedCube,
    layer: Layer,
    settings: Settings,
    image_format: ImageFormat,
    equalise: Equalise = no_histogram,
) -> Style:
    """Find the style that the keys of the resource API ask for; `equalise` is asked with ``stretch=histogram``."""
    content = await resource_content(arguments, opened, layer)
    return Style(content, await resource_look(arguments, content, settings, image_format, equalise))


async def api_style(arguments: Arguments, opened: OpenedCube, layer: Layer, settings: Settings) -> Style:
    """Find the style that the keys of VisiOmatic's API ask for."""
    content = await api_content(arguments, opened, layer)
    return Style(content, api_look(arguments, content, settings))
