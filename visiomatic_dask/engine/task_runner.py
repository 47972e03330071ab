"""Tasks whose results are wanted here: run on any worker, and fetched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from distributed import Client, Future

from visiomatic_dask.engine.bulk import NotThere, fetch_in_parts
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.results import finished, result_of, unavailable_if_lost
from visiomatic_dask.errors import Unavailable

logger = logging.getLogger(__name__)

_PRIORITY = 50
_MOST = 256
"""Tasks that one front end has under way at most."""


class TaskRunner:
    """Runs tasks within a deadline.

    Parameters
    ----------
    link : callable
        Gives the link to the cluster; `Unavailable` where there is none.
    deadline : float
        Seconds.
    """

    def __init__(self, link: Callable[[], ClusterLink], deadline: float) -> None:
        self._link = link
        self._deadline = deadline
        self._under_way = 0

    async def run(self, function: Callable[..., Any], *args: Any, key: str, in_parts: bool = False) -> Any:
        """Run a task and fetch its result; those who ask for the same key at the same time share it.

        Parameters
        ----------
        function, *args
            What to call.
        key : str
            The task's key, which says everything its result depends on.
        in_parts : bool
            Whether the result is bytes, perhaps many, to be fetched as `visiomatic_dask.engine.bulk` says.

        Raises
        ------
        Unavailable
            If there is no worker, none is done before the deadline, or too much is under way already.
        """
        link = self._link()
        if self._under_way >= _MOST:
            raise Unavailable(
                f"{self._under_way} regions and measurements are under way already; try again in a moment"
            )
        if not link.dispatcher.members.all:
            raise Unavailable("the cluster has no workers at the moment", retry_after=5)
        self._under_way += 1
        future = link.client.submit(function, *args, key=key, priority=_PRIORITY)
        try:
            with unavailable_if_lost(self._deadline):
                async with asyncio.timeout(self._deadline):
                    return await (big_result(link.client, future) if in_parts else result_of(future))
        finally:
            self._under_way -= 1
            future.release()


async def big_result(client: Client, future: Future) -> Any:
    """Fetch a result straight from a worker that holds it; through the scheduler where none can be reached."""
    await finished(future)
    if future.status == "finished":
        holders = await client.scheduler.who_has(keys=[future.key])
        for worker in holders.get(future.key, ()):
            try:
                return await fetch_in_parts(client, worker, future.key)
            except (NotThere, OSError) as error:
                logger.info("a big answer is fetched another way, because %s: %r", worker, error)
    return await result_of(future)
