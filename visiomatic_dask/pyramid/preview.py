"""Previews: a rectangle at a level from a part of its source that does not read more than it may."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.loading import Binning, bands, load_block, read_planes
from visiomatic_dask.pyramid.rebin import accumulate, finish
from visiomatic_dask.pyramid.storage import Storage
from visiomatic_dask.pyramid.tiles import Box
from visiomatic_dask.pyramid.views import LEAST_READ

_BAND = 4 * 2**20
"""Source bytes of the rows that are announced to the system together."""


def load_preview_block(
    reader: Reader, planes: tuple[int, int], level: int, box: Box, out: NDArray[np.float32], read_limit: int
) -> None:
    """Make a rectangle of some planes at a level from a subsample.

    Where rows can be read by themselves, it is some of the rows; else some of the storage chunks, each of which is
    read whole for all planes at once.

    Parameters
    ----------
    reader, planes, level, box, out
        As of `visiomatic_dask.pyramid.load_block`.
    read_limit : int
        Bytes to read at most of every plane, or of all planes that share chunks.
    """
    storage = Storage.of(reader)
    if not storage.is_chunked:
        for index, plane in enumerate(range(*planes)):
            load_preview_box(reader, plane, level, box, out[index], read_limit)
        return
    for first, last in storage.blocks(planes):
        target = out[first - planes[0] : last - planes[0]]
        _load_some_chunks(reader, storage, (first, last), level, box, target, read_limit)


def load_preview_box(
    reader: Reader, plane: int, level: int, box: Box, out: NDArray[np.float32], read_limit: int
) -> None:
    """Make a rectangle at a level from every n-th of its source rows, each read whole and averaged exactly along x.

    Rows, never columns: strided small reads fetch the same bytes from the disk at a tenth of the speed.

    Parameters
    ----------
    reader, level, box
        As of `visiomatic_dask.pyramid.load_block`.
    plane : int
        Index over all axes before y and x, flattened.
    out : ndarray of float32, (box.rows, box.columns)
        Where the pixels go.
    read_limit : int
        Bytes to read at most, but at least one row; a short row counts as `LEAST_READ`. Where that is less than a
        source row for every row of the picture, those between are interpolated.
    """
    storage = Storage.of(reader)
    source = storage.source_box(level, box)
    width = source.columns * storage.itemsize
    step = -(-source.rows // max(1, read_limit // max(width, LEAST_READ)))
    first = source.top + (step - 1) // 2 if step <= source.rows else (source.top + source.bottom) // 2
    binning = Binning(level, source, out[np.newaxis])
    rows = range(first, source.bottom, step)
    band = max(1, _BAND // width)
    for start in range(0, len(rows), band):
        part = rows[start : start + band]
        binning.add(reader, (plane, plane + 1), Box(part[0], source.left, part[-1] + 1, source.right), step)
    binning.finish()
    taken = np.zeros(box.rows, bool)
    taken[(np.asarray(rows) >> level) - box.top] = True
    if not taken.all():
        interpolate_rows(out, np.flatnonzero(taken))


def some_rows(storage: Storage, level: int, box: Box, count: int) -> range:
    """Choose source rows behind a rectangle of a level, evenly spread, in different rows of the rectangle.

    Parameters
    ----------
    storage : Storage
        The source.
    level, box
        As of `visiomatic_dask.pyramid.load_block`.
    count : int
        How many at most, but at least one.
    """
    source = storage.source_box(level, box)
    step = max(1 << level, -(-source.rows // max(1, count)))
    return range(min(source.top + step // 2, (source.top + source.bottom) // 2), source.bottom, step)


def load_some_rows(reader: Reader, plane: int, level: int, box: Box, rows: range, out: NDArray[np.float32]) -> None:
    """Load single source rows behind a rectangle at a level, each averaged along x.

    Parameters
    ----------
    reader, level, box
        As of `visiomatic_dask.pyramid.load_block`.
    plane : int
        Index over all axes before y and x, flattened.
    rows : range
        Source rows, as of `some_rows`.
    out : ndarray of float32, (rows, box.columns)
        Where they go.
    """
    source = Storage.of(reader).source_box(level, box)
    part = Box(rows[0], source.left, rows[-1] + 1, source.right)
    for _, pixels in read_planes(reader, (plane, plane + 1), part, rows.step):
        if not level:
            out[:] = pixels[0, ::-1]
            continue
        sums, counts = np.zeros(out.shape, np.float64), np.zeros(out.shape, np.int32)
        accumulate(pixels[0], level, (len(rows) - 1) << level, -(1 << level), 0, sums, counts)
        finish(sums, counts, out)


def interpolate_rows(out: NDArray[np.float32], there: NDArray[np.intp]) -> None:
    """Fill the rows between those that are there: linearly, but next to NaN as the nearer one, so that none spreads.

    Parameters
    ----------
    out : ndarray of float32, (rows, columns)
        The picture.
    there : ndarray of int, ascending
        The rows that are there.
    """
    out[: there[0]] = out[there[0]]
    out[there[-1] + 1 :] = out[there[-1]]
    for above, below in pairwise(there.tolist()):
        upper, lower = out[above], out[below]
        for row in range(above + 1, below):
            weight = np.float32((row - above) / (below - above))
            between = upper * (1 - weight) + lower * weight
            nearest = upper if 2 * row < above + below else lower
            out[row] = np.where(np.isnan(between), nearest, between)


def _load_some_chunks(
    reader: Reader,
    storage: Storage,
    planes: tuple[int, int],
    level: int,
    box: Box,
    out: NDArray[np.float32],
    read_limit: int,
) -> None:
    """Make a rectangle from chunks on a lattice; what lies between them repeats what is nearest."""
    source = storage.source_box(level, box)
    cells = chunk_lattice(storage, source, read_limit)
    if cells is None:
        load_block(reader, planes, level, box, out)
        return
    picture = Binning(level, source, out)
    taken_rows, taken_columns = np.zeros(box.rows, bool), np.zeros(box.columns, bool)
    for cell in cells:
        for band in bands(storage, planes, cell):
            picture.add(reader, planes, band)
        place = cell.within(source)
        taken_rows[place.top >> level : ((place.bottom - 1) >> level) + 1] = True
        taken_columns[place.left >> level : ((place.right - 1) >> level) + 1] = True
    picture.finish()
    out[:] = out[:, _nearest(taken_rows)[:, np.newaxis], _nearest(taken_columns)]


def chunk_lattice(storage: Storage, source: Box, read_limit: int) -> list[Box] | None:
    """Choose chunks of a rectangle that are evenly spread along both axes.

    Parameters
    ----------
    storage : Storage
        Says what the chunks are.
    source : Box
        Rectangle at full resolution.
    read_limit : int
        Bytes to read at most, but at least one chunk.

    Returns
    -------
    list of Box, or None
        The parts of the chunks that lie within the rectangle, from top to bottom; None if all can be read.
    """
    wide, left = storage.columns, 0
    if wide == 1:  # by the row, for what lies close together is fetched together
        wide, left = max(1, min(source.columns, read_limit // storage.block_nbytes)), source.left
    rows = list(_between(source.top, source.bottom, storage.rows, storage.top))
    columns = list(_between(source.left, source.right, wide, left))
    most = max(1, read_limit // (storage.block_nbytes // storage.columns * wide))
    if most >= len(rows) * len(columns):
        return None
    high = min(len(rows), most, max(1, round(math.sqrt(most * len(rows) / len(columns)))))
    across = min(len(columns), most // high)
    high = min(len(rows), most // across)
    return [
        Box(top, left, bottom, right) for top, bottom in _spread(rows, high) for left, right in _spread(columns, across)
    ]


def _between(first: int, last: int, chunk: int, offset: int) -> Iterator[tuple[int, int]]:
    """Cut a range at the boundaries between chunks."""
    while first < last:
        stop = min(last, (first - offset) // chunk * chunk + offset + chunk)
        yield first, stop
        first = stop


def _spread(ranges: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Take some of them, evenly spread."""
    return [ranges[(2 * i + 1) * len(ranges) // (2 * count)] for i in range(count)]


def _nearest(taken: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For every position the nearest one that was taken."""
    there = np.flatnonzero(taken)
    return there[np.searchsorted((there[1:] + there[:-1] + 1) // 2, np.arange(taken.size), side="right")]
