"""Contours of a tile: what is read for them, and where from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.contour_task import tile_contours
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.exact_pixels import ExactPixels
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.plans import RegionPlan
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.errors import InvalidRequest, PyramidGone
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Content, Look, Mix, Style
from visiomatic_dask.rendering.content import canonical

MOST_LEVELS = 64
WIDEST_BOX = 15
"""Pixels of the box that a plane is smoothed by."""


@dataclass(frozen=True)
class ContourRequest:
    """The contours of a plane within one tile.

    Attributes
    ----------
    layer : Layer
        The layer.
    level, row, column : int
        Which tile, in raster orientation.
    content : Mono or Collapse
        Which plane; its cuts do not matter.
    levels : tuple of float
        Values, ascending, at most `MOST_LEVELS`.
    smooth : int
        Side in pixels of the box that the plane is smoothed by; odd, 1 for none.

    Raises
    ------
    InvalidRequest
        If there are no values or too many, or a mix is asked for.
    """

    layer: Layer
    level: int
    row: int
    column: int
    content: Content
    levels: tuple[float, ...]
    smooth: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.content, Mix):
            raise InvalidRequest(
                "a mix has three colours, and no contours; allowed: a channel, or a range made one", "mix"
            )
        if not 1 <= len(self.levels) <= MOST_LEVELS or not all(map(math.isfinite, self.levels)):
            raise InvalidRequest.value("levels", len(self.levels), f"1 to {MOST_LEVELS} finite numbers")
        if not (1 <= self.smooth <= WIDEST_BOX and self.smooth % 2):
            raise InvalidRequest.value("smooth", self.smooth, f"an odd number from 1 to {WIDEST_BOX}")

    @property
    def text(self) -> str:
        """What the lines depend on besides the pixels."""
        return f"{','.join(map(canonical, self.levels))}|{self.smooth}"


@dataclass(frozen=True, slots=True)
class ContourPlan:
    """What contours are made of.

    Attributes
    ----------
    request : ContourRequest
        Which.
    tile : Box
        Where the upper left pixels of the squares lie that lines are drawn in.
    pixels : RegionPlan
        What is read: a margin around the tile besides.
    token : str
        32 hexadecimal digits that tell the answer from any other.
    """

    request: ContourRequest
    tile: Box
    pixels: RegionPlan
    token: str


class ContourMaker:
    """Plans contours, and has them made.

    Parameters
    ----------
    runner : TaskRunner
        Runs the tasks.
    planner : Planner
        Says where tiles lie.
    exact : ExactPixels
        Says what they are read from.
    settings : Settings
        How many points an answer may have.
    """

    def __init__(self, runner: TaskRunner, planner: Planner, exact: ExactPixels, settings: Settings) -> None:
        self._runner = runner
        self._planner = planner
        self._exact = exact
        self._most = settings.measure_limit

    async def plan(self, request: ContourRequest) -> ContourPlan:
        """Find out what contours are made of at the moment.

        Raises
        ------
        InvalidRequest
            If there is no such tile.
        TooLarge
            If the pixels would take reading more than ``visiomatic.read-limit``, and will not be in the store.
        Unavailable
            If they are not in the store yet.
        """
        layer, level = request.layer, request.level
        grid = self._planner.tiles(layer)
        tile = grid.box(level, request.row, request.column)
        width, height = grid.size(level)
        margin = request.smooth // 2
        box = Box(
            max(0, tile.top - margin),
            max(0, tile.left - margin),
            min(tile.bottom + 1 + margin, height),
            min(tile.right + 1 + margin, width),
        )
        pixels = await self._exact.plan(RegionRequest(layer, level, box, Style(request.content, Look())), "level")
        return ContourPlan(request, tile, pixels, digest(f"contour|{pixels.token}|{request.text}"))

    async def make(self, plan: ContourPlan) -> bytes:
        """Have contours made, in one task: GeoJSON.

        Raises
        ------
        TooLarge
            If they have more points than ``visiomatic.measure-limit``.
        PyramidGone
            If what was to be read from the store has left it meanwhile: worth another try.
        VisiomaticError
            Whatever kept the pixels from being read.
        """
        request, pixels = plan.request, plan.pixels
        try:
            data: bytes = await self._runner.run(
                tile_contours,
                pixels.reader,
                pixels.below,
                pixels.request.box,
                plan.tile,
                request.content,
                request.levels,
                request.smooth,
                (request.level, request.layer.height),
                self._most,
                key=f"contour-{plan.token}",
                in_parts=True,
            )
        except PyramidGone:
            self._exact.gone(pixels.request)
            raise
        return data
