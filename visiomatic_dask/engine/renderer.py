"""The renderer: what the server asks for pictures, statistics and measurements.

Everything that blocks happens on workers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager

from visiomatic_dask.config import Settings
from visiomatic_dask.engine import tasks
from visiomatic_dask.engine.admission import Admission
from visiomatic_dask.engine.bricks import region_costs
from visiomatic_dask.engine.cluster import ClusterTarget
from visiomatic_dask.engine.link import ClusterLink, kept_link
from visiomatic_dask.engine.measurer import Measurer
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.prefetch import Prefetcher
from visiomatic_dask.engine.requests import Picture, RegionRequest, TileRequest
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.errors import TooLarge, Unavailable

_LARGEST_JPEG = 65_500
"""Pixels along a side that libjpeg encodes."""


@asynccontextmanager
async def open_renderer(target: ClusterTarget | None, version: str, settings: Settings) -> AsyncIterator[Renderer]:
    """Start or join a cluster, and give a renderer on it that finds a cluster again which was lost.

    See `visiomatic_dask.engine.cluster.open_cluster` for the parameters and for what is raised.
    """
    renderer = Renderer(settings)
    async with kept_link(target, version, settings, renderer.use):
        yield renderer


class Renderer:
    """Pictures of layers, made on a Dask cluster.

    Parameters
    ----------
    settings : Settings
        Every limit.

    Attributes
    ----------
    planner : Planner
        Finds a tile's brick.
    measure : Measurer
        Statistics and measurements.
    """

    def __init__(self, settings: Settings) -> None:
        self.planner = Planner(settings)
        self._settings = settings
        self._link: ClusterLink | None = None
        self._admission = Admission(settings.queue_limit)
        self._prefetcher = Prefetcher(self.planner, settings.prefetch)
        self._runner = TaskRunner(self._linked, settings.deadline)
        self.measure = Measurer(self._runner, settings)

    def use(self, link: ClusterLink | None) -> None:
        """Use another link from now on; with None there is no cluster for the time being."""
        self._link = link
        self._prefetcher.forget()

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of all that is kept of files that are others now, or gone: plans, views, bricks.

        Parameters
        ----------
        fingerprints : container of str
            Those of the readers.
        """
        self.planner.forget(fingerprints)
        self._prefetcher.forget_files(fingerprints)
        if self._link is not None:
            self._link.dispatcher.keeper.forget(fingerprints)

    @property
    def bricks(self) -> int:
        """Number of bricks that are wanted, arriving, or in the memory of workers."""
        return 0 if self._link is None else len(self._link.dispatcher.keeper.residency)

    @property
    def route(self) -> str:
        """``direct`` or ``scheduler``; ``none`` while there is no cluster."""
        return "none" if self._link is None else self._link.dispatcher.route.name

    @property
    def workers(self) -> int:
        """Number of workers."""
        return 0 if self._link is None else len(self._link.dispatcher.members.all)

    @property
    def waiting(self) -> int:
        """Number of tiles that wait for an answer."""
        return self._admission.waiting

    def _linked(self) -> ClusterLink:
        if self._link is None:
            raise Unavailable("the cluster cannot be reached at the moment; it is being looked for", retry_after=5)
        return self._link

    async def tile(self, request: TileRequest, viewer: str = "") -> Picture:
        """Render a tile.

        Parameters
        ----------
        request : TileRequest
            Which.
        viewer : str
            Who wants it: viewers take turns, and each has a share of the places in the queue.

        Raises
        ------
        InvalidRequest
            If there is no such tile.
        Unavailable
            If no worker answers before the deadline, or too many tiles wait already.
        VisiomaticError
            Whatever kept the pixels from being read.
        """
        dispatcher = self._linked().dispatcher
        workers = self.workers
        plan = self.planner.plan(request, workers)
        self._admission.enter(viewer)
        try:
            if dispatcher.keeper.is_news(plan.brick):
                self._prefetcher.saw(viewer, request, plan, dispatcher.keeper, workers)
            elif plan.brick.recipe.is_deep:
                self._prefetcher.stepped(viewer, request, plan, dispatcher.keeper, workers)
            answer = await dispatcher.ask(plan, plan.job(request.style), viewer)
            return Picture(answer.data, plan.preview, answer.timing)
        except TimeoutError as error:
            raise Unavailable(f"no worker has answered within {self._settings.deadline:g} s") from error
        finally:
            self._admission.leave(viewer)

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
        reader, below = layer.at(request.level)
        whole, least = region_costs(reader, below, box, request.style)
        if least > settings.read_limit:
            raise TooLarge(
                f"the region would read {least / 1e6:,.1f} MB at least; {settings.read_limit / 1e6:,.1f} MB are "
                "allowed: zoom in, increase the binning, or mix fewer channels",
                "RGN",
            )
        preview_read = settings.read_limit if whole > settings.read_limit else None
        data = await self._runner.run(
            tasks.render_region,
            reader,
            below,
            box,
            request.style,
            preview_read,
            key=f"region-{request.token}",
            in_parts=True,
        )
        return Picture(data, preview_read is not None)
