"""Tiles that are not there are refused with what there is."""

from __future__ import annotations

import pytest

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box, TileGrid


@pytest.mark.parametrize(
    ("level", "row", "column", "message"),
    [
        (4, 0, 0, r"level is '4'; allowed: 0 \(full resolution\) to 3"),
        (-1, 0, 0, "level is '-1'"),
        (0, 3, 0, "row is '3'; allowed: 0 to 2 at level 0"),
        (0, -1, 0, "row is '-1'"),
        (0, 0, 8, "column is '8'; allowed: 0 to 7 at level 0"),
        (1, 0, 4, "column is '4'; allowed: 0 to 3 at level 1"),
        (0, 0, -1, "column is '-1'"),
    ],
)
def test_no_such_tile(level: int, row: int, column: int, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        TileGrid(2000, 700, 256).box(level, row, column)


def test_edge_tiles_are_cropped() -> None:
    grid = TileGrid(2000, 700, 256)
    assert grid.levels == 4
    assert grid.box(0, 2, 7) == Box(512, 1792, 700, 2000)
    assert grid.box(3, 0, 0) == Box(0, 0, 88, 250)


def test_box_within_another() -> None:
    assert Box(10, 20, 13, 27).within(Box(5, 20, 50, 60)) == Box(5, 0, 8, 7)
    assert (Box(10, 20, 13, 27).rows, Box(10, 20, 13, 27).columns) == (3, 7)
