"""Bounded samples of a layer, for statistics: whole rows, evenly spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, plane_window
from visiomatic_dask.pyramid.loading import as_float32


def sampled_channels(count: int, most: int) -> list[int]:
    """Choose at most `most` of `count` channels, the first and last among them, evenly spread."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def sample_plane(reader: Reader, plane: int, read_limit: int) -> NDArray[np.float32]:
    """Read evenly spread rows of a plane.

    Parameters
    ----------
    reader : Reader
        The source.
    plane : int
        Index over all axes before y and x, flattened.
    read_limit : int
        Bytes to read at most. A single row that is larger is read in part, from its middle.

    Returns
    -------
    ndarray of float32, (rows, columns)
        NaN and infinities included; order of the file.
    """
    height, width = reader.shape[-2:]
    row_size = width * reader.source_itemsize
    columns = width if row_size <= read_limit else max(1, read_limit // reader.source_itemsize)
    rows = min(height, max(1, read_limit // (columns * reader.source_itemsize)))
    step = height // rows
    left = (width - columns) // 2
    first = (height - 1 - (rows - 1) * step) // 2
    y = range(first, first + (rows - 1) * step + 1, step)
    window = plane_window(reader.shape, plane, y, range(left, left + columns))
    return as_float32(reader.read(window))
