"""Tile jobs: what goes to a worker for one tile, and what is done with it there."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.engine.bricks import BrickRecipe
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Canvas, TableCache, encode, render_mix, render_plane

DIRECT_READ = 32 * 2**20
"""What a worker that does not hold the brick reads of the source for a single tile, at most."""


class TileJob(NamedTuple):
    """One tile, as it travels.

    It holds nothing but numbers, text and bytes, so that a comm can pack many of them into one message.

    Attributes
    ----------
    key : str
        Key of the brick.
    recipe : bytes
        The brick's pickled recipe, for a worker that does not hold it; empty where it is too much for every tile.
    plane : int
        Plane within the brick; -1 for a mix.
    top, left, rows, columns : int
        Rectangle within the brick.
    low : float
    scale, offset : tuple of float
        Of `visiomatic_dask.rendering.Style`: one of each for a plane, three for a mix.
    look : tuple
        The fields of the `visiomatic_dask.rendering.Look`.
    quick : bool
        Whether it is rendered in a fraction of a millisecond, once its brick is there.
    """

    key: str
    recipe: bytes
    plane: int
    top: int
    left: int
    rows: int
    columns: int
    low: float
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    look: tuple[Any, ...]
    quick: bool = False


class Rendered(NamedTuple):
    """A tile, and how long each of its stages took, in seconds.

    Attributes
    ----------
    data : bytes
        The encoded tile.
    read : float
        Reading the source, where the brick was not at hand.
    render : float
        Cutting and styling.
    encode : float
        Encoding.
    """

    data: bytes
    read: float
    render: float
    encode: float


@dataclass(frozen=True, slots=True)
class BrickAbsent(Exception):
    """The worker does not hold the brick, and making the tile from the source would read too much."""

    key: str


def render_job(
    job: TileJob, brick: NDArray[np.float32] | None, tables: TableCache, canvas: Canvas | None = None
) -> Rendered:
    """Cut, style and encode one tile.

    Parameters
    ----------
    job : TileJob
        The tile.
    brick : ndarray of float32, (planes, rows, columns), or None
        The brick; None where this worker does not hold it. The tile's part of the source is read instead.
    tables : TableCache
        Tables of the looks in use.
    canvas : Canvas, optional
        What the picture is drawn on.

    Raises
    ------
    BrickAbsent
        If the brick is not here, and its recipe neither, or reading what the tile needs would take more than
        `DIRECT_READ`.
    """
    began = perf_counter()
    plane, top, left = job.plane, job.top, job.left
    if brick is None:
        recipe = _part(job) if job.recipe else None
        if recipe is None or recipe.read_cost > DIRECT_READ:
            raise BrickAbsent(job.key)
        brick, top, left = recipe.load(), 0, 0
        plane = min(plane, 0)
    read = perf_counter()
    look, look_tables = tables.get(job.look)
    shape = (job.rows, job.columns)
    if plane < 0:
        picture = render_mix(brick, top, left, shape, job.scale, job.offset, look_tables, canvas)
    else:
        scale, offset = job.scale[0], job.offset[0]
        picture = render_plane(brick, plane, top, left, shape, job.low, scale, offset, look_tables, canvas)
    rendered = perf_counter()
    data = encode(picture, look)
    return Rendered(data, read - began, rendered - read, perf_counter() - rendered)


def _part(job: TileJob) -> BrickRecipe:
    recipe: BrickRecipe = pickle.loads(job.recipe)
    outer = recipe.box
    top, left = outer.top + job.top, outer.left + job.left
    return recipe.part(Box(top, left, top + job.rows, left + job.columns), max(job.plane, 0))
