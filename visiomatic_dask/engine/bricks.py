"""Brick recipes: what a brick is made of. They travel to workers, and everything a brick's key says stands in them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.channel_sums import Assembly, Part
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.pyramid import Box

BRICK_PREFIXES = ("load-brick", "mix-partial", "mix-combine", "mix-delta", "reproject-brick")
"""What the keys of bricks begin with: the names that the dashboard shows for their tasks."""
_DEAR = 2**27
"""Bytes that are read for a brick whose task is not left to itself when nobody waits for it."""


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

    @property
    def is_long(self) -> bool:
        """Whether it is more than every tile can carry along."""
        ...

    def part(self, box: Box, plane: int) -> BrickRecipe:
        """Recipe of a rectangle of one plane (counted from the brick's first): what a single tile needs."""
        ...

    @property
    def read_cost(self) -> int:
        """Bytes that making it reads of the source."""
        ...

    @property
    def assembly(self) -> Assembly | None:
        """What it is put together of, where several tasks had better share the work; None where one task makes it."""
        ...

    def load(self) -> NDArray[np.float32]:
        """Make the brick: float32, (planes, rows, columns)."""
        ...


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
        return f"{self.recipe.prefix}-{digest(self.recipe.text)}"

    @cached_property
    def pickled(self) -> bytes:
        """The recipe as it travels with every tile, for a worker that does not hold the brick.

        Empty where that would be much for a tile to carry: where a mix has many channels.
        """
        return b"" if self.recipe.is_long else pickle.dumps(self.recipe)

    @cached_property
    def is_dear(self) -> bool:
        """Whether making it is worth stopping when nobody wants it any more."""
        return self.read_cost >= _DEAR

    @cached_property
    def assembly(self) -> Assembly | None:
        """What it is put together of, if it is."""
        return self.recipe.assembly

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return self.recipe.nbytes

    @cached_property
    def read_cost(self) -> int:
        """Bytes that making it reads of the source."""
        return self.recipe.read_cost


def part_key(part: Part) -> str:
    """Key of the task that makes a part of a brick: bricks that need the same part share it."""
    return f"mix-partial-{digest(part.text)}"
