"""The plan: which brick a tile is cut from. Pure arithmetic, no I/O, no Dask.

What is there of pyramids it is told by whoever knows.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Any, Protocol
from weakref import WeakValueDictionary

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.engine.bricks import Brick, BrickRecipe
from visiomatic_dask.engine.content_bricks import brick_of
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.onto import Onto
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.plans import Need, RegionPlan, TilePlan
from visiomatic_dask.engine.region_costs import region_costs
from visiomatic_dask.engine.reprojected_brick import ReprojectedBrick
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.engine.ways import Way, Ways, grid_of
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid import Box, BrickGrid, BrickLimits, TileGrid, consecutive
from visiomatic_dask.rendering import Collapse, Content, Mono

_MOST_PLANS = 4096
_MOST_CHANNELS = 2**20
"""Of the mixes in all plans that are kept: some 100 bytes each."""
_BRICKS_A_WORKER = 4
NO_SUBSAMPLE = (
    "this would take reading more pixels than visiomatic.read-limit allows, and is not made from a subsample: zoom in, "
    "or ask for fewer channels"
)


class StoredLevels(Protocol):
    """What is known at the moment of the levels that are in the store."""

    def version(self, layer: Layer) -> int:
        """Return a number that is another one whenever more, or less, is known to be there of a layer."""
        ...

    def reader(self, layer: Layer, level: int) -> Reader | None:
        """Return what reads a level from the store; None where there is none yet."""
        ...

    def is_done(self, layer: Layer, level: int, planes: tuple[int, int], box: Box) -> bool:
        """Whether all pixels of a rectangle of some planes of a level are in the store."""
        ...


class Planner:
    """Plans tiles, and keeps the plans made last.

    Parameters
    ----------
    settings : Settings
        Tile, brick and read sizes.
    stored : StoredLevels, optional
        What is in the store; None where there is none.

    Attributes
    ----------
    ways : Ways
        What tiles are made of.
    """

    def __init__(self, settings: Settings, stored: StoredLevels | None = None) -> None:
        self.limits = BrickLimits(
            settings.tile_size,
            settings.brick_size,
            settings.read_limit,
            settings.preview_read,
            None if stored is None else settings.exact_read,
            settings.mix_read,
        )
        self.ways = Ways(self.limits, stored is not None)
        # What is in the store is exact, whatever reading it takes.
        self._stored_limits = replace(self.limits, read_limit=sys.maxsize, mix_read=sys.maxsize)
        self._stored = stored
        self._source_text = f"{settings.tile_size}|"
        self._store_text = f"store|{settings.tile_size}|{settings.store_mantissa}|"
        self._sample_text = f"sample|{settings.tile_size}|{settings.read_limit}|{settings.preview_read}|"
        self._plans: OrderedDict[tuple[Any, ...], TilePlan] = OrderedDict()
        self._channels = 0
        self._bricks: WeakValueDictionary[tuple[Any, ...], Brick] = WeakValueDictionary()

    def tiles(self, layer: Layer) -> TileGrid:
        """Tiles of a layer."""
        return TileGrid(layer.width, layer.height, self.limits.tile_size)

    def token(self, request: TileRequest) -> str:
        """32 hexadecimal digits: equal for two requests if and only if they ask for the same bytes.

        That is the exact picture, where there will be one; a preview until then has none.
        """
        if request.onto is not None:
            is_stored = self._under(request).is_stored
            return request.token_by(self._store_text if is_stored else self._source_text)
        match self.ways.of(request):
            case Way.SOURCE:
                return request.token_by(self._source_text)
            case Way.STORE:
                return request.token_by(self._store_text)
            case Way.SAMPLE:
                return request.token_by(self._sample_text)

    def grid(self, request: TileRequest) -> BrickGrid:
        """Bricks of the level of a request, of its channel or of its mix, as they can be had at the moment."""
        if self.ways.of(request) is Way.STORE and self._stored is not None:
            reader = self._stored.reader(request.layer, request.level)
            if reader is not None:
                return grid_of(reader, 0, request.style.content, self._stored_limits)
        return self._source_grid(request)

    def plan(self, request: TileRequest, workers: int) -> TilePlan:
        """Plan a tile.

        Parameters
        ----------
        request : TileRequest
            The tile.
        workers : int
            How many there are; decides whether the channels of a plane are spread over them. They are not when a plane
            alone gives every worker enough to do, for then the few channels of a mix had better lie together.

        Raises
        ------
        InvalidRequest
            If there is no such tile.
        TooLarge
            If it lies on another layer's grid, and only a subsample of the pixels under it can be had.
        """
        if request.onto is not None:
            return self._plan_onto(request, request.onto)
        content = request.style.content
        what = _plane_text(content)
        way = self.ways.of(request)
        version = self._stored.version(request.layer) if way is Way.STORE and self._stored is not None else 0
        source = request.layer.at(request.level)[0].token
        key = (source, request.level, request.row, request.column, what, workers, way, version)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(request, way, workers)
            self._channels += _channels(plan)
            while len(self._plans) > _MOST_PLANS or (self._channels > _MOST_CHANNELS and len(self._plans) > 1):
                self._channels -= _channels(self._plans.popitem(last=False)[1])
        else:
            self._plans.move_to_end(key)
        return plan

    def needs(self, request: TileRequest) -> list[Need]:
        """List what has to be in the store for a tile to be exact."""
        if request.onto is not None:
            return self.needs_of(request.under)
        box = self.tiles(request.layer).box(request.level, request.row, request.column)
        return [Need(request.level, planes, box) for planes in consecutive(request.style.content.channels)]

    def needs_of(self, request: RegionRequest) -> list[Need]:
        """List what has to be in the store for a region to be exact."""
        return [Need(request.level, planes, request.box) for planes in consecutive(request.style.content.channels)]

    def plan_region(self, request: RegionRequest) -> RegionPlan:
        """Plan a region: exact from the source, else exact from the store, else a subsample.

        Raises
        ------
        TooLarge
            If even a subsample would read more than ``visiomatic.read-limit``.
        """
        exact = self.plan_exact_region(request)
        if exact is not None:
            return exact
        limit = self.limits.read_limit
        source, below = request.layer.at(request.level)
        _, least = region_costs(source, below, request.box, request.style)
        if least > limit:
            raise TooLarge(
                f"the region would read {least / 1e6:,.1f} MB at least; {limit / 1e6:,.1f} MB are "
                "allowed: zoom in, increase the binning, or mix fewer channels",
                "RGN",
            )
        return RegionPlan(request, source, below, limit, request.token_by(self._sample_text))

    def plan_exact_region(self, request: RegionRequest) -> RegionPlan | None:
        """Plan a region from the source, else from the store; None where only a subsample can be had now."""
        layer, level, box = request.layer, request.level, request.box
        source, below = layer.at(level)
        whole, _ = region_costs(source, below, box, request.style)
        if whole <= self.limits.read_limit:
            return RegionPlan(request, source, below, None, request.token_by(self._source_text))
        stored = self.stored_reader(request)
        if stored is not None:
            return RegionPlan(request, stored, 0, None, request.token_by(self._store_text), is_stored=True)
        return None

    def _under(self, request: TileRequest) -> RegionPlan:
        """Plan the pixels under a tile on another layer's grid."""
        plan = self.plan_exact_region(request.under)
        if plan is None:
            raise TooLarge(NO_SUBSAMPLE, "onto")
        return plan

    def _plan_onto(self, request: TileRequest, onto: Onto) -> TilePlan:
        pixels, content = self._under(request), request.style.content
        tile = self.tiles(onto.layer).box(request.level, request.row, request.column)
        source = brick_of(content, pixels.reader, pixels.below, onto.box)
        recipe = ReprojectedBrick(source, onto.source_sky, onto.sky, tile, onto.order, onto.overlaps)
        return TilePlan(Brick(recipe), 0, tile.within(tile), preview=False, is_stored=pixels.is_stored)

    def stored_reader(self, request: RegionRequest) -> Reader | None:
        """Return what reads a region's level from the store, where all of the region is there."""
        layer, level = request.layer, request.level
        stored = None if self._stored is None else self._stored.reader(layer, level)
        if stored is None or not self._is_done(layer, level, consecutive(request.style.content.channels), request.box):
            return None
        return stored

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of the plans for files that are others now, or gone."""
        gone = [key for key, plan in self._plans.items() if plan.brick.recipe.reader.fingerprint in fingerprints]
        for key in gone:
            self._channels -= _channels(self._plans.pop(key))
        self.ways.forget(fingerprints)

    def _source_grid(self, request: TileRequest) -> BrickGrid:
        """Bricks made of the source: of a subsample, where the exact ones would take too much."""
        limits = self.ways.source_limits if self.ways.of(request) is Way.SOURCE else self.limits
        return grid_of(*request.layer.at(request.level), request.style.content, limits)

    def _plan(self, request: TileRequest, way: Way, workers: int) -> TilePlan:
        tile = self.tiles(request.layer).box(request.level, request.row, request.column)
        stored = self._stored_plan(request, tile, workers) if way is Way.STORE else None
        if stored is not None:
            return stored
        plan = self._cut(request, tile, *request.layer.at(request.level), self._source_grid(request), workers)
        return replace(plan, passing=way is Way.STORE)

    def _stored_plan(self, request: TileRequest, tile: Box, workers: int) -> TilePlan | None:
        """Plan a tile from the store: of a whole brick where that is there, else of what it needs itself."""
        layer, content, level = request.layer, request.style.content, request.level
        reader = None if self._stored is None else self._stored.reader(layer, level)
        if reader is None:
            return None
        runs = consecutive(request.style.content.channels)
        if not self._is_done(layer, level, runs, tile):
            return None
        grid = grid_of(reader, 0, content, self._stored_limits)
        box = grid.box(tile)
        deep = [grid.plane_range(content.channel, layer.channels)] if isinstance(content, Mono) else runs
        if not self._is_done(layer, level, deep, box):
            grid = replace(grid, planes=1, restarts=())
            if not self._is_done(layer, level, runs, box):
                grid = replace(grid, rows=self.limits.tile_size, columns=self.limits.tile_size)
        return replace(self._cut(request, tile, reader, 0, grid, workers), is_stored=True)

    def _is_done(self, layer: Layer, level: int, runs: Iterable[tuple[int, int]], box: Box) -> bool:
        stored = self._stored
        return stored is not None and all(stored.is_done(layer, level, planes, box) for planes in runs)

    def _cut(
        self, request: TileRequest, tile: Box, reader: Reader, below: int, grid: BrickGrid, workers: int
    ) -> TilePlan:
        """Plan a tile as a part of a brick of a grid."""
        content, box = request.style.content, grid.box(tile)
        stripe = box.top // grid.rows + box.left // grid.columns  # along the diagonal: neighbours are one further
        recipe: BrickRecipe
        what: object
        if not isinstance(content, Mono):
            recipe = brick_of(content, reader, below, box, grid.preview_read, stripe)
            plane, what = 0, _plane_text(content)
        else:
            planes = grid.plane_range(content.channel, request.layer.channels)
            bricks_a_plane = -(-grid.width // grid.columns) * -(-grid.height // grid.rows)
            if bricks_a_plane < _BRICKS_A_WORKER * workers:
                stripe += planes[0] // grid.planes
            recipe = PlaneBrick(reader, below, planes, box, grid.preview_read, stripe)
            plane, what = content.channel - planes[0], planes
        # The tiles of a brick share it, with what is computed of it once.
        key = (reader.token, below, box, grid.preview_read, stripe, what)
        brick = self._bricks.get(key)
        if brick is None:
            brick = self._bricks[key] = Brick(recipe)
        return TilePlan(brick, plane, tile.within(box), grid.preview_read is not None)


def _channels(plan: TilePlan) -> int:
    """Count what a plan takes, in channels of a mix."""
    recipe = plan.brick.recipe
    return len(recipe.mix.channels) if isinstance(recipe, MixBrick) else 1


def _plane_text(content: Content) -> str | int:
    """Write what of a content says which bricks it takes."""
    match content:
        case Mono():
            return content.channel
        case Collapse():
            return content.shown
        case _:
            return content.text
