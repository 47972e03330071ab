"""Members: which workers there are, and which of them are passed over for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from distributed import Client

logger = logging.getLogger(__name__)

_INTERVAL = 1.0


class Members:
    """The workers of a cluster, looked up again every second.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    avoid : float
        Seconds for which a worker that was silent or lost is passed over.
    on_gone : callable
        Called with the address of a worker that has left.
    on_threads : callable
        Called with the number of task threads of all workers, when that has changed.

    Attributes
    ----------
    cluster_lost : asyncio.Event
        Set when the scheduler that was there at the start is gone, though another may have taken its place.
    """

    def __init__(
        self, client: Client, avoid: float, on_gone: Callable[[str], None], on_threads: Callable[[int], None]
    ) -> None:
        self.cluster_lost = asyncio.Event()
        self._client = client
        self._avoid = avoid
        self._on_gone = on_gone
        self._on_threads = on_threads
        self._scheduler = ""
        self._known: dict[str, int] = {}
        self._suspects: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look once, then keep looking."""
        await self.look()
        self._task = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def all(self) -> list[str]:
        """Addresses of all workers."""
        return list(self._known)

    @property
    def usable(self) -> list[str]:
        """Addresses of the workers that are not suspected; of all of them, if every one is."""
        now = time.monotonic()
        return [w for w in self._known if self._suspects.get(w, 0) <= now] or self.all

    def is_usable(self, worker: str) -> bool:
        """Whether a worker is there and not suspected."""
        return worker in self._known and self._suspects.get(worker, 0) <= time.monotonic()

    def suspect(self, worker: str) -> None:
        """Pass a worker over for a while."""
        self._suspects[worker] = time.monotonic() + self._avoid

    async def look(self) -> None:
        """Ask the scheduler now.

        (``client.scheduler_info()`` is cached, and knows no workers in asynchronous clients.)
        """
        identity = await self._client.scheduler.identity(n_workers=-1)
        self._scheduler = self._scheduler or identity["id"]
        if identity["id"] != self._scheduler:
            self._lose()
            return
        found = {address: int(worker["nthreads"]) for address, worker in identity["workers"].items()}
        gone = self._known.keys() - found.keys()
        if sum(found.values()) != sum(self._known.values()):
            self._on_threads(sum(found.values()))
        self._known = found
        self._suspects = {w: until for w, until in self._suspects.items() if w in found}
        for worker in gone:
            self._on_gone(worker)

    async def _keep_looking(self) -> None:
        while not self.cluster_lost.is_set():
            # The client is told at once when its scheduler goes, and would wait half a minute for it to come back.
            for _ in range(10):
                if self._client.status != "running":
                    self._lose()
                    return
                await asyncio.sleep(_INTERVAL / 10)
            try:
                await self.look()
            except OSError as error:
                logger.warning("the scheduler does not answer: %s", error)

    def _lose(self) -> None:
        self._known = {}
        self.cluster_lost.set()
