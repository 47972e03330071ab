"""``/events``: the WebSocket over which browsers hear which previews can be had exactly now."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from visiomatic_dask.errors import CubeChanged, InvalidRequest, VisiomaticError
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.base import BaseHandler
from visiomatic_dask.server.events import Subscription, Watch
from visiomatic_dask.server.responses import is_listed

logger = logging.getLogger(__name__)

PING_INTERVAL = 20.0
"""Seconds between two pings: proxies close connections that are silent for a minute."""
LARGEST_MESSAGE = 16 * 1024
"""Bytes of what a browser may say: a name, which may be a URL."""
_KEYS = ("cube", "layer", "v")
_REFUSED = 4000
"""Close codes of errors: this and the status that the error has over HTTP."""
_GOING_AWAY = 1001
_LONGEST_REASON = 120


class EventsHandler(BaseHandler, WebSocketHandler):
    """Sends the events of one layer after the other, as the browser says."""

    _subscription: Subscription | None = None
    _sending: asyncio.Task[None] | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the WebSocket."""
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise HTTPError(426, "events come over a WebSocket: this is no request for one")
        await super().get(*args, **kwargs)

    def check_origin(self, origin: str) -> bool:
        """Whether pages of an origin may listen: the server's own, and those that may read its other answers."""
        if is_listed(self.services.settings, origin) or super().check_origin(origin):
            return True
        shown = origin if len(origin) <= _LONGEST_REASON else origin[:_LONGEST_REASON] + "…"
        raise HTTPError(
            403, f"pages of {shown} may not listen; allowed: this server's own, and visiomatic.cors-origins"
        )

    async def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to send what is watched."""
        try:
            arguments = self.arguments
            arguments.check_names((*_KEYS, "since"))
            watch = await self._watch(arguments)
        except VisiomaticError as error:
            await self._refuse(error)
            return
        if self.ws_connection is None:
            return  # gone meanwhile
        self._subscription = self.services.events.subscribe(watch, arguments.text("since"))
        self._sending = asyncio.create_task(self._send(self._subscription))

    async def on_message(self, message: str | bytes) -> None:
        """Watch something else."""
        try:
            watch = await self._watch(_watch_arguments(message))
        except VisiomaticError as error:
            await self._refuse(error)
            return
        if self._subscription is not None:
            self._subscription.rewatch(watch)

    def on_close(self) -> None:
        """Stop."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        if self._sending is not None:
            self._sending.cancel()

    async def _watch(self, arguments: Arguments) -> Watch:
        """Find out what is to be watched: only layers that can be opened are."""
        name = arguments.text("cube")
        if name is None:
            raise InvalidRequest("cube is missing; allowed: the name of a cube", "cube")
        opened = await self.services.catalog.get(name, "cube")
        layer = opened.cube.layer(arguments.text("layer"))
        fingerprint, given = opened.cube.fingerprint, arguments.text("v")
        if given is not None and given != fingerprint:
            raise CubeChanged(f"v is {given!r}, but the cube is now {fingerprint!r}: its file has changed", "v")
        return Watch(name, layer.name, fingerprint, layer.reader.token)

    async def _send(self, subscription: Subscription) -> None:
        """Send until the subscription ends; a browser that takes nothing lets its events wait, and no others."""
        try:
            while (message := await subscription.next()) is not None:
                await self.write_message(json.dumps(message, allow_nan=False))
            self.close(_GOING_AWAY, "the server ends")
        except WebSocketClosedError:
            logger.debug("a listener has gone")

    async def _refuse(self, error: VisiomaticError) -> None:
        """Say what is wrong, and close: the sentence may be longer than the reason of a close can be."""
        self.services.noticed(error)
        if self._subscription is not None:
            self.on_close()
        try:
            await self.write_message(json.dumps({"type": "error", "msg": error.message}))
        except WebSocketClosedError:
            return
        reason = error.message.encode()[:_LONGEST_REASON].decode(errors="ignore")
        self.close(_REFUSED + error.status, reason)


def _watch_arguments(message: str | bytes) -> Arguments:
    """Read ``{"watch": {"cube", "layer", "v"}}``.

    Raises
    ------
    InvalidRequest
        If it is anything else.
    """
    allowed = '{"watch": {"cube", "layer", "v"}} in JSON, all three texts'
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        raise InvalidRequest(f"this message is not JSON; allowed: {allowed}") from None
    watch = value.get("watch") if isinstance(value, dict) and set(value) == {"watch"} else None
    if not isinstance(watch, dict) or not all(isinstance(one, str) for one in watch.values()):
        raise InvalidRequest(f"this message means nothing here; allowed: {allowed}")
    arguments = Arguments({name: [text] for name, text in watch.items()})
    arguments.check_names(_KEYS)
    return arguments
