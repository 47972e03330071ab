"""The brick loader: pixels of a source as float32, at any level, in raster orientation. The one place that flips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window, plane_window
from visiomatic_dask.pyramid.rebin import accumulate, finish
from visiomatic_dask.pyramid.tiles import Box

_BAND = 2 * 2**20
"""Source bytes in a band: one that stays in the cache between reading, swapping and summing."""


def load_box(reader: Reader, plane: int, level: int, box: Box, out: NDArray[np.float32]) -> None:
    """Read a rectangle of one plane at a level, streaming its source in bands so that memory stays bounded.

    Parameters
    ----------
    reader : Reader
        The source.
    plane : int
        Index over all axes before y and x, flattened.
    level : int
        0 for full resolution.
    box : Box
        Rectangle at that level, in raster orientation.
    out : ndarray of float32, (box.rows, box.columns)
        Where the pixels go.
    """
    if level == 0:
        out[:] = as_float32(reader.read(_window(reader, plane, box.top, box.bottom, box.left, box.right)))[::-1]
        return
    height, width = reader.shape[-2:]
    top, bottom = box.top << level, min(box.bottom << level, height)
    left, right = box.left << level, min(box.right << level, width)
    sums = np.zeros(out.shape, np.float64)
    counts = np.zeros(out.shape, np.int32)
    rows = max(1, _BAND // ((right - left) * reader.source_itemsize))
    for first in range(top, bottom, rows):
        last = min(first + rows, bottom)
        band = as_float32(reader.read(_window(reader, plane, first, last, left, right)))
        accumulate(band, level, last - 1 - top, -1, sums, counts)
    finish(sums, counts, out)


def load_preview_box(
    reader: Reader, plane: int, level: int, box: Box, out: NDArray[np.float32], read_limit: int
) -> None:
    """Make a rectangle at a level from some of its source rows, each read whole and averaged exactly along x.

    Rows, never columns: strided small reads fetch the same bytes from the disk at a tenth of the speed.

    Parameters
    ----------
    reader, plane, level, box, out
        As of `load_box`.
    read_limit : int
        Bytes to read at most. What that leaves to read is spread evenly; where it is less than a source row for every
        row of the picture, rows are repeated.
    """
    height, width = reader.shape[-2:]
    left, right = box.left << level, min(box.right << level, width)
    affordable = max(1, read_limit // ((right - left) * reader.source_itemsize))
    stride = -(-box.rows // affordable)
    samples = max(1, affordable // box.rows)
    for first in range(0, box.rows, stride):
        top = (box.top + first) << level
        block = min((box.top + first + 1) << level, height) - top
        sums = np.zeros((1, box.columns), np.float64)
        counts = np.zeros((1, box.columns), np.int32)
        taken = min(samples, block)
        for i in range(taken):
            row = top + (2 * i + 1) * block // (2 * taken)
            pixels = as_float32(reader.read(_window(reader, plane, row, row + 1, left, right)))
            accumulate(pixels, level, 0, 1, sums, counts)
        finish(sums, counts, out[first : first + 1])
        out[first + 1 : first + stride] = out[first]


def _window(reader: Reader, plane: int, top: int, bottom: int, left: int, right: int) -> Window:
    """Window, in the order of the file, of a raster rectangle at full resolution."""
    height = reader.shape[-2]
    return plane_window(reader.shape, plane, range(height - bottom, height - top), range(left, right))


def as_float32(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Turn what a reader gave of one plane into contiguous float32, (rows, columns)."""
    with np.errstate(over="ignore"):  # float64 beyond the range of float32 becomes infinite, which counts as invalid
        return np.ascontiguousarray(pixels.reshape(pixels.shape[-2:]), dtype=np.float32)
