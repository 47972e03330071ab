"""The brick loader: pixels of a source as float32, at any level, in raster orientation. The one place that flips."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.rebin import accumulate, finish
from visiomatic_dask.pyramid.storage import Storage, cuts, plane_windows
from visiomatic_dask.pyramid.tiles import Box

_BAND = 2 * 2**20
"""Source bytes in a band: one that stays in the cache between reading, swapping and summing."""
_CHUNK_BAND = 8 * 2**20
"""The same where chunks are read whole: decoding them takes longer than a cache that is missed."""


def load_block(reader: Reader, planes: tuple[int, int], level: int, box: Box, out: NDArray[np.float32]) -> None:
    """Read a rectangle of some planes at a level, streaming its source in bands so that memory stays bounded.

    Bands are cut along the storage chunks, so that each of them is read once; planes that share chunks are read
    together.

    Parameters
    ----------
    reader : Reader
        The source.
    planes : (int, int)
        First plane and one past the last, over all axes before y and x, flattened.
    level : int
        0 for full resolution.
    box : Box
        Rectangle at that level, in raster orientation.
    out : ndarray of float32, (planes, box.rows, box.columns)
        Where the pixels go.
    """
    storage = Storage.of(reader)
    source = storage.source_box(level, box)
    for part in parts_of_planes(storage, planes, level, source):
        target = out[part[0] - planes[0] : part[1] - planes[0]]
        if level:
            with_sums = Binning(level, source, target)
            for band in bands(storage, part, source):
                with_sums.add(reader, part, band)
            with_sums.finish()
        else:
            for band in bands(storage, part, source) if storage.is_chunked else [source]:
                place = band.within(source)
                for index, pixels in read_planes(reader, part, band):
                    there = target[index : index + len(pixels), place.top : place.bottom, place.left : place.right]
                    there[:] = pixels[:, ::-1]


class Binning:
    """Means over the blocks of a level, of whatever parts of the source are added.

    Parameters
    ----------
    level : int
        Blocks are ``2**level`` pixels a side.
    source : Box
        Rectangle of full resolution behind the picture.
    out : ndarray of float32, (planes, rows, columns)
        The picture.
    """

    def __init__(self, level: int, source: Box, out: NDArray[np.float32]) -> None:
        self._level = level
        self._source = source
        self._out = out
        self._sums = np.zeros(out.shape, np.float64)
        self._counts = np.zeros(out.shape, np.int32)

    def add(self, reader: Reader, planes: tuple[int, int], part: Box, step: int = 1) -> None:
        """Read a rectangle of full resolution of the planes, or every `step`-th row up from its last, and add it."""
        last_row, first_column = part.bottom - 1 - self._source.top, part.left - self._source.left
        for first, pixels in read_planes(reader, planes, part, step):
            for index, plane in enumerate(pixels, first):
                accumulate(plane, self._level, last_row, -step, first_column, self._sums[index], self._counts[index])

    def finish(self) -> None:
        """Divide; blocks without a finite pixel become NaN."""
        for sums, counts, out in zip(self._sums, self._counts, self._out, strict=True):
            finish(sums, counts, out)


def bands(storage: Storage, planes: tuple[int, int], source: Box, across: int = 1) -> Iterator[Box]:
    """Cut a rectangle of full resolution into bands from top to bottom, along the chunks it is stored in.

    A band takes a few megabytes, or a row of chunks; where that is more, parts of one, which end at multiples of
    `across` columns.
    """
    # An axis that runs faster than x is fetched whole, whatever is taken of it.
    fast = storage.rows == storage.columns == 1 and storage.depth > 1
    deep = storage.depth * storage.beside if fast else planes[1] - planes[0]
    limit, pixel = (_CHUNK_BAND if storage.is_chunked else _BAND), deep * storage.itemsize
    rows = max(storage.rows, limit // (source.columns * pixel))
    step = math.lcm(storage.columns, across)
    columns = max(step, limit // (storage.rows * pixel)) if storage.is_chunked else source.columns
    for top, bottom in cuts(source.top, source.bottom, rows, storage.rows, storage.top):
        for left, right in cuts(source.left, source.right, columns, step, 0):
            yield Box(top, left, bottom, right)


def as_float32(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Turn what a reader gave into contiguous float32, (planes, rows, columns)."""
    with np.errstate(over="ignore"):  # float64 beyond the range of float32 becomes infinite, which counts as invalid
        return np.ascontiguousarray(pixels.reshape(-1, *pixels.shape[-2:]), dtype=np.float32)


def parts_of_planes(storage: Storage, planes: tuple[int, int], level: int, source: Box) -> Iterator[tuple[int, int]]:
    """Cut a range of planes into those that are read together: whole blocks of those that share chunks."""
    if not (level or storage.is_chunked):
        yield planes
        return
    limit = _CHUNK_BAND if storage.is_chunked else _BAND
    most = max(1, limit // (source.rows * source.columns * storage.itemsize))
    first = planes[0]
    for start, stop in storage.blocks(planes):
        if stop - first > most and start > first:
            yield first, start
            first = start
    yield first, planes[1]


def read_planes(
    reader: Reader, planes: tuple[int, int], part: Box, step: int = 1
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Read a rectangle of full resolution of planes that follow one another, as float32.

    Of its rows every `step`-th, the last one among them.

    Yields
    ------
    index : int
        How many planes came before.
    pixels : ndarray of float32, (planes, rows, columns)
        Rows in the order of the file.
    """
    height, index = reader.shape[-2], 0
    y, x = range(height - part.bottom, height - part.top, step), range(part.left, part.right)
    for window in plane_windows(reader.shape, planes, y, x):
        pixels = as_float32(reader.read(window))
        yield index, pixels
        index += len(pixels)
