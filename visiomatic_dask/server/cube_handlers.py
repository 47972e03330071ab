"""The resource API: ``/cubes`` and what lies below."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Style
from visiomatic_dask.rendering.look import ImageFormat
from visiomatic_dask.server import describe
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.base import BaseHandler
from visiomatic_dask.server.browse import MOST_ENTRIES, PageRequest
from visiomatic_dask.server.catalog import OpenedCube
from visiomatic_dask.server.onto_query import ONTO_KEYS, asked_onto
from visiomatic_dask.server.query import resource_box
from visiomatic_dask.server.responses import Delivery
from visiomatic_dask.server.style_query import STYLE_KEYS, resource_style
from visiomatic_dask.server.tile_paths import KnownStyle

_FORMATS: dict[str, ImageFormat] = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "webp": "webp"}
_FARTHEST = 10**9
_ENTRIES = 200
"""Of a folder, on one page, unless more or fewer are asked for."""


class CubesHandler(BaseHandler):
    """``/cubes``."""

    async def get(self) -> None:
        """List a folder, page by page; without a path, the cubes below the data roots as far as they fit one answer."""
        arguments = self.arguments
        if "path" in arguments:
            await self._browse(arguments)
            return
        arguments.check_names(())
        listing = await self.services.browser.cubes()
        cubes = [{"name": name, "size": size} for name, size in listing.cubes]
        self.write_json({"cubes": cubes, "truncated": listing.truncated})

    async def _browse(self, arguments: Arguments) -> None:
        arguments.check_names(("path", "offset", "limit", "details", "contains"))
        request = PageRequest(
            arguments.text("path") or "",
            arguments.integer("offset", 0, 0, _FARTHEST),
            arguments.integer("limit", _ENTRIES, 1, MOST_ENTRIES),
            arguments.flag("details", default=False),
            arguments.text("contains") or "",
        )
        page = await self.services.browser.page(request)
        self.set_header("Cache-Control", "no-cache")
        self.write_json(page)


class LayerHandler(BaseHandler):
    """Below ``/cubes/{name}``."""

    async def open(self, name: str, arguments: Arguments) -> tuple[OpenedCube, Layer]:
        """Open the cube, and choose its layer."""
        opened = await self.services.catalog.get(name, "name")
        layer = opened.cube.layer(arguments.text("layer"))
        self.services.renderer.opened(layer)
        return opened, layer

    def place(self, arguments: Arguments, layer: Layer) -> tuple[int, Box]:
        """Find the level and the rectangle that are asked for."""
        level = arguments.integer("level", 0, 0, self.services.renderer.planner.tiles(layer).levels - 1)
        return level, resource_box(arguments, layer, level)

    def preset_watch(self, arguments: Arguments, opened: OpenedCube) -> Callable[[], bool] | None:
        """Tell what finds out whether a preset that is asked for is still what it is now; None without one."""
        if "preset" not in arguments:
            return None
        presets, stamp = self.services.presets, self.services.presets.stamp(opened.address)
        return lambda: presets.stamp(opened.address) == stamp

    async def style(
        self, arguments: Arguments, opened: OpenedCube, layer: Layer, image_format: ImageFormat = "png"
    ) -> Style:
        """Find the style that the rendering keys ask for."""
        services = self.services
        measurer, presets = services.renderer.measure, services.presets
        return await resource_style(arguments, opened, layer, services.settings, image_format, measurer, presets)

    async def send_description(self, opened: OpenedCube, layer: Layer) -> None:
        """Describe a cube."""
        services = self.services
        grid = services.renderer.planner.tiles(layer)
        backgrounds = await opened.backgrounds(layer)
        self.set_header("Cache-Control", "no-cache")
        self.number_viewer()
        # In a thread: the layer's WCS may have to be read, or be in use for a batch of positions.
        described = await asyncio.to_thread(
            describe.describe_cube, opened.cube, layer, backgrounds, grid, services.settings
        )
        self.write_json(described)


class CubeHandler(LayerHandler):
    """``/cubes/{name}``."""

    async def get(self, name: str) -> None:
        """Describe a cube."""
        arguments = self.arguments
        arguments.check_names(("layer",))
        await self.send_description(*await self.open(name, arguments))


class TileHandler(LayerHandler):
    """``/cubes/{name}/tiles/{level}/{row}/{column}.jpg``."""

    async def get(self, name: str, level: str, row: str, column: str, suffix: str) -> None:
        """Send a tile."""
        arguments = self.arguments
        arguments.check_names((*STYLE_KEYS, *ONTO_KEYS, "layer", "v"))
        if suffix not in _FORMATS:
            raise InvalidRequest.value("suffix", suffix, ", ".join(_FORMATS))
        opened, layer = await self.open(name, arguments)
        fingerprinted = self.check_version(opened.cube.fingerprint)
        services, image_format = self.services, _FORMATS[suffix]
        is_current = self.preset_watch(arguments, opened)
        style = await self.style(arguments, opened, layer, image_format)
        request = TileRequest(layer, int(level), int(row), int(column), style)
        delivery = Delivery(image_format, fingerprinted, previews=True)
        onto = await asked_onto(arguments, services.catalog)
        if onto is not None:
            # The fingerprint in the URL is that of the cube shown, and says nothing of the other one. Nor is what the
            # path means kept: where the tile lies differs from one to the next.
            delivery = replace(delivery, fingerprinted=False)
            await self.send_tile(await services.renderer.onto(request, *onto), delivery)
            return
        services.renderer.planner.tiles(layer).box(request.level, request.row, request.column)
        services.styles.put(self.request.uri or "", KnownStyle(opened.cube, layer, style, delivery, is_current))
        await self.send_tile(request, delivery)


class ValuesHandler(LayerHandler):
    """``/cubes/{name}/values``."""

    async def get(self, name: str) -> None:
        """Send the values and the sky position of a pixel."""
        arguments = self.arguments
        arguments.check_names(("x", "y", "channel", "layer"))
        for key in ("x", "y"):
            if key not in arguments:
                raise InvalidRequest(f"{key} is missing; allowed: a FITS pixel, an integer from 1", key)
        _, layer = await self.open(name, arguments)
        x = arguments.integer("x", 0, -_FARTHEST, _FARTHEST)
        y = arguments.integer("y", 0, -_FARTHEST, _FARTHEST)
        channels = tuple(arguments.integers("channel", 0, layer.channels - 1)) or None
        values = await self.services.renderer.measure.values(layer, channels, x - 1, y - 1)
        self.set_header("Cache-Control", "no-cache")
        shown = channels or range(layer.channels)
        self.write_json(await asyncio.to_thread(describe.describe_values, layer, x, y, shown, values))
