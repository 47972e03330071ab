"""Collapsed bricks: a range of channels made one plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.channel_sums import Assembly, Part, count_parts, runs
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.engine.plane_brick import share_of
from visiomatic_dask.pyramid import Box, Storage, channel_groups, channel_strips, groups_cost, native_pixels
from visiomatic_dask.rendering import CollapseMethod, collapse_channel, empty_collapse, finish_collapse


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

    is_deep = False
    is_long = False

    @property
    def prefix(self) -> str:
        """``mix-combine`` where it is made of parts."""
        return "mix-partial" if self._parts == 1 else "mix-combine"

    @property
    def text(self) -> str:
        """Canonical text."""
        place = f"{self.reader.token}|{self.level}|{self.box}"
        return f"{place}|{self.method} {self.channels}|{self.preview_read}"

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return 4 * self.box.rows * self.box.columns

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return Placement(f"{self.reader.token}|{self.level}", self.stripe)

    def _groups(self) -> list[list[int]]:
        """Channels that are read together."""
        channels = range(*self.channels)
        return channel_groups(Storage.of(self.reader), self.level, channels, self.box.rows, self.box.columns)

    @property
    def _sizes(self) -> list[int]:
        return [len(group) for group in self._groups()]

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        cost = groups_cost(Storage.of(self.reader), self._groups(), self.level, self.box)
        return cost if self.preview_read is None else min(cost, self.preview_read)

    @property
    def _parts(self) -> int:
        if self.preview_read is not None:
            return 1
        return count_parts(self.read_cost, len(self._sizes), 4 * self.nbytes)

    @property
    def assembly(self) -> Assembly | None:
        """What it is put together of; None where it is made at once."""
        count, start = self._parts, self.channels[0]
        if count == 1:
            return None
        found = []
        for number, (first, last) in enumerate(runs(self._sizes, count)):
            share = replace(self, channels=(start + first, start + last), stripe=self.stripe + number)
            found.append(Part(share))
        return Assembly(tuple(found), CollapseCombination(self.method))

    def part(self, box: Box, plane: int) -> CollapseBrick:  # noqa: ARG002 - it has one plane
        """Recipe of a rectangle."""
        return replace(self, box=box, preview_read=share_of(self.preview_read, box, self.box))

    def load(self) -> NDArray[np.float32]:
        """Stream the channels into the plane."""
        return CollapseCombination(self.method).of([self.partial()])

    def partial(self) -> NDArray[np.float64]:
        """Collapse the channels, but do not divide.

        Returns
        -------
        ndarray of float64, (2, rows, columns)
            As of `visiomatic_dask.rendering.collapse_channel`.
        """
        out = empty_collapse((self.box.rows, self.box.columns), self.method)
        channels = range(*self.channels)
        for strip, stream in channel_strips(self.reader, channels, self.level, self.box, self.preview_read):
            there = out[:, strip.top : strip.bottom, strip.left : strip.right]
            for _, pixels, bottom_up in stream:
                collapse_channel(native_pixels(pixels)[:: -1 if bottom_up else 1], self.method, there)
        return out


@dataclass(frozen=True, slots=True)
class CollapseCombination:
    """How partial collapses become a brick.

    Attributes
    ----------
    method : {"max", "min", "mean", "sum"}
        What is made of the channels.
    """

    method: CollapseMethod

    def of(self, partials: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
        """Make the brick."""
        return finish_collapse(partials, self.method)[np.newaxis]
