"""Views: how many bricks what is on a screen touches, hence what it reads, and bricks of previews cut for that."""

from __future__ import annotations

import math
from collections.abc import Iterable

VIEW_ROWS, VIEW_COLUMNS = 1200, 1920
"""Pixels of the largest view that limits are kept for."""
LEAST_READ = 2**14
"""Bytes that one read costs besides those that it gives: a small part of a seek on a disk."""


def touched(view: int, brick: int, size: int) -> int:
    """Count the bricks along an axis that a view touches at most, wherever it lies.

    Parameters
    ----------
    view, brick, size : int
        Pixels of the view, of a brick and of the level along that axis.
    """
    return min((view - 2) // brick + 2, -(-size // brick))


def bricks_in_view(rows: int, columns: int, height: int, width: int) -> int:
    """Count the bricks of `rows` × `columns` pixels that a view of a level touches at most."""
    return touched(VIEW_ROWS, rows, height) * touched(VIEW_COLUMNS, columns, width)


def preview_columns(tile: int, width: int, most: int, pixel: float) -> int:
    """Choose how wide the bricks of previews are: whole rows where few columns are read for nothing.

    Parameters
    ----------
    tile : int
        Side of a tile.
    width : int
        Pixels of the level along x.
    most : int
        Pixels that a brick may have along x; at least a tile.
    pixel : float
        Bytes of a source row behind one pixel.

    Returns
    -------
    int
        Pixels, whole tiles. A view reads least of its source, where every read costs `LEAST_READ` more than it gives.
    """

    def cost(columns: int) -> float:
        return touched(VIEW_COLUMNS, columns, width) * (min(columns, width) * pixel + LEAST_READ)

    all_tiles = -(-width // tile)
    candidates: Iterable[int] = range(1, min(math.ceil(VIEW_COLUMNS / tile) + 1, all_tiles) + 1)
    widths = [count * tile for count in {*candidates, all_tiles} if count == 1 or count * tile <= most]
    return min(widths, key=lambda columns: (cost(columns), -columns))
