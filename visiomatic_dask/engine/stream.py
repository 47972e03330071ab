"""The front end's side of the tile stream: one persistent, multiplexed comm to each worker."""

from __future__ import annotations

import asyncio
import itertools
import logging
import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from distributed.comm import Comm, connect

from visiomatic_dask.engine.fair_queue import FairQueue
from visiomatic_dask.engine.tile_job import BrickAbsent, Rendered, TileJob
from visiomatic_dask.engine.timing import Timing
from visiomatic_dask.engine.worker import HANDLER
from visiomatic_dask.errors import ClusterError, Unavailable

logger = logging.getLogger(__name__)

_TILES_A_THREAD = 4
"""In flight on a worker, for each of its rendering threads. What is beyond waits here, where it can be dropped and
ordered."""
_SLOW = 4.0
"""A single tile may take so many times as long as a worker may be silent."""


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
    timing : Timing
        Where the time went.
    """

    data: bytes
    moved: bool
    timing: Timing

    @classmethod
    def of(cls, rendered: Rendered, moved: bool, elapsed: float) -> Answer:
        """Make an answer of what a worker says, `elapsed` seconds after it was asked."""
        data, read, render, encode = rendered
        return cls(data, moved, Timing(max(0.0, elapsed - read - render - encode), read, render, encode))


@dataclass(slots=True, eq=False)
class _Asked:
    """A tile that was asked for: the number is given when it is sent."""

    job: TileJob
    answer: asyncio.Future[Answer]
    asked: float
    number: int = -1
    sent: float = 0.0


class TileStream:
    """A comm to one worker. Requests that are made in one turn of the loop go in one message, and so do answers.

    Parameters
    ----------
    address : str
        The worker's address.
    silence : float
        Seconds after which a worker that owes an answer, and has not given any to anyone here, counts as silent. Then
        everything that waits for it fails at once, so that it can be asked elsewhere.
    deadline : float
        Seconds after which a tile that still waits to be sent is not worth sending.
    on_front_ends : callable
        Called with the number of front ends connected to the worker, whenever it tells.
    on_close : callable
        Called once, when the comm has closed for whatever reason.
    """

    def __init__(
        self,
        address: str,
        silence: float,
        deadline: float,
        on_front_ends: Callable[[int], None],
        on_close: Callable[[], None],
    ) -> None:
        self.address = address
        self.memory_limit = 0
        self._silence = silence
        self._deadline = deadline
        self._on_front_ends = on_front_ends
        self._on_close = on_close
        self._comm: Comm | None = None
        self._numbers = itertools.count()
        self._most = _TILES_A_THREAD
        self._queue: FairQueue[_Asked] = FairQueue()
        self._waiting: dict[int, _Asked] = {}
        self._heard = 0.0
        self._out: dict[int, TileJob | None] = {}
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
            hello = await asyncio.wait_for(comm.read(), self._silence)
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
        self._on_front_ends(int(hello["front_ends"]))

    async def ask(self, job: TileJob, viewer: str = "") -> Answer:
        """Ask for a tile. A caller that is cancelled has it dropped there too, if it has not begun.

        Parameters
        ----------
        job : TileJob
            The tile.
        viewer : str
            Who wants it: viewers take turns.

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
        asked = _Asked(job, asyncio.get_running_loop().create_future(), time.monotonic())
        self._queue.put(viewer, asked)
        self._send_queued()
        try:
            return await asked.answer
        except asyncio.CancelledError:
            if asked.number in self._waiting:
                self._drop([asked])
                self._send_queued()
            raise

    async def close(self) -> None:
        """Close the comm; whoever waits gets `StreamClosed`."""
        self._shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send_queued(self) -> None:
        """Send what the worker has room for."""
        while self._queue and len(self._waiting) < self._most:
            asked = self._queue.get()
            if asked.answer.done():
                continue  # whoever asked is gone, and the worker never learns of it
            now = time.monotonic()
            if now - asked.asked > self._deadline:
                asked.answer.set_exception(Unavailable(f"too many tiles are waiting: {self._deadline:g} s did not do"))
                continue
            asked.number, asked.sent = next(self._numbers), now
            self._waiting[asked.number] = asked
            self._out[asked.number] = asked.job
            self._wake.set()

    async def _write(self, comm: Comm) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                out, self._out = self._out, {}
                message = [(number, None if job is None else tuple(job)) for number, job in out.items()]
                if message:
                    await comm.write(message)
        except OSError:
            self._shut()

    async def _read(self, comm: Comm) -> None:
        try:
            while True:
                front_ends, answers = await comm.read()
                self._heard = time.monotonic()
                self._on_front_ends(front_ends)
                for number, status, found in answers:
                    self._settle(number, status, found)
                self._send_queued()
        except OSError:
            self._shut()

    async def _watch(self) -> None:
        """Notice silence, and tiles that are not coming."""
        while True:
            await asyncio.sleep(self._silence / 4)
            now = time.monotonic()
            oldest = next(iter(self._waiting.values()), None)
            if oldest is not None and now - max(oldest.sent, self._heard) > self._silence:
                gone = list(self._waiting.values())
                self._drop(gone)
                _fail([*gone, *self._queue.take_all()], TimeoutError(f"worker {self.address} is silent"))
                continue
            late = [asked for asked in self._waiting.values() if now - asked.sent > _SLOW * self._silence]
            self._drop(late)
            _fail(late, TimeoutError(f"worker {self.address} takes too long over a tile"))
            self._send_queued()

    def _drop(self, gone: Iterable[_Asked]) -> None:
        """Have tiles dropped by the worker."""
        for asked in gone:
            del self._waiting[asked.number]
            if self._out.pop(asked.number, None) is None:  # else it has not been sent at all
                self._out[asked.number] = None
                self._wake.set()

    def _settle(self, number: int, status: str, found: Any) -> None:
        asked = self._waiting.pop(number, None)
        if asked is None or asked.answer.done():
            return
        if status == "error":
            asked.answer.set_exception(pickle.loads(found))
        elif status == "absent":
            asked.answer.set_exception(BrickAbsent(asked.job.key))
        else:
            asked.answer.set_result(Answer.of(found, status == "moved", time.monotonic() - asked.asked))

    def _shut(self) -> None:
        comm, self._comm = self._comm, None
        if comm is None:
            return
        comm.abort()
        gone = [*self._waiting.values(), *self._queue.take_all()]
        self._waiting.clear()
        _fail(gone, StreamClosed(self.address))
        self._on_close()


def _fail(gone: Iterable[_Asked], error: Exception) -> None:
    """Tell those who still wait that there will be no answer."""
    for asked in gone:
        if not asked.answer.done():
            asked.answer.set_exception(error)
