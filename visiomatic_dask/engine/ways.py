"""Ways: what a tile is made of, by what making it from the source would read. Pure arithmetic, no I/O, no Dask.

The way of a tile follows from its layer, its channels and the settings alone, never from what happens to be in the
store at the moment. So the exact picture of a tile always has the same bytes, and one ETag.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from dataclasses import replace
from enum import Enum
from typing import Any

from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.pyramid import (
    BrickGrid,
    BrickLimits,
    Storage,
    bricks_of,
    channel_groups,
    level_count,
    mix_bricks_of,
)
from visiomatic_dask.pyramid.store.layout import LARGEST_TILE
from visiomatic_dask.pyramid.store.shards import PyramidPlan
from visiomatic_dask.rendering import Content, Cut, Mono

SETTLED_READ = 4 * 10**9
"""What may have to be read of the source until a tile is in the store, to be waited for by those who hear of no better
picture: beyond that a subsample is all they get."""
_MOST_LAYERS = 256
_MOST_WAYS = 1024
_A_CHANNEL = Mono(0, Cut(0.0, 1.0))


class Way(Enum):
    """What a tile is made of."""

    SOURCE = "source"
    """Exact, of the source."""
    STORE = "store"
    """Exact, of the store; a preview as long as it is not there."""
    SAMPLE = "sample"
    """A preview, and nothing better will come."""


class Ways:
    """Finds the ways of tiles, and keeps those found last.

    Parameters
    ----------
    limits : BrickLimits
        Say what is a preview where it is made of the source.
    has_store : bool
        Whether pyramids are built and kept.

    Attributes
    ----------
    source_limits : BrickLimits
        What exact bricks of the source are cut by, whatever a store could do better.
    """

    def __init__(self, limits: BrickLimits, has_store: bool) -> None:
        self._limits = limits
        self.source_limits = replace(limits, exact_read=None)
        self._has_store = has_store
        self._found: OrderedDict[tuple[str, str], dict[tuple[Any, ...], Way]] = OrderedDict()

    def of(self, request: TileRequest) -> Way:
        """Find the way of a tile, if there is such a level."""
        content, reader = request.style.content, request.layer.reader
        of_layer = self._found.get((reader.fingerprint, reader.token))
        if of_layer is None:
            of_layer = self._found[reader.fingerprint, reader.token] = {}
            if len(self._found) > _MOST_LAYERS:
                self._found.popitem(last=False)
        key = (request.level, request.settled, "" if isinstance(content, Mono) else content.text)
        way = of_layer.get(key)
        if way is None:
            if len(of_layer) == _MOST_WAYS:
                of_layer.clear()
            way = of_layer[key] = self._find(request)
        return way

    def stored_levels(self, layer: Layer) -> list[int]:
        """List the levels of a layer of which a single channel is shown from the store."""
        if not self._has_store:
            return []
        levels = range(1, level_count(layer.width, layer.height, self._limits.tile_size))
        grids = ((level, grid_of(*layer.at(level), _A_CHANNEL, self._limits)) for level in levels)
        return [level for level, grid in grids if grid.preview_read is not None]

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of what is known of files that are others now, or gone."""
        for key in [key for key in self._found if key[0] in fingerprints]:
            del self._found[key]

    def _find(self, request: TileRequest) -> Way:
        if request.level < 0:
            return Way.SOURCE  # where it is found that there is none
        reader, below = request.layer.at(request.level)
        if grid_of(reader, below, request.style.content, self._limits).preview_read is None:
            return Way.SOURCE
        if not (self._has_store and request.level):
            return Way.SAMPLE
        if not (request.settled and self._is_far(request)):
            return Way.STORE
        # Nobody who waits sees what the store will have; but a mix, which nothing else shows, is worth the wait.
        is_mix = not isinstance(request.style.content, Mono)
        at_once = is_mix and grid_of(reader, below, request.style.content, self.source_limits).preview_read is None
        return Way.SOURCE if at_once else Way.SAMPLE

    def _is_far(self, request: TileRequest) -> bool:
        """Whether too much of the source has to be read until a tile is in the store: that behind a whole shard."""
        reader, content, tile = request.layer.reader, request.style.content, self._limits.tile_size
        storage, plan = Storage.of(reader), PyramidPlan.of(reader, min(tile, LARGEST_TILE))
        if request.level > len(plan.levels):
            return True
        grid = plan.grid(request.level)
        rows = min(grid.rows << grid.level, plan.height)
        columns = min(grid.columns << grid.level, plan.width)
        groups = len(channel_groups(storage, grid.level, content.channels, tile, tile))
        read = rows * columns * storage.itemsize * storage.depth * groups
        return read > max(SETTLED_READ, self._limits.read_limit)


def grid_of(reader: Reader, below: int, content: Content, limits: BrickLimits) -> BrickGrid:
    """Cut a level into bricks of what is shown of it.

    Parameters
    ----------
    reader : Reader
        What the level is made from.
    below : int
        How many times its planes are binned for that.
    content : Content
        What is shown.
    limits : BrickLimits
        What to cut by.
    """
    storage = Storage.of(reader)
    if not isinstance(content, Mono):
        return mix_bricks_of(storage, below, content.channels, limits)
    return bricks_of(storage, below, limits)
