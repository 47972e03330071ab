"""Results of many tasks, one after the other: made on all workers at once, fetched in order, a few at a time.

However large a file is, no more of it is anywhere than the bands that are under way, and these only as fast as whoever
wants them takes them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from distributed import Future

from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.results import unavailable_if_lost
from visiomatic_dask.engine.task_runner import big_result
from visiomatic_dask.errors import Unavailable

_PRIORITY = -10
"""Below whatever somebody looks at."""
_MOST_STREAMS = 8
_MOST_AHEAD = 16
_PATIENCE = 6
"""Deadlines that a band is waited for: tiles go first."""


@dataclass(frozen=True, slots=True)
class BandTask:
    """A task that gives bytes.

    Attributes
    ----------
    key : str
        Says everything its result depends on.
    function : callable
        What is called.
    args : tuple
        With what.
    """

    key: str
    function: Callable[..., bytes]
    args: tuple[Any, ...]


class BandStreams:
    """Runs rows of tasks.

    Parameters
    ----------
    link : callable
        Gives the link to the cluster; `Unavailable` where there is none.
    deadline : float
        Seconds within which anything else is answered.
    """

    def __init__(self, link: Callable[[], ClusterLink], deadline: float) -> None:
        self._link = link
        self._patience = _PATIENCE * deadline
        self._under_way = 0

    async def results(self, tasks: Iterable[BandTask]) -> AsyncGenerator[bytes, None]:
        """Run tasks, and give their results in order; those that nobody waits for any more do not run.

        Raises
        ------
        Unavailable
            If there is no worker, too much is streamed already, or a band does not come.
        """
        link = self._link()
        if self._under_way >= _MOST_STREAMS:
            raise Unavailable(f"{self._under_way} files are being sent already; try again in a moment", retry_after=10)
        workers = len(link.dispatcher.members.all)
        if not workers:
            raise Unavailable("the cluster has no workers at the moment", retry_after=5)
        left, ahead = iter(tasks), min(_MOST_AHEAD, 2 * workers)
        futures: deque[Future] = deque()
        self._under_way += 1
        try:
            while True:
                with unavailable_if_lost(self._patience):
                    for task in islice(left, ahead - len(futures)):
                        futures.append(
                            link.client.submit(task.function, *task.args, key=task.key, priority=_PRIORITY, retries=0)
                        )
                    if not futures:
                        return
                    async with asyncio.timeout(self._patience):
                        data = await big_result(link.client, futures[0])
                futures.popleft().release()
                yield data
        finally:
            self._under_way -= 1
            for future in futures:
                future.release()
