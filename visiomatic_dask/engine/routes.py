"""Routes: how a tile reaches a worker. Straight over a stream, or as a Dask task where that cannot be."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from typing import Protocol

from distributed import Client
from distributed.scheduler import KilledWorker

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.results import result_of
from visiomatic_dask.engine.stream import Answer, StreamClosed, TileStream
from visiomatic_dask.engine.tasks import render_tile
from visiomatic_dask.engine.tile_job import BrickAbsent, TileJob
from visiomatic_dask.errors import ClusterError

logger = logging.getLogger(__name__)

_PRIORITY = 100


class Unreachable(Exception):
    """A worker did not answer, or not in time."""


class Route(Protocol):
    """A way to ask a worker for a tile."""

    name: str

    async def ask(self, worker: str, job: TileJob, viewer: str) -> Answer:
        """Ask a worker; `Unreachable` or `BrickAbsent` when it cannot answer, else what went wrong."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class DirectRoute:
    """Tiles over a stream to each worker, opened when it is first needed.

    Parameters
    ----------
    client : distributed.Client
        Gives the arguments of connections (TLS).
    version : str
        Version of this package.
    settings : Settings
        How long a worker may be silent.
    on_worker : callable
        Called with a worker's address, its memory limit in bytes and the number of front ends connected to it.
    on_lost : callable
        Called with the address of a worker whose stream has closed.
    """

    name = "direct"

    def __init__(
        self,
        client: Client,
        version: str,
        settings: Settings,
        on_worker: Callable[[str, int, int], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._client = client
        self._version = version
        self._settings = settings
        self._on_worker = on_worker
        self._on_lost = on_lost
        self._streams: dict[str, TileStream] = {}
        self._opening: dict[str, asyncio.Task[TileStream]] = {}
        self._front_ends: dict[str, int] = {}

    async def ask(self, worker: str, job: TileJob, viewer: str) -> Answer:
        """Ask a worker over its stream, on which viewers take turns."""
        stream = self._streams.get(worker)
        try:
            if stream is None:
                stream = await self._open(worker)
            return await stream.ask(job, viewer)
        except (OSError, StreamClosed, TimeoutError) as error:
            raise Unreachable(f"{worker}: {error!r}") from error

    async def test(self, workers: Iterable[str]) -> str | None:
        """Open a stream to every worker that has none; return what is wrong, or None when all answer."""
        unknown = [worker for worker in workers if worker not in self._streams]
        results = await asyncio.gather(*(self._open(worker) for worker in unknown), return_exceptions=True)
        for result in results:
            if isinstance(result, OSError | TimeoutError | ClusterError):
                return str(result)
            if isinstance(result, BaseException):
                raise result
        return None

    async def close(self) -> None:
        """Close every stream."""
        for task in self._opening.values():
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for stream in list(self._streams.values()):
            await stream.close()

    async def _open(self, worker: str) -> TileStream:
        """Open a stream; those who want the same one at the same time share the attempt."""
        task = self._opening.get(worker)
        if task is None:
            task = self._opening[worker] = asyncio.create_task(self._connect(worker))
            task.add_done_callback(lambda _: self._opening.pop(worker, None))
        return await asyncio.shield(task)

    async def _connect(self, worker: str) -> TileStream:
        def tell(front_ends: int) -> None:
            if self._front_ends.get(worker) != front_ends:
                self._front_ends[worker] = front_ends
                self._on_worker(worker, stream.memory_limit, front_ends)

        def lost() -> None:
            if self._streams.get(worker) is stream:
                del self._streams[worker]
                self._front_ends.pop(worker, None)
                logger.info("the stream to worker %s has closed", worker)
                self._on_lost(worker)

        stream = TileStream(worker, self._settings.silence, self._settings.deadline, tell, lost)
        arguments = self._client.security.get_connection_args("client") if self._client.security else {}
        await stream.open(self._version, timeout=self._settings.silence, **arguments)
        self._streams[worker] = stream
        return stream


class SchedulerRoute:
    """Every tile a Dask task on the worker that holds its brick.

    Some ten times the cost of the direct route, but it works wherever Dask itself does.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    """

    name = "scheduler"

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, worker: str, job: TileJob, viewer: str) -> Answer:  # noqa: ARG002 - the scheduler's order is its own
        """Ask a worker by a task that prefers it."""
        asked = time.monotonic()
        future = self._client.submit(
            render_tile,
            tuple(job),
            key=f"tile-{uuid.uuid4().hex}",
            workers=[worker],
            allow_other_workers=True,
            priority=_PRIORITY,
        )
        try:
            status, rendered = await result_of(future)
        except (CancelledError, KilledWorker, OSError) as error:  # Dask's cancellation, not asyncio's
            raise Unreachable(f"{worker}: {error!r}") from error
        if rendered is None:
            raise BrickAbsent(job.key)
        return Answer.of(rendered, status == "moved", time.monotonic() - asked)

    async def close(self) -> None:
        """Nothing is kept open."""
