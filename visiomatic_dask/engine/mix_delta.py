"""Mixes that differ in a few channels from one that is in memory: the difference is computed, not the sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from distributed import get_worker
from numpy.typing import NDArray

from visiomatic_dask.engine.bricks import Brick, BrickRecipe
from visiomatic_dask.engine.draft_recipe import DraftRecipe
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.engine.worker_memory import in_memory
from visiomatic_dask.pyramid import Box, Storage, channel_groups, channel_strips, groups_cost, native_pixels
from visiomatic_dask.rendering import ChannelChange, absolute_weights, change_mix, changes_between

MOST_CHANGES = 8
"""Channels in which two mixes may differ."""
_CHEAPER = 20
"""A difference is worth its rounding where it reads so many times less than the sum."""


@dataclass(frozen=True, slots=True)
class MixDelta(DraftRecipe):
    """A mix made of a full one. The task looks for that in its worker's memory, and sums all channels where it is not.

    Attributes
    ----------
    full : MixBrick
        What is wanted.
    base_key : str
        Key of a full mix of the same rectangle; never of another difference, so that rounding does not add up.
    base_weights : tuple of float
        Its `visiomatic_dask.rendering.absolute_weights`.
    changes : tuple of ChannelChange
        In what the two differ.
    worker : str or None
        Address of a worker that holds the base.
    """

    full: MixBrick
    base_key: str
    base_weights: tuple[float, float, float]
    changes: tuple[ChannelChange, ...]
    worker: str | None = None

    prefix = "mix-delta"

    @classmethod
    def between(cls, base: Brick, full: MixBrick, cost: int, worker: str | None = None) -> MixDelta | None:
        """Make the recipe of a mix from another of the same rectangle; None where it is not much cheaper than the sum.

        Parameters
        ----------
        base : Brick
            What is there: a full mix.
        full : MixBrick
            What is wanted.
        cost : int
            What the sum reads.
        worker : str, optional
            Holds the base.
        """
        assert isinstance(base.recipe, MixBrick)
        there = base.recipe.mix
        changes = changes_between(there, full.mix, MOST_CHANGES)
        if changes is None:
            return None
        delta = cls(full, base.key, absolute_weights(there), changes, worker)
        return delta if delta.read_cost * _CHEAPER <= cost else None

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.full.text}|{self.base_key}"

    @property
    def placement(self) -> Placement:
        """The worker that holds the base, else that which would."""
        return self.full.placement._replace(holder=self.worker)

    @property
    def _groups(self) -> list[list[int]]:
        channels = [change.channel for change in self.changes]
        return channel_groups(Storage.of(self.reader), self.full.level, channels, self.box.rows, self.box.columns)

    @property
    def read_cost(self) -> int:
        """Bytes read of the source, where the base is there."""
        return groups_cost(Storage.of(self.reader), self._groups, self.full.level, self.box)

    def part(self, box: Box, plane: int) -> BrickRecipe:
        """Recipe of a rectangle, for a worker that does not hold the brick, hence not the base either: a sum."""
        return self.full.part(box, plane)

    def load(self) -> NDArray[np.float32]:
        """Add the difference to a copy of the base."""
        base = _base(self.base_key)
        return self.full.load() if base is None else self.added_to(base)

    def added_to(self, base: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make the brick of its base, which is left as it is."""
        of_channel = {change.channel: change for change in self.changes}
        old, new = self.base_weights, absolute_weights(self.full.mix)
        made = np.empty_like(base)
        for strip, channels in channel_strips(self.reader, tuple(of_channel), self.full.level, self.box):
            place = np.s_[:, strip.top : strip.bottom, strip.left : strip.right]
            read = (
                (of_channel[channel], native_pixels(pixels)[:: -1 if bottom_up else 1])
                for channel, pixels, bottom_up in channels
            )
            made[place] = change_mix(base[place], read, old, new)
        return made


def _base(key: str) -> NDArray[np.float32] | None:
    """Find a brick in the memory of the worker that this runs on; None elsewhere."""
    try:
        worker = get_worker()
    except ValueError:  # this is no task
        return None
    return in_memory(worker).get(key)
