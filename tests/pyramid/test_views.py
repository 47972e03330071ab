"""What a view reads of its source: of a cube of 1 TB, at any level, counted at the calls that read the file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from tests.terabyte import MOST_BYTES, MOST_READS, SIDE, TILE, View, sparse_cube, views
from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid import (
    Box,
    BrickGrid,
    BrickLimits,
    Storage,
    TileGrid,
    bricks_of,
    load_block,
    load_preview_block,
)
from visiomatic_dask.pyramid.views import touched
from visiomatic_dask.readers import open_cube

LIMITS = BrickLimits(TILE, 8 * 2**20, 512 * 10**6, 56 * 10**6, 80 * 10**6)
TILES = TileGrid(SIDE, SIDE, TILE)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path = tmp_path_factory.mktemp("views") / "tera.fits"
    sparse_cube(path)
    yield open_cube(path).layers[0].reader
    path.unlink()


def bricks(grid: BrickGrid, view: View) -> set[Box]:
    return {grid.box(TILES.box(view.level, row, column)) for row, column in view.places}


@pytest.mark.parametrize("level", range(TILES.levels))
def test_a_view_of_a_terabyte_reads_little(reader: Reader, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it lies; exactly at full resolution, a preview at any other level."""
    reads: list[int] = []
    original = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        reads.append(original(descriptor, buffers, offset))
        return reads[-1]

    monkeypatch.setattr(os, "preadv", counted)
    grid = bricks_of(Storage.of(reader), level, LIMITS)
    assert (grid.preview_read is None) == (level == 0)
    for view in views(level):
        reads.clear()
        for box in bricks(grid, view):
            out = np.empty((1, box.rows, box.columns), np.float32)
            if grid.preview_read is None:
                load_block(reader, (7, 8), level, box, out)
            else:
                load_preview_block(reader, (7, 8), level, box, out, grid.preview_read)
        assert 10e6 < sum(reads) <= MOST_BYTES
        assert len(reads) <= MOST_READS


@pytest.mark.parametrize(
    ("view", "brick", "size"), [(1920, 256, 50_000), (1200, 256, 700), (1920, 4096, 50_000), (5, 2, 99)]
)
def test_bricks_that_a_view_can_touch(view: int, brick: int, size: int) -> None:
    most = max((min(first + view, size) - 1) // brick - first // brick + 1 for first in range(min(size, 9000)))
    assert touched(view, brick, size) == most
