"""Bricks of planes: a block of one or several channels of a layer, as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.pyramid import Box, Storage, load_block, load_preview_block


@dataclass(frozen=True, slots=True)
class PlaneBrick:
    """A block of one or several planes of a layer, at one level.

    Attributes
    ----------
    reader : Reader
        The layer, or a coarser version of it that the source holds.
    level : int
        How many times its planes are binned: the level of the layer less that of the version.
    planes : (int, int)
        First plane and one past the last.
    box : Box
        Rectangle at that level.
    preview_read : int or None
        For a subsample: bytes to read of each plane, or of all those that share chunks. None for exact bricks.
    stripe : int
        Its number among its neighbours, for the placement.
    """

    reader: Reader
    level: int
    planes: tuple[int, int]
    box: Box
    preview_read: int | None = None
    stripe: int = 0

    prefix = "load-brick"
    assembly = None
    is_long = False

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.reader.token}|{self.level}|{self.planes}|{self.box}|{self.preview_read}"

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return 4 * (self.planes[1] - self.planes[0]) * self.box.rows * self.box.columns

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return Placement(f"{self.reader.token}|{self.level}", self.stripe)

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        storage = Storage.of(self.reader)
        cost = storage.cost(self.planes, self.level, self.box)
        if self.preview_read is None:
            return cost
        return min(cost, len(list(storage.blocks(self.planes))) * self.preview_read)

    @property
    def is_deep(self) -> bool:
        """Whether it holds several channels."""
        return self.planes[1] - self.planes[0] > 1

    def part(self, box: Box, plane: int) -> PlaneBrick:
        """Recipe of a rectangle of one plane."""
        first = self.planes[0] + plane
        return replace(
            self, planes=(first, first + 1), box=box, preview_read=share_of(self.preview_read, box, self.box)
        )

    def load(self) -> NDArray[np.float32]:
        """Make the brick."""
        out = np.empty((self.planes[1] - self.planes[0], self.box.rows, self.box.columns), np.float32)
        load(self.reader, self.planes, self.level, self.box, out, self.preview_read)
        return out


def share_of(preview_read: int | None, part: Box, whole: Box) -> int | None:
    """Find what a part of a subsample may read of what the whole may: that of the same rows."""
    if preview_read is None:
        return None
    return max(1, preview_read * part.rows * part.columns // (whole.rows * whole.columns))


def load(
    reader: Reader, planes: tuple[int, int], level: int, box: Box, out: NDArray[np.float32], preview_read: int | None
) -> None:
    """Load a rectangle of some planes, or a subsample of it; parameters as of `visiomatic_dask.pyramid`."""
    if preview_read is None:
        load_block(reader, planes, level, box, out)
    else:
        load_preview_block(reader, planes, level, box, out, preview_read)
