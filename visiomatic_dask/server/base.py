"""What all handlers share: errors as JSON, cross-origin rules, and how pictures are sent."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tornado.web import HTTPError, RequestHandler

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.plans import RegionPlan
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import Picture, TileRequest
from visiomatic_dask.errors import CubeChanged, PyramidGone, VisiomaticError
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.browse import Browser
from visiomatic_dask.server.catalog import Catalog
from visiomatic_dask.server.events import EventHub
from visiomatic_dask.server.pictures import PictureDesk
from visiomatic_dask.server.presets import PresetFolder
from visiomatic_dask.server.responses import (
    Delivery,
    cache_headers,
    error_response,
    not_modified,
    origin_headers,
    picture_headers,
)
from visiomatic_dask.server.tile_paths import StyleCache
from visiomatic_dask.server.viewers import new_viewer, viewer_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What handlers work with.

    Attributes
    ----------
    renderer : Renderer
        Makes pictures and measurements.
    catalog : Catalog
        Opens cubes.
    browser : Browser
        Lists folders.
    desk : PictureDesk
        Keeps pictures.
    styles : StyleCache
        Keeps what paths of tiles mean.
    batches : Executor
        Converts batches of positions, in threads of its own: those that open cubes are not kept from it.
    events : EventHub
        Tells browsers what becomes of previews.
    settings : Settings
        Limits and defaults.
    version : str
        Version of this package.
    """

    renderer: Renderer
    catalog: Catalog
    browser: Browser
    desk: PictureDesk
    styles: StyleCache
    batches: Executor
    events: EventHub
    settings: Settings
    version: str

    @cached_property
    def presets(self) -> PresetFolder:
        """The presets of all cubes."""
        return PresetFolder(self.settings.presets)

    async def tile(self, request: TileRequest, token: str, viewer: str) -> Picture:
        """Return a tile: one that is kept, one that is being made for somebody else, or a new one.

        Parameters
        ----------
        request : TileRequest
            Which.
        token : str
            Its token.
        viewer : str
            Whom it is for.
        """
        kept = self.desk.kept(token)
        if kept is not None:
            return kept
        fingerprint = request.layer.reader.fingerprint
        while True:
            passing = await self.renderer.is_passing(request)
            picture = await self.desk.get(token, fingerprint, lambda: self.renderer.tile(request, viewer), passing)
            if not (picture.passing and request.settled):
                return picture
            # It was made for somebody who is content with a preview, where the exact one had just left the store.

    def noticed(self, error: BaseException | None) -> None:
        """Look at all files anew before they are used again, where a reader has found one changed."""
        if isinstance(error, CubeChanged) and error.parameter is None:
            self.catalog.doubt()


class BaseHandler(RequestHandler):
    """A handler whose errors are JSON and whose answers other origins may read only where the operator says so."""

    services: Services
    _making: asyncio.Future[Picture] | None = None
    _is_gone = False

    def initialize(self, services: Services) -> None:
        """Take the services."""
        self.services = services

    def set_default_headers(self) -> None:
        """Leave out what tells the server's make."""
        self.clear_header("Server")

    def prepare(self) -> None:
        """Answer to the origins on the list."""
        self._set_headers(origin_headers(self.services.settings, self.request.headers.get("Origin")))

    @property
    def arguments(self) -> Arguments:
        """The decoded query."""
        return Arguments({name: self.get_query_arguments(name) for name in self.request.query_arguments})

    def write_json(self, value: Any) -> None:
        """Send a value as JSON; it must hold no NaN."""
        self.send_json(json.dumps(value, allow_nan=False))

    def send_json(self, text: str) -> None:
        """Send what is JSON already."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(text)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send an error as JSON."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        self.services.noticed(error)
        message = None
        if isinstance(error, HTTPError) and error.log_message:
            message = error.log_message % error.args if error.args else error.log_message
        status, headers, body = error_response(error, status_code, message)
        self.set_status(status)
        # Tornado has cleared what `prepare` had set
        self._set_headers(headers | origin_headers(self.services.settings, self.request.headers.get("Origin")))
        self.finish(body)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is a fault of ours; what is wrong with a request is for whoever sent it."""
        if not isinstance(value, VisiomaticError) or value.status == 500:
            super().log_exception(typ, value, tb)

    async def send_tile(self, request: TileRequest, delivery: Delivery) -> None:
        """Send a tile, or 304 where the browser has it already."""
        services = self.services
        token = services.renderer.planner.token(request)
        if not self._unchanged(token, delivery):
            await self._send_made(token, services.tile(request, token, self.viewer), delivery)

    async def send_region(self, plan: RegionPlan, delivery: Delivery) -> None:
        """Send a region, or 304 where the browser has it already."""
        try:
            await self._send_region(plan, delivery)
        except PyramidGone:  # evicted after it was planned
            await self._send_region(await self.services.renderer.regions.plan(plan.request), delivery)

    async def _send_region(self, plan: RegionPlan, delivery: Delivery) -> None:
        services, fingerprint = self.services, plan.request.layer.reader.fingerprint
        if not self._unchanged(plan.token, delivery):
            making = services.desk.get(plan.token, fingerprint, lambda: services.renderer.regions.render(plan))
            await self._send_made(plan.token, making, delivery)

    def _unchanged(self, token: str, delivery: Delivery) -> bool:
        """Whether the browser has the picture of that token already; then it is told so."""
        if not not_modified(token, self.request.headers.get("If-None-Match")):
            return False
        self._set_headers(cache_headers(token, delivery))
        self.set_status(304)
        self.finish()
        return True

    async def _send_made(self, token: str, making: Coroutine[Any, Any, Picture], delivery: Delivery) -> None:
        """Send a picture once it is made."""
        self._making = asyncio.ensure_future(making)
        try:
            picture = await self._making
        except asyncio.CancelledError:
            if self._is_gone:
                return  # nobody is there to be answered
            raise
        self._set_headers(picture_headers(token, picture, delivery))
        self.finish(picture.data)

    def on_connection_close(self) -> None:
        """Stop working on what nobody will see."""
        super().on_connection_close()
        self._is_gone = True
        if self._making is not None:
            self._making.cancel()

    @property
    def viewer(self) -> str:
        """Whom the request is from."""
        return viewer_of(self.request.headers.get("Cookie"), self.request.server_connection)

    def number_viewer(self) -> None:
        """Give a browser that has none the number by which its viewer is told from others."""
        cookie = new_viewer(self.request.headers.get("Cookie"))
        if cookie is not None:
            self.set_header("Set-Cookie", cookie)

    def _set_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.set_header(name, value)

    def compute_etag(self) -> str | None:
        """Leave ETags to `send_picture`: hashing every answer is not free."""
        return None

    def check_version(self, fingerprint: str) -> bool:
        """Whether the URL says all that the answer depends on, as it holds the fingerprint, and no preset.

        `CubeChanged` if it holds another fingerprint.
        """
        given = self.get_query_argument("v", None)
        if given is not None and given != fingerprint:
            raise CubeChanged(f"v is {given!r}, but the cube is now {fingerprint!r}: its file has changed", "v")
        return given is not None and self.get_query_argument("preset", None) is None


class NotFoundHandler(BaseHandler):
    """What no route leads to."""

    def prepare(self) -> None:
        """Say so."""
        raise HTTPError(404, "there is nothing at this address")
