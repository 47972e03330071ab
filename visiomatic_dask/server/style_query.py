"""Queries to styles: what is shown, and how it looks.

Default cuts, and whatever else a query leaves to us, may have to be sampled first.
"""

from __future__ import annotations

import asyncio

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.measurer import Measurer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content, Style
from visiomatic_dask.rendering.look import ImageFormat
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.catalog import OpenedCube
from visiomatic_dask.server.content_query import api_content, resource_content
from visiomatic_dask.server.look_query import api_look, resource_look
from visiomatic_dask.server.preset_query import PRESET_KEYS, missing_keys
from visiomatic_dask.server.presets import PresetFolder

STYLE_KEYS = (*PRESET_KEYS, "preset")
"""Keys of the resource API."""


async def resource_style(
    arguments: Arguments,
    opened: OpenedCube,
    layer: Layer,
    settings: Settings,
    image_format: ImageFormat,
    measurer: Measurer,
    presets: PresetFolder,
) -> Style:
    """Find the style that the keys of the resource API ask for, those that a preset stands for among them."""

    async def equalise(content: Content) -> tuple[float, ...]:
        return await measurer.equalisation(layer, content)

    async def style(keys: Arguments) -> Style:
        content = await resource_content(keys, opened, layer, measurer)
        return Style(content, await resource_look(keys, content, settings, image_format, equalise))

    name = arguments.text("preset")
    if name is None:
        return await style(arguments)
    added = missing_keys(arguments, await asyncio.to_thread(presets.get, opened.address, name))
    try:
        Arguments(added).check_names(PRESET_KEYS)
        return await style(arguments.with_defaults(added))
    except InvalidRequest as error:
        if error.parameter in added:
            raise InvalidRequest(f"preset {name!r} cannot be used here: {error.message}", "preset") from error
        raise


async def api_style(
    arguments: Arguments, opened: OpenedCube, layer: Layer, settings: Settings, measurer: Measurer
) -> Style:
    """Find the style that the keys of VisiOmatic's API ask for."""
    content = await api_content(arguments, opened, layer, measurer)
    return Style(content, api_look(arguments, content, settings))
