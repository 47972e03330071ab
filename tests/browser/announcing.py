"""A server of this process, all of it real but for one thing: tiles are previews until a test says that they are exact.

What a preview shows is the picture inverted, so that nobody can take one for the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.service import serving
from visiomatic_dask.engine.build_news import BuildProgress
from visiomatic_dask.engine.requests import Picture, TileRequest
from visiomatic_dask.pyramid import Box
from visiomatic_dask.readers import open_cube
from visiomatic_dask.server import serve
from visiomatic_dask.server.base import Services
from visiomatic_dask.server.events import Subscription


class Previewing:
    """The renderer, for tiles of some levels; whatever else is asked of it, it answers itself."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer
        self.is_exact: Callable[[TileRequest], bool] = lambda _: False
        self.asked: list[tuple[int, int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._renderer, name)

    async def tile(self, request: TileRequest, viewer: str = "") -> Picture:
        self.asked.append((request.level, request.row, request.column))
        if self.is_exact(request):
            picture: Picture = await self._renderer.tile(request, viewer)
            return picture
        inverted = replace(request.style, look=replace(request.style.look, invert=True))
        picture = await self._renderer.tile(replace(request, style=inverted), viewer)
        return replace(picture, preview=True)


class Announcing:
    """The server, as a test speaks to it."""

    def __init__(self, url: str, services: Services, loop: asyncio.AbstractEventLoop, path: Path) -> None:
        self.url = url
        self._services = services
        self._loop = loop
        self._reader = open_cube(path).layer().reader
        renderer: Any = services.renderer
        self.renderer: Previewing = renderer

    def do(self, what: Callable[[], object]) -> None:
        """Do something on the server's own loop; returns when it is done."""
        done = threading.Event()

        def run() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def make_exact(self, is_exact: Callable[[TileRequest], bool]) -> None:
        """Say which tiles are exact from now on, without a word to anyone."""
        self.renderer.is_exact = is_exact
        self.do(lambda: self._services.desk.forget({self._reader.fingerprint}))

    def announce(self, level: int, box: Box, planes: tuple[int, int] = (0, 1)) -> None:
        self.do(lambda: self._services.events.exact(self._reader.token, level, planes, box))

    def building(self, done: int) -> None:
        """Say how far something is that is not being built at all."""
        progress = BuildProgress(done, 1_000_000, 1.2e9, 5.5)
        self.do(lambda: self._services.events.building(self._reader.token, progress))

    def built(self) -> None:
        self.do(lambda: self._services.events.built(self._reader.token))

    def failed(self, message: str) -> None:
        self.do(lambda: self._services.events.failed(self._reader.token, message))

    def is_heard(self) -> bool:
        """Whether somebody listens."""
        return bool(self._services.events.watched)

    def hang_up(self) -> None:
        """End all connections, as a server does that ends; this one does not."""
        hub = self._services.events

        def end() -> None:
            subscriptions: list[Subscription] = [one for some in hub._subscriptions.values() for one in some]
            for one in subscriptions:
                one.close()

        self.do(end)


@contextmanager
def announcing(path: Path) -> Iterator[Announcing]:
    """Run the server of one cube."""
    found: list[tuple[Services, asyncio.AbstractEventLoop]] = []
    open_services = serve.open_services

    @asynccontextmanager
    async def opened(*arguments: Any) -> AsyncIterator[Services]:
        async with open_services(*arguments) as services:
            renderer: Any = Previewing(services.renderer)
            previewing = replace(services, renderer=renderer)
            found.append((previewing, asyncio.get_running_loop()))
            yield previewing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "open_services", opened)
        with serving(path) as service:
            yield Announcing(service.url, *found[0], path)
