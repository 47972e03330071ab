"""The tile lane: tiles of pictures that are known already are answered without Tornado's request machinery.

A `tornado.web.RequestHandler` costs 0.1 ms a request, half as much as rendering and encoding a tile. Tornado's own
interface below it, `tornado.httputil.HTTPMessageDelegate`, is all that a tile needs. Whatever takes a closer look
(another picture, another version of the file, a place that does not exist) goes to the application, which parses it in
full and leaves here what it has learnt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from http.client import responses

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application

from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.errors import InvalidRequest, VisiomaticError
from visiomatic_dask.server.base import Services
from visiomatic_dask.server.responses import (
    Delivery,
    HTTPDate,
    cache_headers,
    error_response,
    not_modified,
    origin_headers,
    picture_headers,
)
from visiomatic_dask.server.tile_paths import TilePath
from visiomatic_dask.server.viewers import viewer_of

logger = logging.getLogger(__name__)


class TileLane(HTTPServerConnectionDelegate):
    """Takes tiles of known pictures, and hands everything else to the application.

    Parameters
    ----------
    application : tornado.web.Application
        Answers everything else.
    services : Services
        The same that the application has.
    """

    def __init__(self, application: Application, services: Services) -> None:
        self.application = application
        self.services = services
        self.date = HTTPDate()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Take a request."""
        assert isinstance(request_conn, HTTP1Connection)
        return _Message(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Tell the application of a connection that has closed."""
        self.application.on_close(server_conn)

    def known(self, uri: str) -> tuple[TileRequest, Delivery] | None:
        """Return the tile that a path asks for, if everything about it is known."""
        path = TilePath.parse(uri)
        if path is None:
            return None
        opened = self.services.catalog.current(path.name)
        style = None if opened is None else self.services.styles.get(path, opened.cube)
        if style is None:
            return None
        try:
            place = path.locate(self.services.renderer.planner.tiles(style.layer))
        except InvalidRequest:
            return None
        settled = not style.delivery.previews
        return TileRequest(style.layer, *place, style.style, settled), style.delivery


class _Message(HTTPMessageDelegate):
    """One request."""

    def __init__(self, lane: TileLane, server_conn: object, connection: HTTP1Connection) -> None:
        self._lane = lane
        self._server_conn = server_conn
        self._connection = connection
        self._other: HTTPMessageDelegate | None = None
        self._tile: tuple[TileRequest, Delivery] | None = None
        self._task: asyncio.Task[None] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Decide who answers."""
        self._headers = headers
        if isinstance(start_line, RequestStartLine) and start_line.method == "GET":
            self._tile = self._lane.known(start_line.path)
        if self._tile is None:
            self._other = self._lane.application.start_request(self._server_conn, self._connection)
            return self._other.headers_received(start_line, headers)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand a body on; a tile needs none."""
        return None if self._other is None else self._other.data_received(chunk)

    def finish(self) -> None:
        """Answer, at once where the picture is kept."""
        if self._tile is None:
            if self._other is not None:
                self._other.finish()
            return
        request, delivery = self._tile
        token = self._lane.services.renderer.planner.token(request)
        if not_modified(token, self._headers.get("If-None-Match")):
            self._send(304, cache_headers(token, delivery), b"")
            return
        kept = self._lane.services.desk.kept(token)
        if kept is not None:
            self._send(200, picture_headers(token, kept, delivery), kept.data)
            return
        self._task = asyncio.get_running_loop().create_task(self._answer(request, token, delivery))
        # Tornado tells a delegate of a close only as long as the request has not arrived in full.
        self._connection.set_close_callback(self._drop)

    def _drop(self) -> None:
        """Stop working on what nobody will see."""
        if self._task is not None:
            self._task.cancel()

    def on_connection_close(self) -> None:
        """Tell whoever else answers that the connection has closed before the request was there."""
        if self._other is not None:
            self._other.on_connection_close()

    async def _answer(self, request: TileRequest, token: str, delivery: Delivery) -> None:
        services = self._lane.services
        viewer = viewer_of(self._headers.get("Cookie"), self._server_conn)
        try:
            picture = await services.tile(request, token, viewer)
        except VisiomaticError as error:
            services.noticed(error)
            self._send(*error_response(error, 500))
        except Exception:
            logger.exception("a tile failed")
            self._send(*error_response(None, 500))
        else:
            self._send(200, picture_headers(token, picture, delivery), picture.data)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        all_headers = HTTPHeaders(headers)
        all_headers["Date"] = self._lane.date.now
        if status != 304:
            all_headers["Content-Length"] = str(len(body))
        for name, value in origin_headers(self._lane.services.settings, self._headers.get("Origin")).items():
            all_headers[name] = value
        start_line = ResponseStartLine("HTTP/1.1", status, responses[status])
        self._connection.write_headers(start_line, all_headers, body)
        self._connection.finish()
