"""The renderer: what the server asks for pictures, statistics and measurements.

Everything that blocks happens on workers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import replace

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.admission import Admission
from visiomatic_dask.engine.build_news import BuildNews
from visiomatic_dask.engine.builder import Builder, new_owner
from visiomatic_dask.engine.cluster import ClusterTarget
from visiomatic_dask.engine.contours import ContourMaker
from visiomatic_dask.engine.drafts import Drafts, can_be_draft
from visiomatic_dask.engine.exact_pixels import BUILT_SOON, ExactPixels
from visiomatic_dask.engine.exports import Exports
from visiomatic_dask.engine.link import ClusterLink, kept_link
from visiomatic_dask.engine.measurer import Measurer
from visiomatic_dask.engine.onto import OntoFinder
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.plans import TilePlan
from visiomatic_dask.engine.prefetch import Prefetcher
from visiomatic_dask.engine.pyramid_news import OpenLayers, PyramidNews
from visiomatic_dask.engine.pyramids import Pyramids
from visiomatic_dask.engine.regions import Regions
from visiomatic_dask.engine.reprojected_brick import Order
from visiomatic_dask.engine.requests import Picture, TileRequest
from visiomatic_dask.engine.sweeps import Sweeps
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.engine.ways import Way
from visiomatic_dask.errors import PyramidGone, StoreError, Unavailable

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_renderer(
    target: ClusterTarget | None,
    version: str,
    settings: Settings,
    layers: OpenLayers | None = None,
    news: PyramidNews | None = None,
) -> AsyncIterator[Renderer]:
    """Start or join a cluster, and give a renderer on it that finds a cluster again which was lost.

    See `visiomatic_dask.engine.cluster.open_cluster` and `Renderer` for the parameters and for what is raised.
    """
    renderer = Renderer(settings, layers, news)
    async with kept_link(target, version, settings, renderer.use):
        try:
            renderer.start()
            yield renderer
        finally:
            await renderer.close()


class Renderer:
    """Pictures of layers, made on a Dask cluster.

    Parameters
    ----------
    settings : Settings
        Every limit. Without `store`, or where `pyramid` is ``memory``, there are no pyramids.
    layers : OpenLayers, optional
        Knows the cubes that are open; without it there are no pyramids either.
    news : PyramidNews, optional
        Is told what becomes of previews; comes with `layers`. Without it nobody would hear of what follows a draft, so
        there are none.

    Attributes
    ----------
    pyramids : Pyramids or None
        What is in the store.
    planner : Planner
        Finds a tile's brick.
    measure : Measurer
        Statistics and measurements.
    contours : ContourMaker
        Contours of tiles.
    regions : Regions
        Rectangles as one picture each.
    exports : Exports
        Files of any size.
    sweeps : Sweeps
        Animations.
    """

    def __init__(self, settings: Settings, layers: OpenLayers | None = None, news: PyramidNews | None = None) -> None:
        self.pyramids: Pyramids | None = None
        if layers is not None and news is not None and settings.store is not None and settings.pyramid != "memory":
            self.pyramids = Pyramids(settings, self._builder, layers, news)
        self.planner = Planner(settings, self.pyramids)
        self._drafts = None if news is None else Drafts(news, settings.silence)
        self._settings = settings
        self._link: ClusterLink | None = None
        self._admission = Admission(settings.queue_limit)
        self._prefetcher = Prefetcher(self.planner, settings.prefetch)
        self._runner = TaskRunner(self._linked, settings.deadline)
        stored = None if self.pyramids is None else self.pyramids.histogram
        self.measure = Measurer(self._runner, settings, stored=stored)
        self._exact = ExactPixels(self.planner, self.pyramids)
        self.contours = ContourMaker(self._runner, self.planner, self._exact, settings)
        self._onto = OntoFinder(settings.tile_size)
        self.sweeps = Sweeps(self._linked, settings, self.planner)
        self.regions = Regions(self._runner, settings, self.planner, self.pyramids)
        self.exports = Exports(self._linked, settings, self.planner, self.pyramids)

    def use(self, link: ClusterLink | None) -> None:
        """Use another link from now on; with None there is no cluster for the time being."""
        self._link = link
        self._prefetcher.forget()
        if self._drafts is not None:
            self._drafts.use(*((None, None) if link is None else (link.dispatcher.keeper, link.client)))

    def start(self) -> None:
        """Begin with what goes on by itself: looking at what others put into the store."""
        if self.pyramids is not None:
            self.pyramids.start()

    async def close(self) -> None:
        """Stop what goes on by itself."""
        if self._drafts is not None:
            self._drafts.use(None, None)
        await self.sweeps.close()
        if self.pyramids is not None:
            await self.pyramids.close()

    def _builder(self, told: Callable[[BuildNews], None]) -> Builder:
        return Builder(
            lambda: None if self._link is None else self._link.client,
            lambda: () if self._link is None else self._link.dispatcher.members.usable,
            new_owner("serve"),
            told,
        )

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of all that is kept of files that are others now, or gone: plans, views, bricks.

        Parameters
        ----------
        fingerprints : container of str
            Those of the readers.
        """
        if self.pyramids is not None:
            self.pyramids.forget(fingerprints)
        self.planner.forget(fingerprints)
        self.measure.spectral.forget(fingerprints)
        self._prefetcher.forget_files(fingerprints)
        if self._drafts is not None:
            self._drafts.forget(fingerprints)
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

    def opened(self, layer: Layer) -> None:
        """Note that somebody looks at a layer, of which all is built ahead where the settings say so."""
        if self.pyramids is not None and self._settings.pyramid == "ahead":
            self.prebuild(layer)

    def prebuild(self, layer: Layer) -> None:
        """Have the pyramid of a layer built, as far as any of it will be shown."""
        if self.pyramids is not None and self.planner.ways.stored_levels(layer):
            self.pyramids.want_all(layer)

    async def is_passing(self, request: TileRequest) -> bool:
        """Whether there is no more than a preview of a tile at the moment, which something exact will follow."""
        if request.onto is not None:
            return False
        drafts = self._drafts if can_be_draft(request) else None
        if self.pyramids is not None and self.planner.ways.of(request) is Way.STORE:
            await self.pyramids.looked_up(request.layer)
        elif drafts is None:
            return False
        plan = self.planner.plan(request, self.workers)
        return not request.settled and (plan.passing or (drafts is not None and drafts.covers(plan)))

    async def onto(self, request: TileRequest, grid: Layer, order: Order) -> TileRequest:
        """Find where a tile lies that is one of another layer's, and make sure that its pixels can be had.

        Parameters
        ----------
        request : TileRequest
            What is shown; level, row and column are those of a tile of the other layer.
        grid : Layer
            The other layer.
        order : {"nearest", "bilinear", "bicubic"}
            How pixels are interpolated.

        Raises
        ------
        InvalidRequest
            If there is no such tile, or one of the layers has no celestial coordinates that can be used.
        TooLarge, Unavailable
            If the pixels under it cannot be had, or not yet.
        """
        place = request.level, request.row, request.column
        found = self._onto.known(request.layer, grid, place, order)
        if found is None:
            found = await asyncio.to_thread(self._onto.find, request.layer, grid, place, order)
        placed = replace(request, onto=found)
        await self._exact.plan(placed.under, "onto")
        return placed

    async def tile(self, request: TileRequest, viewer: str = "") -> Picture:
        """Render a tile.

        Parameters
        ----------
        request : TileRequest
            Which. If it is settled, the exact picture is waited for wherever there will be one.
        viewer : str
            Who wants it: viewers take turns, and each has a share of the places in the queue.

        Raises
        ------
        InvalidRequest
            If there is no such tile.
        Unavailable
            If no worker answers before the deadline, the exact picture is not there by then, or too many tiles wait
            already.
        VisiomaticError
            Whatever kept the pixels from being read.
        """
        self._linked()
        plan = self.planner.plan(request, self.workers)
        self._admission.enter(viewer)
        try:
            if plan.passing and self.pyramids is not None:
                plan = await self._demanded(request, self.pyramids)
            try:
                return await self._rendered(request, plan, viewer)
            except StoreError as error:
                if request.onto is not None:
                    self._exact.gone(request.under)
                    raise
                if self.pyramids is None or not plan.is_stored:
                    raise
                if not isinstance(error, PyramidGone):
                    logger.warning("a tile is made without the store: %s", error)
                self.pyramids.gone(request.layer, self.planner.needs(request))
                plan = await self._demanded(request, self.pyramids)
                return await self._rendered(request, plan, viewer)
        except TimeoutError as error:
            raise Unavailable(f"no worker has answered within {self._settings.deadline:g} s") from error
        finally:
            self._admission.leave(viewer)

    async def _rendered(self, request: TileRequest, plan: TilePlan, viewer: str) -> Picture:
        dispatcher, workers = self._linked().dispatcher, self.workers
        if self.pyramids is not None and plan.is_stored:
            self.pyramids.used(request.layer)
        if self._drafts is not None and request.onto is None:
            plan = await self._drafts.instead(request, plan, viewer)
        if request.onto is not None:
            pass  # what is looked at next is not to be told from it
        elif dispatcher.keeper.is_news(plan.brick):
            self._prefetcher.saw(viewer, request, plan, dispatcher.keeper, workers)
        elif plan.brick.recipe.is_deep:
            self._prefetcher.stepped(viewer, request, plan, dispatcher.keeper, workers)
        answer = await dispatcher.ask(plan, plan.job(request.style), viewer)
        return Picture(answer.data, plan.preview, answer.timing, passing=plan.passing)

    async def _demanded(self, request: TileRequest, pyramids: Pyramids) -> TilePlan:
        """Have built what a tile needs of the store. It is waited for only by those who hear of nothing better."""
        await pyramids.looked_up(request.layer)
        if not request.settled:
            plan = self.planner.plan(request, self.workers)
            if plan.passing:
                pyramids.want(request.layer, self.planner.needs(request))
            return plan
        try:
            async with asyncio.timeout(self._settings.deadline):
                while (plan := self.planner.plan(request, self.workers)).passing:
                    pyramids.want(request.layer, self.planner.needs(request))
                    await pyramids.changed(request.layer)
        except TimeoutError as error:
            raise Unavailable("the exact picture of this tile is being built; try again soon", BUILT_SOON) from error
        return plan
