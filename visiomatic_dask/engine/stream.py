"""The front end's side of the tile stream: one persistent, multiplexed comm to each worker."""

from __future__ import annotations

import asyncio
import itertools
import logging
import pickle
import time
from collections import deque
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


_HELLO = 5.0
"""Seconds within which a worker has to say hello."""


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
    silence : float
        Seconds after which a worker that has not answered a request counts as silent. Then everything that waits for
        it fails at once, so that it can be asked elsewhere.
    on_front_ends : callable
        Called with the number of front ends connected to the worker, whenever it tells.
    on_close : callable
        Called once, when the comm has closed for whatever reason.
    """

    def __init__(
        self,
        address: str,
        silence: float,
        on_front_ends: Callable[[int], None],
        on_close: Callable[[], None],
    ) -> None:
        self.address = address
        self.memory_limit = 0
        self._silence = silence
        self._on_front_ends = on_front_ends
        self._on_close = on_close
        self._comm: Comm | None = None
        self._numbers = itertools.count()
        self._most = _TILES_A_THREAD
        self._queue: deque[tuple[TileJob, asyncio.Future[Answer]]] = deque()
        self._waiting: dict[int, tuple[float, asyncio.Future[Answer]]] = {}
        self._out: list[tuple[int, TileJob | None]] = []
        self._wake = asyncio.Event()
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
            hello = await asyncio.wait_for(comm.read(), _HELLO)
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
        self._most = _TILES_A_THREAD * int(hello["threads"])
        self._tasks = [asyncio.create_task(one) for one in (self._write(comm), self._read(comm), self._watch())]
        self._on_front_ends(1)

    async def ask(self, job: TileJob) -> Answer:
        """Ask for a tile.

        Raises
        ------
        StreamClosed
            If the comm closes first.
        TimeoutError
            If the worker is silent.
        BrickAbsent
            If it does not hold the brick, and would have to read too much.
        VisiomaticError
            Whatever went wrong there.
        """
        if self._comm is None:
            raise StreamClosed(self.address)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((job, answer))
        self._send_queued()
        return await answer

    async def close(self) -> None:
        """Close the comm; whoever waits gets `StreamClosed`."""
        self._shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send_queued(self) -> None:
        """Send what the worker has room for."""
        while self._queue and len(self._waiting) < self._most:
            job, answer = self._queue.popleft()
            if answer.done():
                continue  # whoever asked is gone, and the worker never learns of it
            number = next(self._numbers)
            self._waiting[number] = (time.monotonic(), answer)
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
                self._send_queued()
        except OSError:
            self._shut()

    async def _watch(self) -> None:
        """Notice silence, and those who asked and are gone: the worker need not begin their tiles."""
        while True:
            await asyncio.sleep(self._silence / 4)
            gone = [number for number, (_, answer) in self._waiting.items() if answer.done()]
            for number in gone:
                self._drop(number)
            oldest = next(iter(self._waiting.values()), None)
            if oldest is not None and time.monotonic() - oldest[0] > self._silence:
                for number in list(self._waiting):
                    _, answer = self._drop(number)
                    answer.set_exception(TimeoutError(f"worker {self.address} is silent"))
                while self._queue:
                    _, answer = self._queue.popleft()
                    if not answer.done():
                        answer.set_exception(TimeoutError(f"worker {self.address} is silent"))
            self._send_queued()

    def _drop(self, number: int) -> tuple[float, asyncio.Future[Answer]]:
        self._out.append((number, None))
        self._wake.set()
        return self._waiting.pop(number)

    def _settle(self, number: int, status: str, data: bytes) -> None:
        _, future = self._waiting.pop(number, (0.0, None))
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
        waiting = [answer for _, answer in (*self._waiting.values(), *self._queue)]
        self._waiting.clear()
        self._queue.clear()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(StreamClosed(self.address))
        self._on_close()
