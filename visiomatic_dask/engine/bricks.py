"""Brick recipes: what a brick is made of. They travel to workers, and everything a brick's key says stands in them."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.pyramid import Box

BRICK_PREFIXES = ("load-brick", "mix-partial", "mix-combine", "mix-delta", "reproject-brick")
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
