"""Plain Tornado that answers every request with the same 20 kB: what HTTP costs before there is a tile in it.

Below `tornado.web`, as the tile lane is, and on uvloop: ``python -m tests.benchmarks.http_floor PORT``.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)

BODY = bytes(20_000)


class _Message(HTTPMessageDelegate):
    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection

    def finish(self) -> None:
        headers = HTTPHeaders({"Content-Type": "image/jpeg", "Content-Length": str(len(BODY))})
        self.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, BODY)
        self.connection.finish()


class _Floor(HTTPServerConnectionDelegate):
    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _Message(request_conn)


async def serve(port: int) -> None:
    """Serve on loopback until the process is ended."""
    HTTPServer(_Floor()).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
