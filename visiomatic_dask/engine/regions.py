"""Regions: rectangles of any size as one picture each, made in one task."""

from __future__ import annotations

from visiomatic_dask.config import Settings
from visiomatic_dask.engine import tasks
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.plans import RegionPlan
from visiomatic_dask.engine.pyramids import Pyramids
from visiomatic_dask.engine.requests import Picture, RegionRequest
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.errors import PyramidGone, TooLarge
from visiomatic_dask.rendering.look import LARGEST_JPEG


class Regions:
    """Pictures of rectangles.

    Parameters
    ----------
    runner : TaskRunner
        Runs what renders them.
    settings : Settings
        How large they may be.
    planner : Planner
        Knows what there is.
    pyramids : Pyramids or None
        The store, where there is one.
    """

    def __init__(self, runner: TaskRunner, settings: Settings, planner: Planner, pyramids: Pyramids | None) -> None:
        self._runner = runner
        self._settings = settings
        self._planner = planner
        self._pyramids = pyramids

    async def plan(self, request: RegionRequest) -> RegionPlan:
        """Find out what a region is best made of at the moment.

        Raises
        ------
        TooLarge
            If it would render more tiles than ``visiomatic.region-tiles``, is longer than a JPEG can be, or would read
            more than ``visiomatic.read-limit`` even from a subsample.
        """
        settings, box = self._settings, request.box
        most = settings.region_tiles * settings.tile_size**2
        if box.rows * box.columns > most:
            raise TooLarge(
                f"the region has {box.columns} x {box.rows} pixels; at most {settings.region_tiles} tiles of "
                f"{settings.tile_size}² pixels are allowed: zoom in, or increase the binning",
                "RGN",
            )
        if max(box.rows, box.columns) > LARGEST_JPEG:
            raise TooLarge(
                f"the region has {box.columns} x {box.rows} pixels; a JPEG has {LARGEST_JPEG} along a side at most",
                "RGN",
            )
        if self._pyramids is not None and request.level:
            await self._pyramids.looked_up(request.layer)
        return self._planner.plan_region(request)

    async def render(self, plan: RegionPlan) -> Picture:
        """Render a rectangle as one picture, in one task.

        Raises
        ------
        PyramidGone
            If it was to be made from the store, and what is needed has left it meanwhile: worth another try.
        VisiomaticError
            Whatever kept the pixels from being read.
        """
        request = plan.request
        if self._pyramids is not None and plan.is_stored:
            self._pyramids.used(request.layer)
        try:
            data = await self._runner.run(
                tasks.render_region,
                plan.reader,
                plan.below,
                request.box,
                request.style,
                plan.preview_read,
                key=f"region-{plan.token}",
                in_parts=True,
            )
        except PyramidGone:
            if self._pyramids is not None:
                self._pyramids.gone(request.layer)
            raise
        return Picture(data, plan.preview_read is not None)
