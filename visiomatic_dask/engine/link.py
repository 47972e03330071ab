"""The link: this server's connection to a cluster, made anew whenever the cluster comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from distributed import Client

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.cluster import ClusterTarget, open_cluster
from visiomatic_dask.engine.dispatcher import Dispatcher
from visiomatic_dask.errors import ClusterError

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Between two attempts to find a lost cluster again."""


class ClusterLink:
    """A client of a cluster, and all that is known of its workers and the bricks they hold.

    None of it outlives the scheduler: when that is gone every future is cancelled, and a new scheduler has neither the
    bricks nor the plugin.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous, of a cluster whose workers have the tile plugin.
    version : str
        Version of this package.
    settings : Settings
        Every limit.
    """

    def __init__(self, client: Client, version: str, settings: Settings) -> None:
        self.client = client
        self.dispatcher = Dispatcher(client, version, settings)

    async def start(self) -> None:
        """Find the workers and choose the route; see `Dispatcher.start`."""
        await self.dispatcher.start()

    async def close(self) -> None:
        """Let go of bricks and connections."""
        await self.dispatcher.close()

    async def lost(self) -> None:
        """Wait until the cluster is lost."""
        await self.dispatcher.members.cluster_lost.wait()


@asynccontextmanager
async def open_link(target: ClusterTarget | None, version: str, settings: Settings) -> AsyncIterator[ClusterLink]:
    """Start or join a cluster, and give a link to it; see `visiomatic_dask.engine.cluster.open_cluster`."""
    async with open_cluster(target, version, settings) as client:
        link = ClusterLink(client, version, settings)
        try:
            await link.start()
            yield link
        finally:
            await link.close()


@asynccontextmanager
async def kept_link(
    target: ClusterTarget | None, version: str, settings: Settings, on_change: Callable[[ClusterLink | None], None]
) -> AsyncIterator[None]:
    """Keep a link to a cluster for as long as the context lasts, however often the cluster goes and comes back.

    Parameters
    ----------
    target, version, settings
        As of `open_link`.
    on_change : callable
        Called with each link that is made, and with None when it is lost.

    Raises
    ------
    ClusterError
        If there is no cluster in the beginning. Later it is looked for until it is there.
    """
    begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def keep() -> None:
        while not stop.is_set():
            try:
                async with open_link(target, version, settings) as link:
                    on_change(link)
                    if begun.done():
                        logger.warning("the cluster is back")
                    else:
                        begun.set_result(None)
                    await _first(link.lost(), stop.wait())
                    on_change(None)
                    if not stop.is_set():
                        logger.warning("the cluster is lost; looking for it until it is back")
            except Exception as error:  # whatever it is that keeps a lost cluster away, it is looked for again
                if not begun.done():
                    begun.set_exception(error)
                    return
                expected = isinstance(error, ClusterError | OSError | TimeoutError)
                logger.log(logging.INFO if expected else logging.ERROR, "the cluster is not back yet", exc_info=error)
            await _first(asyncio.sleep(_PAUSE), stop.wait())

    # All in one task: what the contexts of distributed set up is to be torn down where it was set up.
    task = asyncio.create_task(keep())
    try:
        await begun
        yield
    finally:
        stop.set()
        if begun.cancelled():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _first(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of several; the others are given up."""
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
