"""The render pool: threads of a worker's own for tiles.

`concurrent.futures` would do, but it costs more than a third of a tile: a lock, a condition and a wake-up of the event
loop for every single one. Here a thread takes a job, and what is done while the loop is busy goes back to it in one
piece.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from queue import SimpleQueue
from typing import Any

ACTIVITY = "render-tile"
"""What a thread at work is called on the dashboard's profile page."""


class RenderJob:
    """One piece of work, and what came of it.

    Attributes
    ----------
    function, args
        What to call.
    done : callable
        Called on the event loop with the job, unless it was dropped before it began.
    result
        What the call returned.
    error : Exception or None
        What it raised.
    dropped : bool
        Set it to have the job passed over, if it has not begun.
    """

    __slots__ = ("args", "done", "dropped", "error", "function", "result")

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[[RenderJob], None]) -> None:
        self.function = function
        self.args = args
        self.done = done
        self.result: Any = None
        self.error: Exception | None = None
        self.dropped = False


class RenderPool:
    """Threads that run jobs and give them back to an event loop.

    Parameters
    ----------
    threads : int
        How many.
    loop : asyncio.AbstractEventLoop
        Where ``done`` is called.
    active : mutable mapping of int to str, optional
        Where threads are entered by their ident while they are at work, for a profiler that samples those.
    """

    def __init__(
        self, threads: int, loop: asyncio.AbstractEventLoop, active: MutableMapping[int, str] | None = None
    ) -> None:
        self.threads = threads
        self._loop = loop
        self._active = active
        self._queue: SimpleQueue[RenderJob | None] = SimpleQueue()
        self._finished: list[RenderJob] = []
        self._lock = threading.Lock()
        for number in range(threads):
            threading.Thread(target=self._run, name=f"visiomatic-tile-{number}", daemon=True).start()

    def submit(self, job: RenderJob) -> None:
        """Queue a job."""
        self._queue.put(job)

    def close(self) -> None:
        """Let the threads end once they are through with what is queued."""
        for _ in range(self.threads):
            self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            if job.dropped:
                continue
            if self._active is not None:
                self._active[threading.get_ident()] = ACTIVITY
            try:
                job.result = job.function(*job.args)
            except Exception as error:  # noqa: BLE001 - it is handed on to whoever asked
                job.error = error
            finally:
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
            try:
                job.done(job)
            except Exception as error:  # noqa: BLE001 - the others must be given back all the same
                self._loop.call_exception_handler({"message": "a render job's callback failed", "exception": error})
