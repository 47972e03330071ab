"""Overviews: all tiles of a plane that is seen as a whole, previews first, and asked for again until they are exact."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import uvloop

from .http_client import CONNECTIONS, Connection
from .load import MeasurementError
from .served_cube import ServedCube, Show, Tile
from .servers import Running

Found = TypeVar("Found")
SCREEN = 1080
"""Pixels that a plane is to fit into."""
PAUSE = 0.2
"""Seconds between one look and the next: more often, asking would itself slow down what is waited for."""
LONGEST = 300


@dataclass(frozen=True)
class Seen:
    """A plane that was looked at.

    Attributes
    ----------
    first : float
        Seconds until there was a picture of all of it.
    exact : float
        Seconds until all of it was exact.
    """

    first: float
    exact: float

    @property
    def was_preview(self) -> bool:
        """Whether the first picture was not exact yet."""
        return self.exact > self.first


class Onlooker:
    """Looks at a cube on a server as a browser does, over six connections."""

    def __init__(self, server: Running) -> None:
        self._connections = [Connection(server.address) for _ in range(CONNECTIONS)]

    async def open(self, name: str) -> None:
        """Ask for the cube, as is done before anything of it is shown."""
        self.cube = await ServedCube.ask(self._connections[0], name)

    @property
    def whole(self) -> list[Tile]:
        """Tiles of the finest level at which a plane fits on a screen."""
        width, height = self.cube.size
        levels = range(len(self.cube.levels))
        level = next(one for one in levels if max(width, height) <= SCREEN << one or one == levels[-1])
        columns, rows = self.cube.levels[level]
        return [(level, row, column) for row in range(rows) for column in range(columns)]

    async def previews(self, channel: int, tiles: Sequence[Tile]) -> list[Tile]:
        """Ask for tiles, and tell which of them came as previews."""
        paths = {self.cube.path(tile, Show(channel)): tile for tile in tiles}
        found = []

        async def ask(connection: Connection, left: list[str]) -> None:
            while left:
                path = left.pop()
                answer = await connection.get(path)
                if not answer.is_picture:
                    raise MeasurementError(f"{path} was answered {answer.status}: {answer.body[:300]!r}")
                if answer.headers.get("x-visiomatic-quality") == "preview":
                    found.append(paths[path])

        left = list(paths)[::-1]
        async with asyncio.TaskGroup() as group:
            for connection in self._connections:
                group.create_task(ask(connection, left))
        return found

    async def see(self, channel: int, began: float | None = None) -> Seen:
        """Look at a plane until it is exact."""
        began = began or time.monotonic()
        left = await self.previews(channel, self.whole)
        first = exact = time.monotonic() - began
        while left:
            await asyncio.sleep(PAUSE)
            if time.monotonic() - began > LONGEST:
                raise MeasurementError(f"{len(left)} tiles of an overview are still previews after {LONGEST} s")
            left = await self.previews(channel, left)
            exact = time.monotonic() - began
        return Seen(first, exact)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def looking(server: Running, look: Callable[[Onlooker], Awaitable[Found]]) -> Found:
    """Run what looks at a server."""

    async def main() -> Found:
        onlooker = Onlooker(server)
        try:
            return await look(onlooker)
        finally:
            onlooker.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
