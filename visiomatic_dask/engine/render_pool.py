"""The render pool: what a worker renders tiles with, apart from the threads that run its tasks.

What takes its time (reading the source, colour, PNG, large tiles) has threads of its own. What is done in less than the
interpreter takes to pass its lock to another thread and back is done on the event loop, a little in each of its turns:
docs/decisions/0005 has the measurements.

For the threads `concurrent.futures` would do, but it costs a lock, a condition and a wake-up of the event loop for
every single tile. Here a thread takes a job, and what is done while the loop is busy goes back to it in one piece.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, MutableMapping
from queue import SimpleQueue
from time import perf_counter
from typing import Any

ACTIVITY = "render-tile"
"""What a thread at work is called on the dashboard's profile page."""
_TURN = 0.001
"""Seconds of rendering in one turn of the loop, after which whatever else waits for it comes first."""


class RenderJob:
    """One piece of work, and what came of it.

    Attributes
    ----------
    function, args
        What to call.
    done : callable
        Called on the event loop with the job, unless it was dropped before it began.
    quick : bool
        Whether it takes a fraction of a millisecond, and no I/O.
    result
        What the call returned.
    error : Exception or None
        What it raised.
    dropped : bool
        Set it to have the job passed over, if it has not begun.
    """

    __slots__ = ("args", "done", "dropped", "error", "function", "quick", "result")

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        done: Callable[[RenderJob], None],
        quick: bool = False,
    ) -> None:
        self.function = function
        self.args = args
        self.done = done
        self.quick = quick
        self.result: Any = None
        self.error: Exception | None = None
        self.dropped = False

    def run(self) -> None:
        """Call the function, and keep what it returned or raised."""
        try:
            self.result = self.function(*self.args)
        except Exception as error:  # noqa: BLE001 - it is handed on to whoever asked
            self.error = error


class RenderPool:
    """Runs jobs, in threads or on the event loop, and gives them back on the event loop.

    Parameters
    ----------
    threads : int
        How many.
    loop : asyncio.AbstractEventLoop
        Where ``done`` is called, and quick jobs are run.
    active : mutable mapping of int to str, optional
        Where threads are entered by their ident while they are at work, for a profiler that samples those.
    """

    def __init__(
        self, threads: int, loop: asyncio.AbstractEventLoop, active: MutableMapping[int, str] | None = None
    ) -> None:
        self.threads = threads
        self._loop = loop
        self._active = active
        self._quick: deque[RenderJob] = deque()
        self._queue: SimpleQueue[RenderJob | None] = SimpleQueue()
        self._finished: list[RenderJob] = []
        self._lock = threading.Lock()
        for number in range(threads):
            threading.Thread(target=self._run, name=f"visiomatic-tile-{number}", daemon=True).start()

    def submit(self, job: RenderJob) -> None:
        """Queue a job; called on the event loop."""
        if not job.quick:
            self._queue.put(job)
            return
        self._quick.append(job)
        if len(self._quick) == 1:
            self._loop.call_soon(self._run_quick)

    def close(self) -> None:
        """Let the threads end once they are through with what is queued."""
        for _ in range(self.threads):
            self._queue.put(None)

    def _run_quick(self) -> None:
        end = perf_counter() + _TURN
        while self._quick:
            job = self._quick[0]
            if not job.dropped:
                job.run()
                self._give_back_one(job)
            self._quick.popleft()
            if perf_counter() > end:
                break
        if self._quick:
            self._loop.call_soon(self._run_quick)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            if job.dropped:
                continue
            if self._active is not None:
                self._active[threading.get_ident()] = ACTIVITY
            job.run()
            if self._active is not None:
                self._active.pop(threading.get_ident(), None)
            with self._lock:
                self._finished.append(job)
                first = len(self._finished) == 1
            # Whatever else is finished before the loop gets to it goes along.
            if first and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._give_back)

    def _give_back(self) -> None:
        with self._lock:
            finished, self._finished = self._finished, []
        for job in finished:
            self._give_back_one(job)

    def _give_back_one(self, job: RenderJob) -> None:
        try:
            job.done(job)
        except Exception as error:  # noqa: BLE001 - the others must be given back all the same
            self._loop.call_exception_handler({"message": "a render job's callback failed", "exception": error})
