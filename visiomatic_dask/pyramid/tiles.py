"""Tiles: where one lies at its level, in raster orientation (row 0 is the top of the picture)."""

from __future__ import annotations

from dataclasses import dataclass

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid.levels import level_count, level_size


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels at one level, in raster orientation.

    Attributes
    ----------
    top, left : int
        First row and column.
    bottom, right : int
        One past the last row and column.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.right - self.left

    def within(self, outer: Box) -> Box:
        """Return the same rectangle, counted from the corner of one that holds it."""
        return Box(self.top - outer.top, self.left - outer.left, self.bottom - outer.top, self.right - outer.left)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The tiles of all levels of a plane.

    Attributes
    ----------
    width, height : int
        Pixels of the plane at full resolution.
    tile_size : int
        Side of a tile.
    """

    width: int
    height: int
    tile_size: int

    @property
    def levels(self) -> int:
        """Number of levels."""
        return level_count(self.width, self.height, self.tile_size)

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of a level, in pixels."""
        return level_size(self.width, level), level_size(self.height, level)

    def count(self, level: int) -> tuple[int, int]:
        """Columns and rows of tiles at a level."""
        width, height = self.size(level)
        return -(-width // self.tile_size), -(-height // self.tile_size)

    def box(self, level: int, row: int, column: int) -> Box:
        """Where a tile lies; tiles at the right and lower edges are cropped, never padded.

        Raises
        ------
        InvalidRequest
            If there is no such level, row or column; the message says which there are.
        """
        if not 0 <= level < self.levels:
            raise InvalidRequest.value("level", level, f"0 (full resolution) to {self.levels - 1}")
        columns, rows = self.count(level)
        if not 0 <= row < rows:
            raise InvalidRequest.value("row", row, f"0 to {rows - 1} at level {level}")
        if not 0 <= column < columns:
            raise InvalidRequest.value("column", column, f"0 to {columns - 1} at level {level}")
        width, height = self.size(level)
        top, left = row * self.tile_size, column * self.tile_size
        return Box(top, left, min(top + self.tile_size, height), min(left + self.tile_size, width))
