"""Which parts of which chunks a window is made of: a plan, without any I/O."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from visiomatic_dask.cube import Window


@dataclass(frozen=True, slots=True)
class ChunkPart:
    """What a window takes of one chunk.

    Attributes
    ----------
    index : tuple of int
        Number of the chunk along every axis.
    within : tuple of slice
        The pixels that are taken, counted from the start of the chunk.
    target : tuple of slice
        Where they go in an array of the window's shape.
    """

    index: tuple[int, ...]
    within: tuple[slice, ...]
    target: tuple[slice, ...]


def chunk_parts(chunks: tuple[int, ...], window: Window) -> Iterator[ChunkPart]:
    """List the parts that give a window, chunk by chunk in C order; chunks that a step leaps over are left out.

    Parameters
    ----------
    chunks : tuple of int
        Shape of a chunk; the first starts at index 0 of every axis.
    window : Window
        Which pixels.
    """
    along = [list(_along(size, indices)) for size, indices in zip(chunks, window.ranges, strict=True)]
    for axes in itertools.product(*along):
        yield ChunkPart(*(tuple(one) for one in zip(*axes, strict=True)))


def count_chunks(chunks: tuple[int, ...], window: Window) -> int:
    """Count the chunks that a window is made of, without listing them."""
    count = 1
    for size, indices in zip(chunks, window.ranges, strict=True):
        if not indices:
            return 0
        # Steps longer than a chunk touch a chunk each.
        count *= min(len(indices), indices[-1] // size - indices[0] // size + 1)
    return count


def _along(size: int, indices: range) -> Iterator[tuple[int, slice, slice]]:
    """Chunk number, slice within the chunk and slice of the target, along one axis."""
    taken = 0
    while taken < len(indices):
        first = indices[taken]
        number = first // size
        # How many of the indices from here on lie before the chunk's end.
        count = min(-((first - (number + 1) * size) // indices.step), len(indices) - taken)
        last = indices[taken + count - 1]
        origin = number * size
        yield number, slice(first - origin, last - origin + 1, indices.step), slice(taken, taken + count)
        taken += count
