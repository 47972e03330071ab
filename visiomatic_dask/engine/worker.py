"""The worker's side of the tile stream: a plugin that answers tiles over comms of its own.

A handler whose first parameter is called ``comm`` owns its connection, so it can answer out of order. That is how
distributed's own shuffle works, but it is not documented: it is kept to this class and
`visiomatic_dask.engine.stream`, and tested at start-up.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections.abc import Callable
from importlib import metadata
from time import perf_counter
from typing import Any

import dask.config
import distributed
import numpy as np
from distributed import Worker
from distributed.comm import Comm
from distributed.core import Status
from distributed.diagnostics.plugin import WorkerPlugin
from numpy.typing import NDArray

from visiomatic_dask.engine import bulk
from visiomatic_dask.engine.render_pool import RenderJob, RenderPool
from visiomatic_dask.engine.tile_job import BrickAbsent, Rendered, TileJob, render_job
from visiomatic_dask.engine.tile_metrics import TileMetrics
from visiomatic_dask.engine.worker_memory import in_memory
from visiomatic_dask.errors import VisiomaticError
from visiomatic_dask.pyramid.rebin import accumulate, finish
from visiomatic_dask.pyramid.store.piece_rebinning import warm_up
from visiomatic_dask.readers.shared_cache import CHUNKS
from visiomatic_dask.rendering import (
    Canvas,
    ChannelChange,
    Look,
    LookTables,
    TableCache,
    add_channel,
    add_weights,
    change_mix,
    render_mix,
    render_plane,
    settle,
)

logger = logging.getLogger(__name__)

HANDLER = "visiomatic_tiles"
_SWITCH_INTERVAL = 0.0001
"""Tile p50 beside a task that holds the interpreter's lock: 83 ms with Python's own 5 ms, 16 ms with 0.5 ms. A tile
asks for the lock several times on its way; asking more insistently costs no CPU that can be measured."""


Render = Callable[[TileJob, NDArray[np.float32] | None, TableCache, Canvas], Rendered]


class TileStreamPlugin(WorkerPlugin):
    """Lets a worker answer tiles.

    Parameters
    ----------
    version : str
        Version of this package; part of the plugin's name, so that two versions can stand side by side.
    threads : int or None
        Rendering threads; None for as many as the worker runs tasks.
    render : callable
        What makes a tile of a job.
    chunk_cache : int or None
        Bytes of decoded storage chunks that the worker process keeps; None for what it keeps anyway.

    Attributes
    ----------
    metrics : TileMetrics
        What was done so far.
    """

    idempotent = True  # a second front end finds it there, and must not tear down the first one's streams

    def __init__(
        self,
        version: str,
        threads: int | None = None,
        render: Render = render_job,
        chunk_cache: int | None = None,
    ) -> None:
        self.name = f"visiomatic-tile-stream-{version}"
        self.version = version
        self.threads = threads
        self.render = render
        self.chunk_cache = chunk_cache
        self.open: set[_Connection] = set()

    async def setup(self, worker: Worker) -> None:
        """Start the rendering threads, compile the kernels, and register the handler."""
        self.worker = worker
        self.tables, self.canvas, self.metrics = TableCache(), Canvas(), TileMetrics()
        # Dask's profiler samples the threads that are entered there; the lock that goes with it is for its own.
        active = worker.active_threads if dask.config.get("distributed.worker.profile.enabled") else None
        # A pool of its own: in the task pool, a tile behind a 2 s task waited for it (p50 1,175 ms instead of 2.6).
        self.pool = RenderPool(self.threads or worker.state.nthreads, asyncio.get_running_loop(), active)
        if self.chunk_cache is not None:
            CHUNKS.limit = self.chunk_cache
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL))
        await asyncio.to_thread(compile_kernels)
        worker.metrics |= self.metrics.by_name
        worker.handlers[bulk.HANDLER] = self.serve_bulk
        worker.handlers[HANDLER] = self.serve

    def teardown(self, worker: Worker) -> None:
        """Take handlers and metrics away and stop the threads."""
        for name in (HANDLER, bulk.HANDLER):
            worker.handlers.pop(name, None)
        for name in self.metrics.by_name:
            worker.metrics.pop(name, None)
        self.pool.close()

    async def serve(self, comm: Comm) -> Status:
        """Answer one front end until it goes: lists of ``(id, job)`` come in, lists of answers go out, in any order."""
        connection = _Connection(self, comm)
        self._opened(connection, True)
        try:
            await connection.run()
        except OSError:
            logger.debug("front end %s is gone", comm.peer_address)
        finally:
            self._opened(connection, False)
            connection.close()
        return Status.dont_reply

    @property
    def connections(self) -> int:
        """Front ends that are connected."""
        return len(self.open)

    def _opened(self, connection: _Connection, is_open: bool) -> None:
        """Count front ends; each of them learns of it at once, for they share what bricks may take."""
        if is_open:
            self.open.add(connection)
        else:
            self.open.discard(connection)
        for one in self.open:
            one.wake.set()

    async def serve_bulk(self, comm: Comm, key: str, start: int = 0, stop: int | None = None) -> Status:
        """Answer with what is held under a key, in parts; see `visiomatic_dask.engine.bulk`."""
        return await bulk.send_in_parts(self.worker, comm, key, start, stop)

    def brick(self, key: str) -> NDArray[np.float32] | None:
        """Look a brick up in memory only; called on the loop."""
        found = in_memory(self.worker).get(key)
        return found if isinstance(found, np.ndarray) else None

    @property
    def hello(self) -> dict[str, Any]:
        """What a front end has to know of this worker."""
        return {
            # Its own, not that of the front end which sent the plugin: a worker may join later with another one.
            "version": metadata.version("visiomatic-dask"),
            "distributed": distributed.__version__,
            "threads": self.pool.threads,
            "front_ends": self.connections,
            "memory_limit": self.worker.memory_manager.memory_limit or 0,
        }


class _Connection:
    """One front end: reads requests, hands them to the pool, and writes whatever is ready in one message."""

    def __init__(self, plugin: TileStreamPlugin, comm: Comm) -> None:
        self.plugin = plugin
        self.comm = comm
        self.ready: list[tuple[Any, ...]] = []
        self.wake = asyncio.Event()
        self.told = 0
        self.jobs: dict[int, RenderJob] = {}

    async def run(self) -> None:
        self.told = self.plugin.connections
        await self.comm.write(self.plugin.hello)
        writer = asyncio.create_task(self._write())
        try:
            while not writer.done():
                for request in await self.comm.read():
                    self._start(*request)
        finally:
            writer.cancel()

    def close(self) -> None:
        for job in self.jobs.values():
            job.dropped = True
        self.comm.abort()

    def _start(self, number: int, job: tuple[Any, ...] | None) -> None:
        """Start a tile, or with None for a job drop one that has not begun."""
        if job is None:
            dropped = self.jobs.pop(number, None)
            if dropped is not None:
                dropped.dropped = True
                self.plugin.metrics.dropped += 1
            return
        tile = TileJob(*job)
        self._submit(number, tile, self.plugin.brick(tile.key), perf_counter())

    def _submit(self, number: int, tile: TileJob, brick: NDArray[np.float32] | None, arrived: float) -> None:
        def done(job: RenderJob) -> None:
            self._done(number, tile, brick is not None, arrived, job)

        plugin = self.plugin
        arguments = (tile, brick, plugin.tables, plugin.canvas)
        job = self.jobs[number] = RenderJob(plugin.render, arguments, done, brick is not None and tile.quick)
        plugin.pool.submit(job)

    def _done(self, number: int, tile: TileJob, here: bool, arrived: float, job: RenderJob) -> None:
        if self.jobs.pop(number, None) is None:
            return  # dropped after it had begun
        if job.error is None:
            self.ready.append((number, "ok" if here else "moved", tuple(job.result)))
        elif isinstance(job.error, BrickAbsent):
            spilled = self.plugin.worker.data.get(tile.key)  # on the loop: dear, but nothing else is as cheap any more
            if spilled is not None:
                self._submit(number, tile, spilled, arrived)
                return
            self.ready.append((number, "absent", None))
        else:
            if not isinstance(job.error, VisiomaticError):
                logger.error("a tile failed", exc_info=job.error)
            self.ready.append((number, "error", _pickled(job.error)))
        self.plugin.metrics.answered(perf_counter() - arrived)
        self.wake.set()

    async def _write(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            ready, self.ready = self.ready, []
            if ready or self.told != self.plugin.connections:
                self.told = self.plugin.connections
                await self.comm.write((self.told, ready))


def _pickled(error: Exception) -> bytes:
    """Pickle an error; one that does not survive it is sent as its text."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # noqa: BLE001 - whatever pickling runs into
        return pickle.dumps(RuntimeError(repr(error)))
    return data


def compile_kernels() -> None:
    """Run every kernel once, so that no user waits for a compiler."""
    planes = np.zeros((3, 4, 4), np.float32)
    for look in (Look(), Look(colormap="jet"), Look(bad="#000000")):
        render_plane(planes, 0, 0, 0, (4, 4), 1.0, 0.0, 0.0, LookTables.of(look))
    for look in (Look(), Look(saturation=2.0), Look(hue=True), Look(bad="#000000")):
        render_mix(planes, 0, 0, (4, 4), (1.0,) * 3, (0.0,) * 3, LookTables.of(look))
    mixed = np.zeros((3, 4, 4))
    for pixels in (planes[0], planes[0].view(np.uint32)):
        add_channel(pixels, 0.0, 1.0, 1.0, 1.0, planes, mixed, True)
        add_weights(pixels, np.ones(3), mixed, True)
    settle(planes, mixed)
    ones = (1.0, 1.0, 1.0)
    for base in (planes, np.zeros((6, 4, 4), np.float32)):
        change_mix(base, [(ChannelChange(0, 0.0, ones, 0.0, ones, ones), planes[0])], ones, ones)
    sums, counts = np.zeros((2, 2)), np.zeros((2, 2), np.int32)
    accumulate(planes[0], 1, 0, 1, 0, sums, counts)
    finish(sums, counts, np.empty((2, 2), np.float32))
    warm_up()
