"""WebSockets of tests, closed before the loop that they are of ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect


@asynccontextmanager
async def websocket(url: str, headers: dict[str, str] | None = None) -> AsyncIterator[WebSocketClientConnection]:
    """Connect; afterwards wait until the connection is closed, which Tornado's `close` only begins."""
    socket = await websocket_connect(HTTPRequest(url, headers=headers, request_timeout=10))
    assert socket.protocol is not None
    stream = socket.protocol.stream
    assert stream is not None
    try:
        yield socket
    finally:
        socket.close()
        async with asyncio.timeout(10):
            while not stream.closed():
                await asyncio.sleep(0.01)
