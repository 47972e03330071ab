"""A server for tests: a real one, on a free port of loopback, in a thread of this process; and a plain HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.cluster import ClusterAddress
from visiomatic_dask.server.serve import ServeOptions, running_server


@dataclass(frozen=True)
class Response:
    """What came back."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; NaN and infinities, which are not JSON, are refused."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} in JSON")

        assert str(self.headers["Content-Type"]).startswith("application/json")
        return json.loads(self.body, parse_constant=refuse)

    @property
    def message(self) -> str:
        """What an error says."""
        (detail,) = self.json["detail"]
        assert set(detail) <= {"loc", "msg", "progress"}
        return str(detail["msg"])

    @property
    def parameter(self) -> str:
        """Which parameter an error is about."""
        return str(self.json["detail"][0]["loc"][1])

    @property
    def compared(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """All of it, without what differs from answer to answer."""
        changing = ("Date", "Server-Timing", "Set-Cookie")
        return self.status, sorted((k, v) for k, v in self.headers.items() if k not in changing), self.body


class Service:
    """A server's address, and how to ask it."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.host, self.port = parts.hostname, parts.port

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: str | bytes | None = None
    ) -> Response:
        """Ask on a connection of its own; the path goes out as it is."""
        connection = HTTPConnection(self.host, self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())

    def ok(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """Ask for what must be there."""
        response = self.get(path, headers)
        assert response.status == 200, response.body
        return response


@contextlib.contextmanager
def serving(
    *paths: Path | str, cluster: ClusterAddress | None = None, prebuild: bool = False, **settings: Any
) -> Iterator[Service]:
    """Run a server in a thread; what it raises while it starts is raised here."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    found: list[str] = []
    errors: list[BaseException] = []
    stop = asyncio.Event()

    async def main() -> None:
        options = ServeOptions(paths, "127.0.0.1", 0, cluster, __version__, prebuild=prebuild)
        async with running_server(options, load_settings(**settings)) as url:
            found.append(url)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(main())
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="test server")
    thread.start()
    try:
        assert ready.wait(60)
        if errors:
            raise errors[0]
        yield Service(found[0])
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]
