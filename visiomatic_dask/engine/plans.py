"""Plans: what a tile or a region is made of, and what has to be in the store for that. Frozen."""

from __future__ import annotations

from dataclasses import dataclass

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.engine.tile_job import TileJob
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Mix, Style

_QUICK = 2**16
"""Pixels of a grey JPEG that is rendered in a fraction of a millisecond. Colour takes two or three times as long."""


@dataclass(frozen=True, slots=True)
class Need:
    """Pixels of a layer that somebody looks at.

    Attributes
    ----------
    level : int
        From 1.
    planes : (int, int)
        First plane and one past the last.
    box : Box
        Which pixels, at that level.
    """

    level: int
    planes: tuple[int, int]
    box: Box


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
    passing : bool
        Whether it is one only because the exact pixels are not in the store yet.
    is_stored : bool
        Whether it is made from the store.
    """

    brick: Brick
    plane: int
    box: Box
    preview: bool
    passing: bool = False
    is_stored: bool = False

    def job(self, style: Style) -> TileJob:
        """Make the message that asks a worker for the tile."""
        scale, offset = style.scale_offset
        look, is_mix = style.look, isinstance(style.content, Mix)
        is_grey_jpeg = not is_mix and look.colormap == "grey" and look.format == "jpeg" and look.is_plain
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


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """What a region is made of.

    Attributes
    ----------
    request : RegionRequest
        The region.
    reader : Reader
        What its pixels are read from.
    below : int
        How many times the planes of that are binned.
    preview_read : int or None
        For a subsample: bytes to read at most.
    token : str
        32 hexadecimal digits that tell its bytes from any other.
    is_stored : bool
        Whether it is made from the store.
    """

    request: RegionRequest
    reader: Reader
    below: int
    preview_read: int | None
    token: str
    is_stored: bool = False
