"""Exports: files of any size, planned here, made on workers band by band, and given in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import cache

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.band_cuts import check_read, cut_bands
from visiomatic_dask.engine.band_stream import BandStreams, BandTask
from visiomatic_dask.engine.cutouts import CutoutPlan, cutout_pieces, plan_cutout
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.pyramids import Pyramids
from visiomatic_dask.engine.region_bands import Container, RegionExport, RegionFile
from visiomatic_dask.engine.region_costs import region_costs
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.errors import PyramidGone, TooLarge
from visiomatic_dask.pyramid import Box, Storage

_PIXEL = 4
"""Bytes of a pixel of a picture at most."""


class Exports:
    """Files of any size.

    Parameters
    ----------
    link : callable
        Gives the link to the cluster; `Unavailable` where there is none.
    settings : Settings
        What may be read and made.
    planner : Planner
        Knows what is in the store.
    pyramids : Pyramids or None
        The store.
    """

    def __init__(
        self, link: Callable[[], ClusterLink], settings: Settings, planner: Planner, pyramids: Pyramids | None
    ) -> None:
        self._settings = settings
        self._planner = planner
        self._pyramids = pyramids
        self._streams = BandStreams(link, settings.deadline)

    async def plan_region(self, request: RegionRequest, container: Container) -> RegionExport:
        """Find out what a picture is best made of: exactly, from the source or the store.

        The source is read where the whole picture takes no more than ``visiomatic.read-limit``, or the store does not
        have all of it.

        Raises
        ------
        TooLarge
            If it has more than ``visiomatic.export-pixels``, or would read more than ``visiomatic.export-read``.
        """
        settings, box = self._settings, request.box
        if box.rows * box.columns > settings.export_pixels:
            raise TooLarge(
                f"the picture has {box.columns:,} x {box.rows:,} pixels; {settings.export_pixels:,} are allowed: "
                "choose a smaller box, or a higher level",
                "box",
            )
        if self._pyramids is not None and request.level:
            await self._pyramids.looked_up(request.layer)
        reader, below = request.layer.at(request.level)
        whole, _ = region_costs(reader, below, box, request.style)
        stored = None if whole <= settings.read_limit else self._planner.stored_reader(request)
        if stored is not None:
            reader, below = stored, 0

        @cache
        def cost(band: Box) -> int:
            return region_costs(reader, below, band, request.style)[0]

        def cut() -> list[Box]:
            check_read(cost(box), settings.export_read)  # bands read no less than the whole, and there may be thousands
            bands = cut_bands(Storage.of(reader), below, box, _PIXEL, cost, settings.read_limit)
            check_read(sum(map(cost, bands)), settings.export_read)
            return bands

        bands = await asyncio.to_thread(cut)  # to add up what thousands of channels read takes long
        token = request.token_by(f"{container}|{settings.read_limit}|{reader.token}|")
        return RegionExport(request, container, reader, below, tuple(bands), token, stored is not None)

    def region(self, plan: RegionExport) -> RegionFile:
        """Give the file of a picture, whose pieces are made as they are asked for."""
        if self._pyramids is not None and plan.is_stored:
            self._pyramids.used(plan.request.layer)
        return RegionFile(plan, self._results(plan.request.layer, plan.tasks))

    async def plan_cutout(self, layer: Layer, level: int, box: Box, channels: tuple[int, int]) -> CutoutPlan:
        """Plan a FITS cut-out; see `visiomatic_dask.engine.cutouts.plan_cutout`."""
        return await asyncio.to_thread(plan_cutout, layer, level, box, channels, self._settings)

    def cutout(self, plan: CutoutPlan, head: bytes) -> AsyncGenerator[bytes, None]:
        """Give a cut-out piece by piece, after its header."""
        return cutout_pieces(plan, head, self._streams.results(plan.tasks))

    async def _results(self, layer: Layer, tasks: list[BandTask]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._streams.results(tasks)) as results:
                async for one in results:
                    yield one
        except PyramidGone:
            if self._pyramids is not None:
                self._pyramids.gone(layer)
            raise
