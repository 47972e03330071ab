"""Whether a layer is in need of a pyramid. Pure arithmetic."""

from __future__ import annotations

from visiomatic_dask.cube import Layer
from visiomatic_dask.pyramid.levels import level_count
from visiomatic_dask.pyramid.storage import Storage


def needs_pyramid(layer: Layer, tile_size: int, exact_read: int) -> bool:
    """Whether a pyramid would be of use.

    Not where a tile holds a plane; nor where the source has levels of its own, and any tile of any level can be made
    from them reading little. They are used then, not built again.

    Parameters
    ----------
    layer : Layer
        Which.
    tile_size : int
        Side of a tile.
    exact_read : int
        Bytes that may be read for a tile: ``visiomatic.exact-read``.
    """
    levels = level_count(layer.width, layer.height, tile_size)
    if not layer.levels:
        return levels > 1
    return any(_cost(layer, level, tile_size) > exact_read for level in range(1, levels))


def _cost(layer: Layer, level: int, tile_size: int) -> int:
    reader, binned = layer.at(level)
    return Storage.of(reader).most_cost(tile_size, tile_size, binned)
