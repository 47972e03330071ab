"""Coordinates: ``/cubes/{name}/wcs``, ``/world``, ``/pixels`` and ``/axes``."""

from __future__ import annotations

import asyncio
import json
import math

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer
from visiomatic_dask.cube.sky import frame_named
from visiomatic_dask.errors import InvalidRequest, TooLarge
from visiomatic_dask.server.base import Services
from visiomatic_dask.server.body_handler import BodyHandler
from visiomatic_dask.server.cube_handlers import LayerHandler
from visiomatic_dask.server.describe_axes import describe_axes
from visiomatic_dask.server.describe_wcs import describe_level_wcs, describe_wcs

Array = NDArray[np.float64]

_MOST_POINTS = 100_000
_BYTES_PER_POINT = 64
_BYTES_BESIDE = 1024
_FARTHEST = 1e9


class WCSHandler(LayerHandler):
    """``/cubes/{name}/wcs``."""

    async def get(self, name: str) -> None:
        """Send the description of the sky for clients that have no WCS library; of a level, FITS keywords."""
        arguments = self.arguments
        arguments.check_names(("layer", "level", "v"))
        opened, layer = await self.open(name, arguments)
        fingerprinted = self.check_version(opened.cube.fingerprint)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if fingerprinted else "no-cache")
        if "level" in arguments:
            level = arguments.integer("level", 0, 0, 62)
            grid = self.services.renderer.planner.tiles(layer)
            self.write_json(await asyncio.to_thread(describe_level_wcs, layer, level, grid))
            return
        self.write_json({"wcs": await opened.computed(f"wcs {layer.name}", lambda: describe_wcs(layer))})


class AxesHandler(LayerHandler):
    """``/cubes/{name}/axes``."""

    async def get(self, name: str) -> None:
        """Send the coordinates of all axes but x and y; spectral ones converted on request."""
        arguments = self.arguments
        arguments.check_names(("layer", "to", "unit", "rest"))
        _, layer = await self.open(name, arguments)
        to, unit, rest = (arguments.text(key) for key in ("to", "unit", "rest"))
        self.set_header("Cache-Control", "no-cache")
        self.write_json(await asyncio.to_thread(describe_axes, layer, to, unit, rest))


class _PointsHandler(BodyHandler):
    """Positions in, positions out."""

    given, answered = "", ""
    first, second = "", ""
    meaning = ""

    def initialize(self, services: Services) -> None:
        """Take the services."""
        super().initialize(services)
        self._most = min(_MOST_POINTS, services.settings.measure_limit)
        self.longest = _BYTES_PER_POINT * self._most + _BYTES_BESIDE
        self.holds = f", for {self._most:,} points"

    def prepare(self) -> None:
        """Refuse what says that it is too long."""
        super().prepare()
        announced = self.request.headers.get("Content-Length", "")
        if announced.isdecimal():
            # Cut short it is too long, too, and Python counts no further than 4300 digits.
            self.check_size(int(announced[:18]))

    def convert(self, layer: Layer, points: Array, frame: str | None) -> Array:
        """Convert points, (n, 2); NaN where there is nothing."""
        raise NotImplementedError

    async def get(self, name: str) -> None:
        """Convert one point."""
        arguments = self.arguments
        arguments.check_names((self.first, self.second, "frame", "layer"))
        for key in (self.first, self.second):
            if key not in arguments:
                raise InvalidRequest(f"{key} is missing; allowed: {self.meaning}", key)
        point = [arguments.number(key, 0.0, -_FARTHEST, _FARTHEST) for key in (self.first, self.second)]
        _, layer = await self.open(name, arguments)
        frame = arguments.text("frame")
        self._send(await asyncio.to_thread(self._answer, layer, np.array([point]), frame))

    async def post(self, name: str) -> None:
        """Convert a batch."""
        arguments = self.arguments
        arguments.check_names(("layer",))
        body = self.body()
        _, layer = await self.open(name, arguments)
        self._send(await asyncio.get_running_loop().run_in_executor(self.services.batches, self._batch, layer, body))

    def _send(self, answer: str) -> None:
        self.set_header("Cache-Control", "no-cache")
        self.send_json(answer)

    def _batch(self, layer: Layer, body: bytes) -> str:
        points, frame = self._parsed(body, self._most)
        return self._answer(layer, points, frame)

    def _parsed(self, body: bytes, most: int) -> tuple[Array, str | None]:
        allowed = f'a JSON object as {{"{self.given}": [[{self.first}, {self.second}], …], "frame": "galactic"}}'
        if body.count(b",") > 2 * most:  # empty lists take thirty times the memory that they take here
            raise TooLarge(f"{self.given} has too many points; allowed: {most:,}", self.given)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"the body is not JSON; allowed: {allowed}", self.given) from error
        if not isinstance(asked, dict) or not isinstance(asked.get(self.given), list):
            raise InvalidRequest(f"{self.given} is missing; allowed: {allowed}", self.given)
        for key in asked:
            if key not in (self.given, "frame"):
                raise InvalidRequest(f"{key[:80]} is not a key of this request; allowed: {self.given}, frame", key[:80])
        listed, frame = asked[self.given], asked.get("frame")
        if len(listed) > most:
            raise TooLarge(f"{self.given} has {len(listed):,} points; allowed: {most:,}", self.given)
        for index, point in enumerate(listed):
            if not (isinstance(point, list) and len(point) == 2 and all(map(_is_number, point))):
                raise InvalidRequest.value(f"{self.given}[{index}]", point, f"two finite numbers: {self.meaning}")
        if frame is not None and not isinstance(frame, str):
            raise InvalidRequest.value("frame", frame, "the name of a frame")
        return np.array(listed, np.float64).reshape(-1, 2), frame

    def _answer(self, layer: Layer, points: Array, frame: str | None) -> str:
        """Convert points; the answer as JSON. Blocks: the WCS may have to be read, and others may be using it."""
        if layer.wcs.celestial is None:
            raise InvalidRequest(f"{layer.name} has no celestial coordinates; allowed: a layer that has", "layer")
        wanted = None if frame in (None, "", "native") else frame
        if wanted is not None:
            frame_named(wanted)
        found = self.convert(layer, points, wanted)
        answer = {
            self.answered: [None if math.isnan(one[0]) else one for one in found.tolist()],
            "frame": wanted or layer.wcs.frame,
        }
        return json.dumps(answer, allow_nan=False)


class WorldHandler(_PointsHandler):
    """``/cubes/{name}/world``."""

    given, first, second, answered = "pixels", "x", "y", "world"
    meaning = "x and y of a FITS pixel, from 1, y up"

    def convert(self, layer: Layer, points: Array, frame: str | None) -> Array:
        """Sky of pixels."""
        return layer.wcs.world(points, frame)


class PixelsHandler(_PointsHandler):
    """``/cubes/{name}/pixels``."""

    given, first, second, answered = "world", "lon", "lat", "pixels"
    meaning = "longitude and latitude in degrees"

    def convert(self, layer: Layer, points: Array, frame: str | None) -> Array:
        """Pixels of sky positions."""
        if (np.abs(points[:, 1]) > 90).any():
            raise InvalidRequest(f"lat is {points[np.abs(points[:, 1]) > 90][0, 1]}; allowed: -90 to 90 degrees", "lat")
        return layer.wcs.pixels(points, frame)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _FARTHEST
