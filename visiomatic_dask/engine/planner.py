"""The plan: which brick a tile is cut from. Pure arithmetic, no I/O, no Dask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.bricks import Brick, BrickRecipe, MixBrick, PlaneBrick
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.tile_job import TileJob
from visiomatic_dask.pyramid import Box, BrickGrid, BrickLimits, Storage, TileGrid, bricks_of, mix_bricks_of
from visiomatic_dask.rendering import Mix, Mono, Style

_MOST_PLANS = 4096
_BRICKS_A_WORKER = 4
_QUICK = 2**16
"""Pixels of a grey JPEG that is rendered in a fraction of a millisecond. Colour takes two or three times as long."""


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Where a tile is to be cut.

    Attributes
    ----------
    brick : Brick
        From which brick.
    plane : int
        Its plane in the brick (0 for a mix).
    box : Box
        Its rectangle, counted from the brick's corner.
    preview : bool
        Whether the brick is a subsample.
    """

    brick: Brick
    plane: int
    box: Box
    preview: bool

    def job(self, style: Style) -> TileJob:
        """Make the message that asks a worker for the tile."""
        scale, offset = style.scale_offset
        look, is_mix = style.look, isinstance(style.content, Mix)
        is_grey_jpeg = not is_mix and look.colormap == "grey" and look.format == "jpeg"
        return TileJob(
            self.brick.key,
            self.brick.pickled,
            -1 if is_mix else self.plane,
            self.box.top,
            self.box.left,
            self.box.rows,
            self.box.columns,
            style.low,
            scale,
            offset,
            look.fields,
            is_grey_jpeg and self.box.rows * self.box.columns <= _QUICK,
        )


class Planner:
    """Plans tiles, and keeps the plans made last.

    Parameters
    ----------
    settings : Settings
        Tile, brick and read sizes.
    """

    def __init__(self, settings: Settings) -> None:
        self.limits = BrickLimits(settings.tile_size, settings.brick_size, settings.read_limit, settings.preview_read)
        self._plans: OrderedDict[tuple[Any, ...], TilePlan] = OrderedDict()

    def tiles(self, layer: Layer) -> TileGrid:
        """Tiles of a layer."""
        return TileGrid(layer.width, layer.height, self.limits.tile_size)

    def grid(self, layer: Layer, level: int, mix: Mix | None = None) -> BrickGrid:
        """Bricks of a level of a layer, or of a mix of its channels."""
        reader, below = layer.at(level)
        storage = Storage.of(reader)
        if mix is None:
            return bricks_of(storage, below, self.limits)
        return mix_bricks_of(storage, below, mix.channels, self.limits)

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
        """
        content = request.style.content
        what = content.channel if isinstance(content, Mono) else content.text
        key = (request.layer.at(request.level)[0].token, request.level, request.row, request.column, what, workers)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(request, workers)
            if len(self._plans) > _MOST_PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of the plans for files that are others now, or gone."""
        gone = [key for key, plan in self._plans.items() if plan.brick.recipe.reader.fingerprint in fingerprints]
        for key in gone:
            del self._plans[key]

    def _plan(self, request: TileRequest, workers: int) -> TilePlan:
        layer, content = request.layer, request.style.content
        tile = self.tiles(layer).box(request.level, request.row, request.column)
        reader, below = layer.at(request.level)
        recipe: BrickRecipe
        if isinstance(content, Mix):
            grid = self.grid(layer, request.level, content)
            box = grid.box(tile)
            recipe = MixBrick(reader, below, box, content, grid.preview_read, _stripe(grid, box))
            plane = 0
        else:
            grid = self.grid(layer, request.level)
            box = grid.box(tile)
            planes = grid.plane_range(content.channel, layer.channels)
            bricks_a_plane = -(-grid.width // grid.columns) * -(-grid.height // grid.rows)
            stripe = _stripe(grid, box)
            if bricks_a_plane < _BRICKS_A_WORKER * workers:
                stripe += planes[0] // grid.planes
            recipe = PlaneBrick(reader, below, planes, box, grid.preview_read, stripe)
            plane = content.channel - planes[0]
        return TilePlan(Brick(recipe), plane, tile.within(box), grid.preview_read is not None)


def _stripe(grid: BrickGrid, box: Box) -> int:
    """Return a brick's number along the diagonal of its plane: neighbours to the right and below are one further."""
    return box.top // grid.rows + box.left // grid.columns
