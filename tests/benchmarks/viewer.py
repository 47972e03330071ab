"""One viewer: a browser with our client in it, seen from the server's side.

Six connections; tiles of what is on the screen, the nearest first; what is no longer wanted is aborted, which in
HTTP/1.1 means that its connection is closed; what has come once is kept and not asked for again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from .http_client import CONNECTIONS, BrokenAnswer, Connection
from .served_cube import ServedCube
from .session import View

_KEPT = 1000  # tiles in a browser's cache
_LONGEST_RETRY = 5.0  # seconds that a viewer waits when told to come back later


@dataclass
class Tally:
    """What all viewers have been through.

    Attributes
    ----------
    latencies : list of float
        Seconds from each request for a tile to its last byte.
    settled : list of float
        Seconds from each change of view to its last tile, where the next change left it the time.
    statuses : Counter
        Answers by status.
    nbytes : int
        Bytes of bodies.
    aborted, refused, failed : int
        Requests given up because the view had changed; answers 503 with Retry-After, asked again; anything else that
        was not a picture.
    failures : list of str
        What the first of those were.
    """

    latencies: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    nbytes: int = 0
    aborted: int = 0
    refused: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def fail(self, path: str, why: str) -> None:
        """Count a failure."""
        self.failed += 1
        if len(self.failures) < 20:
            self.failures.append(f"{path}: {why}")


class Viewer:
    """A browser.

    Parameters
    ----------
    url : str
        The server's.
    cube : ServedCube
        What is looked at.
    tally : Tally
        Where everything is counted.
    """

    def __init__(self, url: str, cube: ServedCube, tally: Tally) -> None:
        self.cube = cube
        self.tally = tally
        self._connections = [Connection(url) for _ in range(CONNECTIONS)]
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._queue: list[str] = []
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Condition()
        self._changed_at: float | None = None
        self._lanes: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Open the browser."""
        self._lanes = [asyncio.create_task(self._take_turns(connection)) for connection in self._connections]

    async def close(self) -> None:
        """Close it, whatever it is waiting for."""
        for task in (*self._lanes, *self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for connection in self._connections:
            connection.close()

    async def look(self, view: View) -> None:
        """Have another view on the screen."""
        wanted = [self.cube.path(tile, view.show) for tile in view.tiles(self.cube)]
        missing = [path for path in wanted if path not in self._kept]
        for path in set(self._under_way).difference(missing):
            self._under_way.pop(path).cancel()
        self._queue = [path for path in missing if path not in self._under_way]
        self._changed_at = time.perf_counter() if missing else None
        async with self._wake:
            self._wake.notify_all()

    async def _take_turns(self, connection: Connection) -> None:
        while True:
            async with self._wake:
                await self._wake.wait_for(lambda: self._queue)
                path = self._queue.pop(0)
                task = self._under_way[path] = asyncio.create_task(self._get(connection, path))
            await asyncio.wait([task])
            if task.cancelled():
                self.tally.aborted += 1
                continue
            if self._under_way.get(path) is task:  # not wanted any more, where it has just been cancelled too late
                del self._under_way[path]
            task.result()
            self._check_settled()

    async def _get(self, connection: Connection, path: str) -> None:
        """Get a tile, however often it takes."""
        while True:
            began = time.perf_counter()
            try:
                answer = await connection.get(path)
            except (OSError, BrokenAnswer) as error:
                self.tally.fail(path, repr(error))
                return
            self.tally.statuses[answer.status] += 1
            if answer.may_try_again:
                self.tally.refused += 1
                with contextlib.suppress(ValueError):
                    await asyncio.sleep(min(float(answer.headers["retry-after"]), _LONGEST_RETRY))
                continue
            if not answer.is_picture:
                self.tally.fail(path, f"{answer.status} {answer.body[:200]!r}")
                return
            self.tally.latencies.append(time.perf_counter() - began)
            self.tally.nbytes += len(answer.body)
            self._kept[path] = None
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return

    def _check_settled(self) -> None:
        if self._changed_at is not None and not self._queue and not self._under_way:
            self.tally.settled.append(time.perf_counter() - self._changed_at)
            self._changed_at = None
