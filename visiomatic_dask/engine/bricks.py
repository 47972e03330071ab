"""Brick recipes: what a brick is made of. They travel to workers, and everything a brick's key says stands in them."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.pyramid import Box, Storage, load_block, load_preview_block, mix_groups
from visiomatic_dask.rendering import Mix, Style, add_channel

_PLANE_PREFIX, _MIX_PREFIX = "load-brick", "mix-partial"
BRICK_PREFIXES = (_PLANE_PREFIX, _MIX_PREFIX)
"""What the keys of bricks begin with: the names that the dashboard shows for their tasks."""


class BrickRecipe(Protocol):
    """How to make a brick from its source. Frozen, hashable, picklable."""

    @property
    def reader(self) -> Reader:
        """The layer whose pixels it is made of."""
        ...

    @property
    def prefix(self) -> str:
        """Name of the kind of task, as the dashboard shows it."""
        ...

    @property
    def text(self) -> str:
        """Canonical text of everything the brick depends on."""
        ...

    @property
    def box(self) -> Box:
        """Rectangle at its level, in raster orientation."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        ...

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        ...

    @property
    def is_deep(self) -> bool:
        """Whether it holds several channels that one can step through."""
        ...

    def part(self, box: Box, plane: int) -> BrickRecipe:
        """Recipe of a rectangle of one plane (counted from the brick's first): what a single tile needs."""
        ...

    @property
    def read_cost(self) -> int:
        """Bytes that making it reads of the source."""
        ...

    def load(self) -> NDArray[np.float32]:
        """Make the brick: float32, (planes, rows, columns)."""
        ...


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

    prefix = _PLANE_PREFIX

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
        return replace(self, planes=(first, first + 1), box=box, preview_read=_share(self.preview_read, box, self.box))

    def load(self) -> NDArray[np.float32]:
        """Make the brick."""
        out = np.empty((self.planes[1] - self.planes[0], self.box.rows, self.box.columns), np.float32)
        _load(self.reader, self.planes, self.level, self.box, out, self.preview_read)
        return out


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

    prefix = _MIX_PREFIX
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
        return replace(self, box=box, preview_read=_share(self.preview_read, box, self.box))

    def load(self) -> NDArray[np.float32]:
        """Stream the channels, those that share chunks together and else one at a time, into the three planes."""
        shape, groups = (self.box.rows, self.box.columns), self._groups
        share = None if self.preview_read is None else max(1, self.preview_read // len(groups))
        parts = {
            channel: (cut, weights)
            for channel, cut, weights in zip(self.mix.channels, self.mix.cuts, self.mix.weights, strict=True)
            if any(weights)
        }
        mixed = np.zeros((3, *shape), np.float32)
        buffer = np.empty((max(group[-1] + 1 - group[0] for group in groups), *shape), np.float32)
        for group in groups:
            wanted = [channel for channel in group if channel in parts]
            if not wanted:
                continue
            first, last = wanted[0], wanted[-1] + 1
            _load(self.reader, (first, last), self.level, self.box, buffer[: last - first], share)
            for channel in wanted:
                cut, weights = parts[channel]
                red, green, blue = (weight / (cut.high - cut.low) for weight in weights)
                add_channel(buffer[channel - first], cut.low, red, green, blue, mixed)
        return mixed


@dataclass(frozen=True)
class Brick:
    """A recipe with what the front end needs of it again and again, computed once.

    Attributes
    ----------
    recipe : BrickRecipe
        How it is made.
    """

    recipe: BrickRecipe

    @cached_property
    def key(self) -> str:
        """Key of its Dask task: two front ends that need the same brick share one task."""
        digest = hashlib.blake2b(self.recipe.text.encode(), digest_size=16).hexdigest()
        return f"{self.recipe.prefix}-{digest}"

    @cached_property
    def pickled(self) -> bytes:
        """The recipe as it travels with every tile, for a worker that does not hold the brick."""
        return pickle.dumps(self.recipe)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return self.recipe.nbytes


def region_costs(reader: Reader, level: int, box: Box, style: Style) -> tuple[int, int]:
    """Bytes that a rectangle reads of its source, and bytes that the coarsest subsample of it reads.

    Parameters
    ----------
    reader, level, box
        As of `PlaneBrick`.
    style : Style
        Says which channels.
    """
    storage, content = Storage.of(reader), style.content
    channels = content.channels if isinstance(content, Mix) else (content.channel,)
    groups = storage.groups(channels, storage.depth)
    whole = sum(storage.cost((group[0], group[-1] + 1), level, box) for group in groups)
    # A subsample may repeat a row, or a chunk, as often as pixels are binned; coarser than that it would show nothing.
    return whole, min(whole, max(whole >> 2 * level, len(groups) * storage.block_nbytes))


def _share(preview_read: int | None, part: Box, whole: Box) -> int | None:
    """Find what a part of a subsample may read of what the whole may: that of the same rows."""
    if preview_read is None:
        return None
    return max(1, preview_read * part.rows * part.columns // (whole.rows * whole.columns))


def _load(
    reader: Reader, planes: tuple[int, int], level: int, box: Box, out: NDArray[np.float32], preview_read: int | None
) -> None:
    if preview_read is None:
        load_block(reader, planes, level, box, out)
    else:
        load_preview_block(reader, planes, level, box, out, preview_read)
