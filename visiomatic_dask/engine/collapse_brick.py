"""Collapsed bricks: a range of channels made one plane."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.engine.plane_brick import load, share_of
from visiomatic_dask.pyramid import Box, Storage, mix_groups
from visiomatic_dask.rendering import CollapseMethod


@dataclass(frozen=True, slots=True)
class CollapseBrick:
    """The largest, smallest, mean or sum of a range of channels over one rectangle: one plane.

    NaN where no channel is finite.

    Attributes
    ----------
    reader, level, box
        As of `PlaneBrick`.
    channels : (int, int)
        First channel and one past the last.
    method : {"max", "min", "mean", "sum"}
        What is made of them.
    preview_read : int or None
        For a subsample: bytes to read over all channels.
    stripe : int
        As of `PlaneBrick`.
    """

    reader: Reader
    level: int
    box: Box
    channels: tuple[int, int]
    method: CollapseMethod
    preview_read: int | None = None
    stripe: int = 0

    prefix = "mix-partial"
    is_deep = False

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.reader.token}|{self.level}|{self.box}|{self.method} {self.channels}|{self.preview_read}"

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return 4 * self.box.rows * self.box.columns

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return Placement(f"{self.reader.token}|{self.level}", self.stripe)

    @property
    def _groups(self) -> list[list[int]]:
        """Channels that are read together."""
        return mix_groups(Storage.of(self.reader), self.level, range(*self.channels), self.box.rows * self.box.columns)

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        storage = Storage.of(self.reader)
        cost = sum(storage.cost((group[0], group[-1] + 1), self.level, self.box) for group in self._groups)
        return cost if self.preview_read is None else min(cost, self.preview_read)

    def part(self, box: Box, plane: int) -> CollapseBrick:  # noqa: ARG002 - it has one plane
        """Recipe of a rectangle."""
        return replace(self, box=box, preview_read=share_of(self.preview_read, box, self.box))

    def load(self) -> NDArray[np.float32]:
        """Stream the channels into the plane."""
        groups, shape = self._groups, (self.box.rows, self.box.columns)
        share = None if self.preview_read is None else max(1, self.preview_read // len(groups))
        total, count = np.zeros(shape, np.float64), np.zeros(shape, np.int32)
        extreme = np.full(shape, np.nan, np.float32)
        for group in groups:
            planes = np.empty((len(group), *shape), np.float32)
            load(self.reader, (group[0], group[-1] + 1), self.level, self.box, planes, share)
            for plane in planes:
                finite = np.isfinite(plane)
                if self.method in ("mean", "sum"):
                    total[finite] += plane[finite]
                    count += finite
                else:
                    plane[~finite] = np.nan
                    (np.fmax if self.method == "max" else np.fmin)(extreme, plane, out=extreme)
        if self.method in ("max", "min"):
            return extreme[np.newaxis]
        with np.errstate(invalid="ignore", divide="ignore"):
            result = total / count if self.method == "mean" else np.where(count > 0, total, np.nan)
        return result.astype(np.float32)[np.newaxis]
