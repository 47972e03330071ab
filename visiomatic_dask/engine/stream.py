"""The front end's side of the tile stream: one persistent, multiplexed comm to each worker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from distributed.comm import Comm, connect

from visiomatic_dask.engine.tile_job import BrickAbsent, TileJob
from visiomatic_dask.engine.worker import HANDLER
from visiomatic_dask.errors import ClusterError

logger = logging.getLogger(__name__)

_TILES_A_THREAD = 4
"""In flight on a worker, for each of its rendering threads. What is beyond waits here, where it can be dropped and
ordered."""


class StreamClosed(Exception):
    """The comm to a worker has closed."""


class Answer(NamedTuple):
    """A worker's answer.

    Attributes
    ----------
    data : bytes
        The encoded tile.
    moved : bool
        Whether the worker did not hold the brick, and read the source instead.
    """

    data: bytes
    moved: bool


class TileStream:
    """A comm to one worker. Requests that are made in one turn of the loop go in one message, and so do answers.

    Parameters
    ----------
    address : str
        The worker's address.
    on_front_ends : callable
        Called with the number of front ends connected to the worker, whenever it tells.
    on_close : callable
        Called once, when the comm has closed for whatever reason.
    """

    def __init__(self, address: str, on_front_ends: Callable[[int], None], on_close: Callable[[], None]) -> None:
        self.address = address
        self.memory_limit = 0
        self._on_front_ends = on_front_ends
        self._on_close = on_close
        self._comm: Comm | None = None
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._out: list[tuple[int, TileJob | None]] = []
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_TILES_A_THREAD)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, version: str, **connection_args: Any) -> None:
        """Connect, and learn what the worker is.

        Parameters
        ----------
        version : str
            Version of this package, which the worker's has to equal.
        **connection_args
            The client's: TLS, where it is used.

        Raises
        ------
        OSError
            If the worker cannot be reached or does not answer tiles.
        ClusterError
            If it runs another version.
        """
        comm = await connect(self.address, **connection_args)
        try:
            await comm.write({"op": HANDLER, "reply": False})
            hello = await asyncio.wait_for(comm.read(), 5)
        except (OSError, TimeoutError) as error:
            comm.abort()
            raise OSError(f"worker {self.address} does not answer tiles") from error
        if hello["version"] != version:
            comm.abort()
            raise ClusterError(
                f"worker {self.address} runs visiomatic_dask {hello['version']}, this server {version}; "
                "install one version everywhere"
            )
        self._comm = comm
        self.memory_limit = int(hello["memory_limit"])
        self._slots = asyncio.Semaphore(_TILES_A_THREAD * int(hello["threads"]))
        self._tasks = [asyncio.create_task(self._write(comm)), asyncio.create_task(self._read(comm))]
        self._on_front_ends(1)

    @property
    def closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._comm is None

    async def ask(self, job: TileJob, silence: float) -> Answer:
        """Ask for a tile.

        Parameters
        ----------
        job : TileJob
            The tile.
        silence : float
            Seconds to wait once the request is on its way.

        Raises
        ------
        StreamClosed
            If the comm closes first.
        TimeoutError
            If the worker stays silent.
        BrickAbsent
            If it does not hold the brick, and would have to read too much.
        VisiomaticError
            Whatever went wrong there.
        """
        async with self._slots:
            if self.closed:
                raise StreamClosed(self.address)
            number = next(self._numbers)
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting[number] = answer
            self._send(number, job)
            try:
                async with asyncio.timeout(silence):
                    return await answer
            except BaseException:
                if self._waiting.pop(number, None) is not None and not self.closed:
                    self._send(number, None)  # whoever asked is gone: the worker need not begin
                raise

    async def close(self) -> None:
        """Close the comm; whoever waits gets `StreamClosed`."""
        self._shut()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _send(self, number: int, job: TileJob | None) -> None:
        self._out.append((number, job))
        self._wake.set()

    async def _write(self, comm: Comm) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                out, self._out = self._out, []
                await comm.write([(number, None if job is None else tuple(job)) for number, job in out])
        except OSError:
            self._shut()

    async def _read(self, comm: Comm) -> None:
        try:
            while True:
                front_ends, answers = await comm.read()
                self._on_front_ends(front_ends)
                for number, status, data in answers:
                    self._settle(number, status, data)
        except OSError:
            self._shut()

    def _settle(self, number: int, status: str, data: bytes) -> None:
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            return
        if status == "error":
            future.set_exception(pickle.loads(data))
        elif status == "absent":
            future.set_exception(BrickAbsent(""))
        else:
            future.set_result(Answer(data, status == "moved"))

    def _shut(self) -> None:
        comm, self._comm = self._comm, None
        if comm is None:
            return
        comm.abort()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(StreamClosed(self.address))
        self._on_close()
