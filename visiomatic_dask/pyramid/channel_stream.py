"""Channels one after the other through a small buffer: how what is made of many of them is read.

A rectangle is gone through in strips. The sums of a strip stay in the processor's cache while all channels are added to
them; and where channels share storage chunks, a strip is so small that all of those fit into the buffer, so that no
chunk is decoded twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, read_bits
from visiomatic_dask.pyramid.loading import as_float32, load_block
from visiomatic_dask.pyramid.preview import load_preview_block
from visiomatic_dask.pyramid.storage import Storage, cuts, plane_windows
from visiomatic_dask.pyramid.tiles import Box

BUFFER = 16 * 2**20
"""Bytes of the channels that are read together, because they share chunks."""
_STRIP = 2**20
"""Bytes of a channel in a strip of a row-major source: many enough to be worth a read of their own."""

Channel = tuple[int, NDArray[np.float32] | NDArray[np.uint32], bool]
"""Its number; its pixels, (rows, columns), as uint32 those of `visiomatic_dask.cube.read_bits`; whether the first row
is the lowest of the picture."""


def strip_shape(storage: Storage, level: int, rows: int, columns: int) -> tuple[int, int]:
    """Find the rows and columns of the strips of a rectangle of a level.

    Parameters
    ----------
    storage : Storage
        The source.
    level : int
        The level.
    rows, columns : int
        Pixels of the rectangle.
    """
    if not storage.is_chunked:
        return max(1, min(rows, _STRIP // (4 * columns))), columns
    unit_rows, unit_columns = (side // math.gcd(side, 1 << level) for side in (storage.rows, storage.columns))
    most = max(1, BUFFER // (storage.depth * _pixel(level)))
    columns = min(columns, max(unit_columns, most // min(rows, unit_rows) // unit_columns * unit_columns))
    return min(rows, max(unit_rows, most // columns // unit_rows * unit_rows)), columns


def channel_groups(storage: Storage, level: int, channels: Sequence[int], rows: int, columns: int) -> list[list[int]]:
    """Group channels that share chunks, as far as the buffer holds them; parameters as of `strip_shape`."""
    if not storage.is_chunked:
        return [[channel] for channel in channels]
    high, wide = strip_shape(storage, level, rows, columns)
    return storage.groups(channels, max(1, BUFFER // (high * wide * _pixel(level))))


def groups_cost(storage: Storage, groups: Sequence[Sequence[int]], level: int, box: Box) -> int:
    """Bytes that a rectangle reads of the source, of all groups of `channel_groups`."""
    if not storage.is_chunked:
        return len(groups) * storage.cost((0, 1), level, box)
    return sum(storage.cost((group[0], group[-1] + 1), level, box) for group in groups)


def channel_strips(
    reader: Reader, channels: Sequence[int], level: int, box: Box, preview_read: int | None = None
) -> Iterator[tuple[Box, Iterator[Channel]]]:
    """Stream channels strip by strip.

    Parameters
    ----------
    reader : Reader
        The source.
    channels : sequence of int
        Ascending.
    level : int
        0 for full resolution.
    box : Box
        Rectangle at that level, in raster orientation.
    preview_read : int, optional
        For a subsample: bytes to read at most, of all channels.

    Yields
    ------
    strip : Box
        A part of the rectangle, counted from its corner; all of them together are the whole of it.
    channels : iterator of Channel
        To be gone through before the next strip. Their arrays are used again.
    """
    storage = Storage.of(reader)
    if preview_read is not None:  # all at once: what of it is read is spread over the whole
        groups = storage.groups(channels, max(1, BUFFER // (box.rows * box.columns * _pixel(level))))
        yield box.within(box), _binned(reader, groups, level, box, max(1, preview_read // max(1, len(groups))))
        return
    groups = channel_groups(storage, level, channels, box.rows, box.columns)
    for strip in _strips(storage, level, box):
        stream = _binned(reader, groups, level, strip, None) if level else _pixels(reader, groups, strip)
        yield strip.within(box), stream


def native_pixels(pixels: NDArray[np.float32] | NDArray[np.uint32]) -> NDArray[np.float32]:
    """Turn pixels of a stream into float32, in place where their bytes are to be swapped."""
    swapped = pixels.byteswap(inplace=True) if pixels.dtype == np.uint32 else pixels
    return swapped.view(np.float32)


def _pixel(level: int) -> int:
    """Bytes that a pixel takes while channels are read: as float32, with sums and counts where it is binned."""
    return 16 if level else 4


def _strips(storage: Storage, level: int, box: Box) -> Iterator[Box]:
    rows, columns = strip_shape(storage, level, box.rows, box.columns)
    unit_rows, unit_columns = (side // math.gcd(side, 1 << level) for side in (storage.rows, storage.columns))
    top = storage.top >> level
    for first, last in cuts(box.top, box.bottom, max(rows, unit_rows), unit_rows, top):
        for left, right in cuts(box.left, box.right, max(columns, unit_columns), unit_columns, 0):
            yield Box(first, left, last, right)


def _pixels(reader: Reader, groups: Iterable[Sequence[int]], strip: Box) -> Iterator[Channel]:
    """Read a strip of full resolution."""
    height = reader.shape[-2]
    y, x = range(height - strip.bottom, height - strip.top), range(strip.left, strip.right)
    for group in groups:
        first, wanted = group[0], set(group)
        for window in plane_windows(reader.shape, (group[0], group[-1] + 1), y, x):
            bits = read_bits(reader, window)
            planes = as_float32(reader.read(window)) if bits is None else bits.reshape(-1, *bits.shape[-2:])
            for channel, pixels in enumerate(planes, first):
                if channel in wanted:
                    yield channel, pixels, True
            first += len(planes)


def _binned(
    reader: Reader, groups: Sequence[Sequence[int]], level: int, strip: Box, share: int | None
) -> Iterator[Channel]:
    """Load a strip of a level, or a subsample of it."""
    deepest = max((group[-1] + 1 - group[0] for group in groups), default=0)
    buffer = np.empty((deepest, strip.rows, strip.columns), np.float32)
    for group in groups:
        planes = (group[0], group[-1] + 1)
        out = buffer[: planes[1] - planes[0]]
        if share is None:
            load_block(reader, planes, level, strip, out)
        else:
            load_preview_block(reader, planes, level, strip, out, share)
        for channel in group:
            yield channel, out[channel - planes[0]], False
