"""The dispatcher: finds a worker that answers a tile, whatever has become of the one that should."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from distributed import Client

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.keeper import BrickKeeper
from visiomatic_dask.engine.members import Members
from visiomatic_dask.engine.placement import ranked
from visiomatic_dask.engine.plans import TilePlan
from visiomatic_dask.engine.routes import DirectRoute, Route, SchedulerRoute, Unreachable
from visiomatic_dask.engine.stream import Answer
from visiomatic_dask.engine.tile_job import BrickAbsent, TileJob
from visiomatic_dask.errors import ClusterError, Unavailable

logger = logging.getLogger(__name__)

_PAUSE = 0.1
"""Between two tries of the last resort, until the deadline."""
_NEWCOMERS = 5.0
"""Seconds that a worker may need at the start until it answers: it is a member before its plugins are set up."""
_UNKNOWN_MEMORY = 2 * 2**30
"""Taken for the memory limit of a worker that has none."""


class Dispatcher:
    """Sends tiles to workers.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous, of a cluster whose workers have the tile plugin.
    version : str
        Version of this package.
    settings : Settings
        Every limit.

    Attributes
    ----------
    members : Members
        The workers.
    keeper : BrickKeeper
        The bricks.
    route : Route
        How tiles are asked for.
    """

    def __init__(self, client: Client, version: str, settings: Settings) -> None:
        self.members = Members(client, settings.avoid, self._lost, self._threads)
        self.keeper = BrickKeeper(client, lambda: self.members.usable)
        self.route: Route = SchedulerRoute(client)
        self._last_resort = self.route
        self._client = client
        self._version = version
        self._settings = settings

    async def start(self) -> None:
        """Find the workers and choose the route, testing the direct one before it is trusted.

        Raises
        ------
        ClusterError
            If ``visiomatic.tile-route`` is ``direct`` and a worker cannot be reached directly.
        """
        await self.members.start()
        if self._settings.tile_route == "scheduler":
            return
        direct = DirectRoute(self._client, self._version, self._settings, self._worker_told, self._lost)
        end = time.monotonic() + _NEWCOMERS
        while (complaint := await direct.test(self.members.all)) is not None and time.monotonic() < end:
            await asyncio.sleep(_PAUSE)
        if complaint is None:
            self.route = direct
            return
        await direct.close()
        if self._settings.tile_route == "direct":
            raise ClusterError(f"visiomatic.tile-route is direct, but {complaint}")
        logger.warning("tiles go through the scheduler, which is slower, because %s", complaint)

    async def close(self) -> None:
        """Let go of bricks and connections."""
        await self.members.stop()
        await self.keeper.close()
        await self.route.close()

    async def ask(self, plan: TilePlan, job: TileJob, viewer: str) -> Answer:
        """Ask for a tile.

        Parameters
        ----------
        plan : TilePlan
            Where it is cut from.
        job : TileJob
            What is asked.
        viewer : str
            Who wants it.

        Raises
        ------
        TimeoutError
            If no worker answers before the deadline.
        Unavailable
            If there is no worker.
        VisiomaticError
            Whatever kept the pixels from being read.
        """
        answer = await self._ask_holder(plan, job, viewer)
        if answer is None:
            async with asyncio.timeout(self._settings.deadline) as limit:
                answer = await self._ask_around(plan, job, viewer, limit)
        return answer

    async def _ask_holder(self, plan: TilePlan, job: TileJob, viewer: str) -> Answer | None:
        """Ask a worker that is known to hold the brick; None where there is none, or it cannot answer.

        That is how nearly all tiles go. The stream notices silence by itself, so there is no timer to set for each.
        """
        if self.route is self._last_resort:
            return None
        worker = next(filter(self.members.is_usable, self.keeper.holders(plan.brick)), None)
        if worker is None:
            return None
        return await self._ask_one(worker, plan, job, viewer)

    async def _ask_around(self, plan: TilePlan, job: TileJob, viewer: str, limit: asyncio.Timeout) -> Answer:
        """Ask workers until one answers: who holds the brick, the others by preference, then anyone by a task."""
        tried: set[str] = set()
        while True:
            if not self.members.all:
                raise Unavailable("the cluster has no workers at the moment", retry_after=5)
            # A brick that takes its time is not waited for: the tile alone is read meanwhile, where that is cheap.
            holders = await self.keeper.where(plan.brick, self._settings.silence, viewer, limit.expired)
            usable = set(self.members.usable)
            if usable.isdisjoint(holders):
                self.keeper.make_elsewhere(plan.brick, usable)
            others = ranked(plan.brick.recipe.placement, usable.difference(holders))
            candidates = [*sorted(usable.intersection(holders)), *others]
            if not candidates:
                continue  # the last worker has gone meanwhile
            worker = next((w for w in candidates if w not in tried), None)
            if worker is None:
                # The same function, as a task on whichever worker Dask finds.
                with contextlib.suppress(Unreachable, BrickAbsent):
                    return await self._last_resort.ask(candidates[0], job, viewer)
                await asyncio.sleep(_PAUSE)
                continue
            answer = await self._ask_one(worker, plan, job, viewer)
            if answer is not None:
                return answer
            if not self.members.is_usable(worker):
                tried.add(worker)

    async def _ask_one(self, worker: str, plan: TilePlan, job: TileJob, viewer: str) -> Answer | None:
        """Ask one worker; None where it cannot answer. What that says of it, or of its bricks, is noted."""
        try:
            answer = await self.route.ask(worker, job, viewer)
        except Unreachable as unreachable:
            logger.info("passing over a worker: %s", unreachable)
            self.members.suspect(worker)
            self.keeper.forsake(worker)
            return None
        except BrickAbsent:
            answer = None
        if answer is None or answer.moved:
            self.keeper.carry_out(self.keeper.residency.misplaced(plan.brick.key, worker))
        return answer

    def _worker_told(self, worker: str, memory_limit: int, front_ends: int) -> None:
        """Set what this front end may hold on a worker: its share of what all of them may."""
        share = self._settings.brick_cache
        total = share if share > 1 else share * (memory_limit or _UNKNOWN_MEMORY)
        self.keeper.carry_out(self.keeper.residency.budget(worker, int(total / max(1, front_ends))))

    def _threads(self, count: int) -> None:
        self.keeper.carry_out(self.keeper.residency.threads(count))

    def _lost(self, worker: str) -> None:
        self.members.suspect(worker)
        self.keeper.carry_out(self.keeper.residency.lost(worker))
