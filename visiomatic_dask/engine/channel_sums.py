"""What can be summed in parts: bricks of many channels, shared among tasks that read some of the channels each.

A brick that reads much of its source would keep one thread busy for long, while others have nothing to do. So it is the
result of a small graph: parts, each of which streams its channels and gives partial sums, and one task that puts those
together. How a brick is cut into parts follows from its recipe alone, so all front ends make the same graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.pyramid import MIX_READ

_MOST_PARTS = 16
_TOGETHER = 48 * 2**20
"""Bytes of partial sums that come together on the worker that puts a brick together."""


class Divisible(Protocol):
    """A brick of channels that can be added up in parts. Frozen, hashable, picklable."""

    @property
    def text(self) -> str:
        """Canonical text of everything it depends on."""
        ...

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        ...

    def partial(self) -> NDArray[Any]:
        """Make what can be put together with that of other channels: (sums, rows, columns)."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """Some channels of a brick.

    Attributes
    ----------
    brick : Divisible
        The brick, with no other channels than these.
    """

    brick: Divisible

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"partial|{self.brick.text}"

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return self.brick.placement

    def load(self) -> NDArray[Any]:
        """Make its partial sums."""
        return self.brick.partial()


class Combination(Protocol):
    """How a brick is made of its parts. Picklable and small."""

    def of(self, partials: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Make the brick; the partial sums are those of all parts, in their order, and stay as they are."""
        ...


@dataclass(frozen=True, slots=True)
class Assembly:
    """A brick as a graph.

    Attributes
    ----------
    parts : tuple of Part
        One task each.
    combination : Combination
        The task that depends on all of them.
    """

    parts: tuple[Part, ...]
    combination: Combination


def count_parts(read_cost: int, groups: int, nbytes: int) -> int:
    """Count the parts of a brick.

    Parameters
    ----------
    read_cost : int
        Bytes that the brick reads of its source.
    groups : int
        Groups of channels that are read together, which are not cut.
    nbytes : int
        Bytes of the partial sums of a part.
    """
    most = max(2, min(_MOST_PARTS, _TOGETHER // nbytes))
    return max(1, min(-(-read_cost // MIX_READ), groups, most))


def runs(sizes: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Cut groups of these sizes into as many runs of about as many groups: first member of each, one past the last."""
    edges = [round(len(sizes) * number / count) for number in range(count + 1)]
    members = np.concatenate([[0], np.cumsum(sizes)])
    return [(int(members[first]), int(members[last])) for first, last in pairwise(edges)]
