"""Whether pixels along channels are read faster from a spectral copy than from the source. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.store.spectral_plan import SpectralPlan

_READ = 128 * 1024
"""Bytes that take as long as it takes to begin a read."""
_PIECE = 64
"""Points of a line that are read together where there are no chunks."""


def better_for(
    source: Reader,
    copy: Reader,
    planes: Sequence[int] | None,
    start: tuple[int, int],
    stop: tuple[int, int],
) -> bool:
    """Whether the pixels of some planes along a line are better read from a spectral copy.

    Parameters
    ----------
    source, copy : Reader
        The layer, and its spectral copy.
    planes : sequence of int or None
        Over all axes before y and x, flattened; None for all.
    start, stop : (int, int)
        x and y of the ends of the line; of a single pixel both are it.
    """
    wide, high = abs(stop[0] - start[0]) + 1, abs(stop[1] - start[1]) + 1
    return reading_cost(copy, planes, wide, high, 2) < reading_cost(source, planes, wide, high)


def is_worthwhile(reader: Reader) -> bool:
    """Whether spectra would be read faster from a spectral copy of a layer than from the layer as it is stored."""
    plan = SpectralPlan.of(reader)
    return _cost(plan.shape, plan.chunk, plan.itemsize, None, 1, 1, 2) < reading_cost(reader, None, 1, 1)


def reading_cost(reader: Reader, planes: Sequence[int] | None, wide: int, high: int, reads: int = 1) -> int:
    """Estimate what it costs to read a line of some planes, in bytes; every read counts as so many of them.

    Parameters
    ----------
    reader : Reader
        What is read.
    planes : sequence of int or None
        Which; None for all.
    wide, high : int
        Pixels along x and y, from one end of the line to the other.
    reads : int
        That a chunk takes: more where it has to be looked up.
    """
    return _cost(reader.shape, reader.chunks, reader.source_itemsize, planes, wide, high, reads)


def _cost(
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    itemsize: int,
    planes: Sequence[int] | None,
    wide: int,
    high: int,
    reads: int,
) -> int:
    leading, (height, width) = shape[:-2], shape[-2:]
    *deep, rows, columns = map(min, chunk, shape)
    count = math.prod(leading)
    inside = None if planes is None else np.array([one for one in planes if 0 <= one < count], np.int64)
    if max(chunk) == 1:
        runs = (count if inside is None else inside.size) * max(min(high, height), -(-min(wide, width) // _PIECE))
        return runs * (_READ + min(wide, _PIECE) * itemsize)
    if inside is None:
        blocks = math.prod(-(-size // part) for size, part in zip(leading, deep, strict=True))
    elif leading:
        at = np.stack(np.unravel_index(inside, leading), axis=1) // np.array(deep)
        blocks = len(np.unique(at, axis=0))
    else:
        blocks = min(1, inside.size)
    chunks = blocks * (1 + (min(wide, width) - 1) // columns + (min(high, height) - 1) // rows)
    return chunks * (reads * _READ + math.prod(deep) * rows * columns * itemsize)
