"""The renderer: what the server asks for pictures, statistics and measurements.

Everything that blocks happens on workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from distributed import Client

from visiomatic_dask.config import Settings
from visiomatic_dask.engine import tasks
from visiomatic_dask.engine.cluster import ClusterAddress, open_cluster
from visiomatic_dask.engine.keeper import BrickKeeper
from visiomatic_dask.engine.measurer import Measurer
from visiomatic_dask.engine.members import Members
from visiomatic_dask.engine.placement import ranked
from visiomatic_dask.engine.planner import Planner, TilePlan
from visiomatic_dask.engine.requests import Picture, RegionRequest, TileRequest
from visiomatic_dask.engine.routes import DirectRoute, Route, SchedulerRoute, Unreachable
from visiomatic_dask.engine.stream import Answer
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.engine.tile_job import BrickAbsent, TileJob
from visiomatic_dask.errors import ClusterError, TooLarge, Unavailable
from visiomatic_dask.rendering import Mix, Style

logger = logging.getLogger(__name__)

_PAUSE = 0.1
"""Between two tries of the last resort, until the deadline."""
_UNKNOWN_MEMORY = 2 * 2**30
"""Taken for the memory limit of a worker that has none."""
_LARGEST_JPEG = 65_500
"""Pixels along a side that libjpeg encodes."""


@asynccontextmanager
async def open_renderer(target: ClusterAddress | None, version: str, settings: Settings) -> AsyncIterator[Renderer]:
    """Start or join a cluster, and give a renderer on it; see `visiomatic_dask.engine.cluster.open_cluster`."""
    async with open_cluster(target, version, settings) as client:
        renderer = Renderer(client, version, settings)
        try:
            await renderer.start()
            yield renderer
        finally:
            await renderer.close()


class Renderer:
    """Pictures of layers, made on a Dask cluster.

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
    planner : Planner
        Finds a tile's brick.
    measure : Measurer
        Statistics and measurements.
    """

    def __init__(self, client: Client, version: str, settings: Settings) -> None:
        self.planner = Planner(settings)
        self._client = client
        self._version = version
        self._settings = settings
        self._members = Members(client, settings.avoid, self._lost)
        self._keeper = BrickKeeper(client, lambda: self._members.usable)
        self._route: Route = SchedulerRoute(client)
        self._last_resort = self._route
        self._runner = TaskRunner(client, lambda: bool(self._members.all), settings.deadline)
        self.measure = Measurer(self._runner, settings)
        self._waiting = 0

    async def start(self) -> None:
        """Find the workers and choose the route, testing the direct one before it is trusted.

        Raises
        ------
        ClusterError
            If ``visiomatic.tile-route`` is ``direct`` and a worker cannot be reached directly.
        """
        await self._members.start()
        if self._settings.tile_route == "scheduler":
            return
        direct = DirectRoute(self._client, self._version, self._settings, self._worker_told, self._lost)
        complaint = await direct.test(self._members.all)
        if complaint is None:
            self._route = direct
            return
        await direct.close()
        if self._settings.tile_route == "direct":
            raise ClusterError(f"visiomatic.tile-route is direct, but {complaint}")
        logger.warning("tiles go through the scheduler, which is slower, because %s", complaint)

    async def close(self) -> None:
        """Let go of bricks and connections."""
        await self._members.stop()
        await self._keeper.close()
        await self._route.close()

    @property
    def route(self) -> str:
        """``direct`` or ``scheduler``."""
        return self._route.name

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self._members.all)

    async def tile(self, request: TileRequest) -> Picture:
        """Render a tile.

        Raises
        ------
        InvalidRequest
            If there is no such tile.
        Unavailable
            If no worker answers before the deadline, or too many tiles wait already.
        VisiomaticError
            Whatever kept the pixels from being read.
        """
        plan = self.planner.plan(request, self.workers)
        if self._waiting >= self._settings.queue_limit:
            raise Unavailable(f"{self._waiting} tiles are waiting already; try again in a moment")
        job = _tile_job(plan, request.style)
        self._waiting += 1
        try:
            answer = await self._ask_holder(plan, job)
            if answer is None:
                async with asyncio.timeout(self._settings.deadline):
                    answer = await self._ask(plan, job)
            return Picture(answer.data, plan.preview)
        except TimeoutError as error:
            raise Unavailable(f"no worker has answered within {self._settings.deadline:g} s") from error
        finally:
            self._waiting -= 1

    async def region(self, request: RegionRequest) -> Picture:
        """Render a rectangle as one picture, in one task.

        Raises
        ------
        TooLarge
            If it would render more tiles than ``visiomatic.region-tiles``, is longer than a JPEG can be, or would read
            more than ``visiomatic.read-limit`` even from a subsample.
        """
        settings, layer, box = self._settings, request.layer, request.box
        most = settings.region_tiles * settings.tile_size**2
        if box.rows * box.columns > most:
            raise TooLarge(
                f"the region has {box.columns} x {box.rows} pixels; at most {settings.region_tiles} tiles of "
                f"{settings.tile_size}² pixels are allowed: zoom in, or increase the binning",
                "RGN",
            )
        if max(box.rows, box.columns) > _LARGEST_JPEG:
            raise TooLarge(
                f"the region has {box.columns} x {box.rows} pixels; a JPEG has {_LARGEST_JPEG} along a side at most",
                "RGN",
            )
        channels = len(request.style.content.channels) if isinstance(request.style.content, Mix) else 1
        source_row = min(box.columns << request.level, layer.width) * layer.reader.source_itemsize * channels
        whole = min(box.rows << request.level, layer.height) * source_row
        # A subsample may repeat a row as often as rows are binned; coarser than that it would show nothing.
        least = (box.rows * source_row) >> request.level
        if least > settings.read_limit:
            raise TooLarge(
                f"the region would read {least / 1e6:,.1f} MB at least; {settings.read_limit / 1e6:,.1f} MB are "
                "allowed: zoom in, increase the binning, or mix fewer channels",
                "RGN",
            )
        preview_read = settings.read_limit if whole > settings.read_limit else None
        data = await self._runner.run(
            tasks.render_region,
            layer.reader,
            request.level,
            box,
            request.style,
            preview_read,
            key=f"region-{request.token}",
        )
        return Picture(data, preview_read is not None)

    async def _ask_holder(self, plan: TilePlan, job: TileJob) -> Answer | None:
        """Ask a worker that is known to hold the brick; None where there is none, or it cannot answer.

        That is how nearly all tiles go. The stream notices silence by itself, so there is no timer to set for each.
        """
        if self._route is self._last_resort:
            return None
        worker = next(filter(self._members.is_usable, self._keeper.holders(plan.brick)), None)
        if worker is None:
            return None
        return await self._ask_one(worker, plan, job)

    async def _ask(self, plan: TilePlan, job: TileJob) -> Answer:
        """Ask workers until one answers: who holds the brick, the others by preference, then anyone by a task."""
        tried: set[str] = set()
        while True:
            if not self._members.all:
                raise Unavailable("the cluster has no workers at the moment", retry_after=5)
            # A brick that takes its time is not waited for: the tile alone is read meanwhile, where that is cheap.
            holders = await self._keeper.where(plan.brick, self._settings.silence)
            usable = set(self._members.usable)
            if usable.isdisjoint(holders):
                self._keeper.make_elsewhere(plan.brick, usable)
            others = ranked(plan.brick.recipe.placement, usable.difference(holders))
            candidates = [*sorted(usable.intersection(holders)), *others]
            if not candidates:
                continue  # the last worker has gone meanwhile
            worker = next((w for w in candidates if w not in tried), None)
            if worker is None:
                # The same function, as a task on whichever worker Dask finds.
                with contextlib.suppress(Unreachable, BrickAbsent):
                    return await self._last_resort.ask(candidates[0], job)
                await asyncio.sleep(_PAUSE)
                continue
            answer = await self._ask_one(worker, plan, job)
            if answer is not None:
                return answer
            if not self._members.is_usable(worker):
                tried.add(worker)

    async def _ask_one(self, worker: str, plan: TilePlan, job: TileJob) -> Answer | None:
        """Ask one worker; None where it cannot answer. What that says of it, or of its bricks, is noted."""
        try:
            answer = await self._route.ask(worker, job)
        except Unreachable as unreachable:
            logger.info("passing over a worker: %s", unreachable)
            self._members.suspect(worker)
            return None
        except BrickAbsent:
            answer = None
        if answer is None or answer.moved:
            self._keeper.carry_out(self._keeper.residency.misplaced(plan.brick.key, worker))
        return answer

    def _worker_told(self, worker: str, memory_limit: int, front_ends: int) -> None:
        """Set what this front end may hold on a worker: its share of what all of them may."""
        share = self._settings.brick_cache
        total = share if share > 1 else share * (memory_limit or _UNKNOWN_MEMORY)
        self._keeper.carry_out(self._keeper.residency.budget(worker, int(total / max(1, front_ends))))

    def _lost(self, worker: str) -> None:
        self._members.suspect(worker)
        self._keeper.carry_out(self._keeper.residency.lost(worker))


def _tile_job(plan: TilePlan, style: Style) -> TileJob:
    scale, offset = style.scale_offset
    box = plan.box
    plane = -1 if isinstance(style.content, Mix) else plan.plane
    return TileJob(
        plan.brick.key,
        plan.brick.pickled,
        plane,
        box.top,
        box.left,
        box.rows,
        box.columns,
        style.low,
        scale,
        offset,
        style.look.fields,
    )
