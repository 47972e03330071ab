"""Values of pixels and along lines, straight from the source and in its own precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window, first_chunk_rows
from visiomatic_dask.pyramid import Storage, plane_windows

_PIECE = 64
"""Points of a line that are read together: at most 64 x 64 pixels, or those within a storage chunk."""
_BUFFER = 32 * 2**20
"""Bytes of a line's channels that are read together, because they share chunks."""


def pixel_values(reader: Reader, channels: Sequence[int] | None, x: int, y: int) -> NDArray[np.float64]:
    """Read one pixel of some channels.

    Parameters
    ----------
    reader : Reader
        The layer.
    channels : sequence of int or None
        Over all axes before y and x, flattened; what is outside gives NaN. None for all.
    x, y : int
        0-based pixel, in the order of the file; outside of the frame all values are NaN.

    Returns
    -------
    ndarray of float64, (channels,)
        64-bit integers beyond 2^53 are rounded.
    """
    height, width = reader.shape[-2:]
    count = int(np.prod(reader.shape[:-2], dtype=np.int64))
    inside = 0 <= x < width and 0 <= y < height
    if channels is None:
        if not inside:
            return np.full(count, np.nan)
        leading = reader.shape[:-2]
        window = Window((*(0 for _ in leading), y, x), (*leading, y + 1, x + 1))
        return reader.read(window).reshape(-1).astype(np.float64)
    values = np.full(len(channels), np.nan)
    if inside:
        for group, where in _groups(Storage.of(reader), channels, count):
            pixels = _read(reader, group, range(y, y + 1), range(x, x + 1))
            values[where] = pixels[[channels[index] - group[0] for index in where], 0, 0]
    return values


def bresenham(start: tuple[int, int], stop: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the pixels of a line, both ends included (Bresenham 1965, IBM Systems Journal 4, 25).

    Parameters
    ----------
    start, stop : (int, int)
        x and y of the ends.

    Returns
    -------
    (x, y) : ndarrays of int64
        As many as the longer of the two distances, plus one.
    """
    dx, dy = abs(stop[0] - start[0]), abs(stop[1] - start[1])
    steps = max(dx, dy)
    along = np.arange(steps + 1, dtype=np.int64)
    # The pixel of the minor axis is the exact line, rounded half up, in integers.
    minor = (2 * along * min(dx, dy) + steps) // (2 * steps) if steps else along
    x_steps, y_steps = (along, minor) if dx >= dy else (minor, along)
    return (
        start[0] + (x_steps if stop[0] >= start[0] else -x_steps),
        start[1] + (y_steps if stop[1] >= start[1] else -y_steps),
    )


def line_profile(
    reader: Reader, channels: Sequence[int] | None, start: tuple[int, int], stop: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Read the pixels along a line.

    Parameters
    ----------
    reader : Reader
        The layer.
    channels : sequence of int or None
        As of `pixel_values`.
    start, stop : (int, int)
        0-based x and y of the ends, in the order of the file; parts outside of the frame give NaN.

    Returns
    -------
    x, y : ndarrays of int64, (points,)
    values : ndarray of float64, (points, channels)
    """
    height, width = reader.shape[-2:]
    count = int(np.prod(reader.shape[:-2], dtype=np.int64))
    x, y = bresenham(start, stop)
    chosen = range(count) if channels is None else channels
    values = np.full((x.size, len(chosen)), np.nan)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if inside.any():
        storage, points = Storage.of(reader), np.flatnonzero(inside)
        pieces = [points[piece] for piece in _pieces(storage, first_chunk_rows(reader), x[points], y[points])]
        boxes = [(_span(y[piece]), _span(x[piece])) for piece in pieces]
        most = max(1, _BUFFER // (max(len(rows) * len(columns) for rows, columns in boxes) * storage.itemsize))
        for group, where in _groups(storage, chosen, count, most):
            planes = np.array([chosen[index] - group[0] for index in where])
            for piece, (rows, columns) in zip(pieces, boxes, strict=True):
                pixels = _read(reader, group, rows, columns)
                along = pixels[planes[:, np.newaxis], y[piece] - rows.start, x[piece] - columns.start]
                values[piece[:, np.newaxis], where] = along.T
    return x, y, values


def _groups(
    storage: Storage, channels: Sequence[int], count: int, most: int = 2**31
) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Group channels that share storage chunks: first plane and one past the last, and where they stand in the list."""
    places: dict[int, list[int]] = {}
    for index, channel in enumerate(channels):
        if 0 <= channel < count:
            places.setdefault(channel, []).append(index)
    for group in storage.groups(list(places), most):
        yield (group[0], group[-1] + 1), [index for channel in group for index in places[channel]]


def _pieces(storage: Storage, offset: int, x: NDArray[np.int64], y: NDArray[np.int64]) -> Iterator[slice]:
    """Cut a line into pieces to read one by one: a box around a few dozen points is one small read.

    Of a chunked source they are those within one chunk, or within several small ones, so that each is read once.
    """
    if not storage.is_chunked:
        yield from (slice(first, first + _PIECE) for first in range(0, x.size, _PIECE))
        return
    high, wide = (-(-_PIECE // side) * side for side in (storage.rows, storage.columns))
    cells = np.stack([(y - offset) // high, x // wide])
    ends = np.flatnonzero((np.diff(cells) != 0).any(axis=0)) + 1
    yield from (slice(int(a), int(b)) for a, b in zip([0, *ends], [*ends, x.size], strict=True))


def _span(indices: NDArray[np.int64]) -> range:
    return range(int(indices.min()), int(indices.max()) + 1)


def _read(reader: Reader, planes: tuple[int, int], y: range, x: range) -> NDArray[Any]:
    """Read a rectangle of planes that follow one another: (planes, rows, columns)."""
    parts = [reader.read(window) for window in plane_windows(reader.shape, planes, y, x)]
    return np.concatenate([part.reshape(-1, len(y), len(x)) for part in parts])
