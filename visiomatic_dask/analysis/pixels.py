"""Values of pixels and along lines, straight from the source and in its own precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window, plane_window

_PIECE = 64
"""Points of a line that are read together: at most 64 x 64 pixels."""


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
        for index, channel in enumerate(channels):
            if 0 <= channel < count:
                window = plane_window(reader.shape, channel, range(y, y + 1), range(x, x + 1))
                values[index] = reader.read(window).item()
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
        for index, channel in enumerate(chosen):
            if 0 <= channel < count:
                values[inside, index] = _along(reader, channel, x[inside], y[inside])
    return x, y, values


def _along(reader: Reader, channel: int, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Read pixels of one plane that lie along a line, piece by piece: a box around a few dozen is one small read."""
    values = np.empty(x.size)
    for first in range(0, x.size, _PIECE):
        piece = slice(first, first + _PIECE)
        rows, columns = y[piece], x[piece]
        top, left = int(rows.min()), int(columns.min())
        box = range(top, int(rows.max()) + 1), range(left, int(columns.max()) + 1)
        pixels = reader.read(plane_window(reader.shape, channel, *box)).reshape(len(box[0]), len(box[1]))
        values[piece] = pixels[rows - top, columns - left]
    return values
