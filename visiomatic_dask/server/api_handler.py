"""``/api``: the web API of VisiOmatic 3, served so that its unmodified client works."""

from __future__ import annotations

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Style
from visiomatic_dask.server import describe
from visiomatic_dask.server.arguments import Arguments, pair
from visiomatic_dask.server.base import BaseHandler
from visiomatic_dask.server.catalog import OpenedCube
from visiomatic_dask.server.query import api_region, api_tile
from visiomatic_dask.server.responses import Delivery
from visiomatic_dask.server.style_query import api_style
from visiomatic_dask.server.tile_paths import KnownStyle

_BANNER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>visiomatic_dask</title>
<p>visiomatic_dask {version}: the web API of VisiOmatic 3. Ask for <code>?FIF=name&amp;INFO</code>.</p></html>
"""
_DELIVERY = Delivery()
"""The client hears no events, so a preview is never marked: what it shows of a tile stays."""
_REQUESTS = ("INFO", "obj", "PFL", "VAL", "JTL", "RGN")


class APIHandler(BaseHandler):
    """One path; the query decides."""

    async def get(self) -> None:
        """Answer INFO, obj, JTL, RGN, VAL or PFL of the cube that FIF names."""
        arguments = self.arguments
        name = arguments.text("FIF")
        if name is None:
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(_BANNER.format(version=self.services.version))
            return
        opened = await self.services.catalog.get(name, "FIF")
        layer = opened.cube.layer()
        self.services.renderer.opened(layer)
        match next((key for key in _REQUESTS if key in arguments), None):
            case "INFO" | "obj" as what:
                await self._describe(opened, layer, what)
            case "VAL":
                await self._values(arguments, layer)
            case "PFL":
                await self._profile(arguments, layer)
            case "JTL":
                await self._tile(arguments, opened, layer)
            case "RGN":
                await self._region(arguments, opened, layer)
            case _:
                raise InvalidRequest(f"nothing is asked for; allowed: one of {', '.join(_REQUESTS)}")

    async def _describe(self, opened: OpenedCube, layer: Layer, what: str) -> None:
        services = self.services
        self.number_viewer()
        backgrounds, grid = await opened.backgrounds(layer), services.renderer.planner.tiles(layer)
        if what == "obj":
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(describe.describe_iip(layer, backgrounds, grid))
            return
        self.write_json(
            describe.describe_info(opened.cube, layer, backgrounds, grid, services.settings, services.version)
        )

    async def _values(self, arguments: Arguments, layer: Layer) -> None:
        x, y = pair("VAL", arguments.text("VAL") or "")
        channels = self._channels(arguments)
        values = await self.services.renderer.measure.values(layer, channels, x - 1, y - 1)
        self.write_json({"values": describe.finite(values)})

    async def _profile(self, arguments: Arguments, layer: Layer) -> None:
        (x1, y1), (x2, y2) = arguments.line("PFL")
        channels = self._channels(arguments)
        x, y, values = await self.services.renderer.measure.profile(layer, channels, (x1 - 1, y1 - 1), (x2 - 1, y2 - 1))
        points = zip(x, y, values, strict=True)
        self.write_json({"profile": [{"x": a, "y": b, "values": describe.finite(v)} for a, b, v in points]})

    async def _tile(self, arguments: Arguments, opened: OpenedCube, layer: Layer) -> None:
        grid = self.services.renderer.planner.tiles(layer)
        level, row, column = api_tile(arguments.text("JTL") or "", grid)
        style = await self._style(arguments, opened, layer)
        request = TileRequest(layer, level, row, column, style, settled=True)
        self.services.styles.put(self.request.uri or "", KnownStyle(opened.cube, layer, style, _DELIVERY))
        await self.send_tile(request, _DELIVERY)

    async def _region(self, arguments: Arguments, opened: OpenedCube, layer: Layer) -> None:
        level, box = api_region(arguments, layer)
        request = RegionRequest(layer, level, box, await self._style(arguments, opened, layer))
        await self.send_region(await self.services.renderer.regions.plan(request), _DELIVERY)

    async def _style(self, arguments: Arguments, opened: OpenedCube, layer: Layer) -> Style:
        return await api_style(arguments, opened, layer, self.services.settings, self.services.renderer.measure)

    @staticmethod
    def _channels(arguments: Arguments) -> tuple[int, ...] | None:
        """Channels to measure, from 0; what does not exist gives null, as VisiOmatic does."""
        if "CHAN" not in arguments:
            return None
        return tuple(channel - 1 for channel in arguments.integers("CHAN", 1, 10**9))
