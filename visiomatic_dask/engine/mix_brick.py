"""Mixed bricks: the weighted sums of channels in red, green and blue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.channel_sums import Assembly, Part, count_parts, runs
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.engine.plane_brick import share_of
from visiomatic_dask.pyramid import Box, Storage, channel_groups, channel_strips, groups_cost
from visiomatic_dask.rendering import Mix, MixSums, absolute_weights, add_partial, channel_terms, finish_mix

_MOST_CARRIED = 64
"""Channels of a mix whose recipe travels with every tile: three kilobytes."""


@dataclass(frozen=True, slots=True)
class MixBrick:
    """The weighted sum of channels in red, green and blue, over one rectangle: three planes.

    Where the sums are divided by the weights of what is finite, three more: those weights.

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

    is_deep = False

    @property
    def prefix(self) -> str:
        """``mix-combine`` where it is made of parts."""
        return "mix-partial" if self._parts == 1 else "mix-combine"

    @property
    def text(self) -> str:
        """Canonical text."""
        place = f"{self.reader.token}|{self.level}|{self.box}"
        return f"{place}|{self.mix.text}|{self.preview_read}"

    @property
    def is_long(self) -> bool:
        """Whether it is more than every tile can carry along."""
        return len(self.mix.channels) > _MOST_CARRIED

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return (24 if self.mix.nan == "renormalise" else 12) * self.box.rows * self.box.columns

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return Placement(f"{self.reader.token}|{self.level}", self.stripe)

    @property
    def _weighty(self) -> NDArray[np.intp]:
        """Which of the channels have a weight: the others are not read."""
        return np.flatnonzero(self.mix.weights.any(axis=1))

    @property
    def _weighty_channels(self) -> list[int]:
        return [self.mix.channels[index] for index in self._weighty.tolist()]

    @property
    def _sizes(self) -> list[int]:
        """Numbers of channels that are read together."""
        storage = Storage.of(self.reader)
        if not storage.is_chunked:
            return [1] * len(self._weighty)
        rows, columns = self.box.rows, self.box.columns
        return [len(one) for one in channel_groups(storage, self.level, self._weighty_channels, rows, columns)]

    @property
    def _whole_cost(self) -> int:
        """Bytes read of the source, were it no subsample."""
        storage = Storage.of(self.reader)
        if not storage.is_chunked:  # without a list of thousands of channels
            return len(self._weighty) * storage.cost((0, 1), self.level, self.box)
        groups = channel_groups(storage, self.level, self._weighty_channels, self.box.rows, self.box.columns)
        return groups_cost(storage, groups, self.level, self.box)

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        return self._whole_cost if self.preview_read is None else min(self._whole_cost, self.preview_read)

    @property
    def _parts(self) -> int:
        return 1 if self.preview_read is not None else count_parts(self._whole_cost, len(self._sizes), self.nbytes)

    @property
    def assembly(self) -> Assembly | None:
        """What it is put together of; None where it is made at once."""
        count = self._parts
        if count == 1:
            return None
        mix, weighty = self.mix, self._weighty
        found = []
        for number, (first, last) in enumerate(runs(self._sizes, count)):
            some = weighty[first:last]
            share = Mix([mix.channels[index] for index in some.tolist()], mix.cuts[some], mix.weights[some], mix.nan)
            found.append(Part(replace(self, mix=share, stripe=self.stripe + number)))
        return Assembly(tuple(found), MixCombination(self._total))

    @property
    def _total(self) -> tuple[float, ...] | None:
        return absolute_weights(self.mix) if self.mix.nan == "renormalise" else None

    def part(self, box: Box, plane: int) -> MixBrick:  # noqa: ARG002 - a mix has no planes to choose from
        """Recipe of a rectangle."""
        return replace(self, box=box, preview_read=share_of(self.preview_read, box, self.box))

    def load(self) -> NDArray[np.float32]:
        """Stream the channels, those that share chunks together and else one at a time, into the planes."""
        mixed = self.partial()
        finish_mix(mixed, self._total)
        return mixed

    def partial(self) -> NDArray[np.float32]:
        """Sum the channels; see `visiomatic_dask.rendering.MixSums.write`."""
        by_weight = self.mix.nan == "renormalise"
        out = np.empty((6 if by_weight else 3, self.box.rows, self.box.columns), np.float32)
        terms, weighty = channel_terms(self.mix), self._weighty_channels
        for strip, channels in channel_strips(self.reader, weighty, self.level, self.box, self.preview_read):
            sums = MixSums(strip.rows, strip.columns, by_weight)
            for channel, pixels, bottom_up in channels:
                sums.add(pixels, *terms[channel], bottom_up)
            sums.write(out[:, strip.top : strip.bottom, strip.left : strip.right])
        return out


@dataclass(frozen=True, slots=True)
class MixCombination:
    """How partial sums of a mix become a brick.

    Attributes
    ----------
    total : tuple of 3 floats or None
        As of `visiomatic_dask.rendering.finish_mix`.
    """

    total: tuple[float, ...] | None

    def of(self, partials: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Make the brick."""
        return add_partial(partials, self.total)
