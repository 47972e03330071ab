"""Where bricks lie in a plain FITS file: which of its bytes a viewport needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from astropy.io import fits

from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.pyramid import Box, Storage, bricks_of
from visiomatic_dask.readers import open_cube

from .served_cube import Tile


class BrickLayout:
    """The bricks at full resolution of a cube, as the server's own planner cuts them.

    Parameters
    ----------
    path : Path
        A FITS file with one uncompressed image.
    """

    def __init__(self, path: Path) -> None:
        self.layer = open_cube(path).layer()
        planner = Planner(load_settings())
        self.grid = bricks_of(Storage.of(self.layer.reader), 0, planner.limits)
        self._tiles = planner.tiles(self.layer)
        with fits.open(path) as file:
            self._offset = int(file[0].fileinfo()["datLoc"])

    def touched(self, tiles: Iterable[Tile]) -> set[Box]:
        """Bricks of a plane that tiles of full resolution are cut from."""
        return {self.grid.box(self._tiles.box(*tile)) for tile in tiles}

    def nbytes(self, bricks: Iterable[Box], channel: int) -> int:
        """Bytes of the file behind bricks of a channel (and those that share bricks with it)."""
        return sum(stop - start for box in bricks for start, stop in self.ranges(box, channel))

    def ranges(self, box: Box, channel: int) -> list[tuple[int, int]]:
        """Ranges of the file behind a brick: rows lie the other way round there, and whole rows one after another."""
        width, height, itemsize = self.layer.width, self.layer.height, self.layer.reader.source_itemsize
        found: list[tuple[int, int]] = []
        for plane in range(*self.grid.plane_range(channel, self.layer.channels)):
            for y in range(height - box.bottom, height - box.top):
                start = self._offset + ((plane * height + y) * width + box.left) * itemsize
                stop = start + box.columns * itemsize
                if found and found[-1][1] == start:
                    found[-1] = (found[-1][0], stop)
                else:
                    found.append((start, stop))
        return found
