"""Queries to styles: what is shown, and how it looks.

Default cuts, and whatever else a query leaves to us, may have to be sampled first.
"""

from __future__ import annotations

import asyncio

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.measurer import Measurer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Style
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
    name = arguments.text("preset")
    if name is None:
        content = await resource_content(arguments, opened, layer, measurer)
        return Style(content, resource_look(arguments, content, settings, image_format))
    added = missing_keys(arguments, await asyncio.to_thread(presets.get, opened.address, name))
    filled = arguments.with_defaults(added)
    try:
        Arguments(added).check_names(PRESET_KEYS)
        content = await resource_content(filled, opened, layer, measurer)
        return Style(content, resource_look(filled, content, settings, image_format))
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
