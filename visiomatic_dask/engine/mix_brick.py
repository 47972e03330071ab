"""Mixed bricks: the weighted sums of channels in red, green and blue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.engine.plane_brick import load, share_of
from visiomatic_dask.pyramid import Box, Storage, mix_groups
from visiomatic_dask.rendering import Mix, add_channel


@dataclass(frozen=True, slots=True)
class MixBrick:
    """The weighted sum of channels in red, green and blue, over one rectangle: three planes.

    Attributes
    ----------
    reader, level, box
        As of `PlaneBrick`.
    mix : Mix
        Channels, cuts and weights.
    preview_read : int or None
        For a subsample: bytes to read over all channels.
    stripe : int
        As of `PlaneBrick`.
    """

    reader: Reader
    level: int
    box: Box
    mix: Mix
    preview_read: int | None = None
    stripe: int = 0

    prefix = "mix-partial"
    is_deep = False

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.reader.token}|{self.level}|{self.box}|{self.mix.text}|{self.preview_read}"

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return 12 * self.box.rows * self.box.columns

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return Placement(f"{self.reader.token}|{self.level}", self.stripe)

    @property
    def _groups(self) -> list[list[int]]:
        """Channels that are read together."""
        pixels = self.box.rows * self.box.columns
        return mix_groups(Storage.of(self.reader), self.level, self.mix.channels, pixels)

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        storage = Storage.of(self.reader)
        cost = sum(storage.cost((group[0], group[-1] + 1), self.level, self.box) for group in self._groups)
        return cost if self.preview_read is None else min(cost, self.preview_read)

    def part(self, box: Box, plane: int) -> MixBrick:  # noqa: ARG002 - a mix has no planes to choose from
        """Recipe of a rectangle."""
        return replace(self, box=box, preview_read=share_of(self.preview_read, box, self.box))

    def load(self) -> NDArray[np.float32]:
        """Stream the channels, those that share chunks together and else one at a time, into the three planes."""
        shape, groups = (self.box.rows, self.box.columns), self._groups
        share = None if self.preview_read is None else max(1, self.preview_read // len(groups))
        parts = {
            channel: (low, factors)
            for channel, (low, _), factors in zip(
                self.mix.channels, self.mix.cuts.tolist(), self.mix.factors.tolist(), strict=True
            )
            if any(factors)
        }
        mixed = np.zeros((3, *shape), np.float32)
        buffer = np.empty((max(group[-1] + 1 - group[0] for group in groups), *shape), np.float32)
        for group in groups:
            wanted = [channel for channel in group if channel in parts]
            if not wanted:
                continue
            first, last = wanted[0], wanted[-1] + 1
            load(self.reader, (first, last), self.level, self.box, buffer[: last - first], share)
            for channel in wanted:
                low, factors = parts[channel]
                add_channel(buffer[channel - first], low, *factors, mixed)
        return mixed
