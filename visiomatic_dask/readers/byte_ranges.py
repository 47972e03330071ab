"""Which bytes of a row-major array a window is made of: a plan, without any I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from visiomatic_dask.cube import Window

_PAGE = 4096


@dataclass(frozen=True, slots=True)
class ByteRanges:
    """Contiguous reads, all of one size.

    Attributes
    ----------
    offsets : list of int
        First byte of each, from the start of the array, ascending.
    size : int
        Bytes of each.
    """

    offsets: list[int]
    size: int


def whole_rows(shape: tuple[int, ...], itemsize: int, window: Window) -> Window:
    """Widen a window to whole rows where that adds little: less than a page, and less than a quarter of its own.

    A read for every row costs more than the few bytes between them, which the kernel has read anyway: the overscan of
    a detector, for one.

    Parameters
    ----------
    shape, itemsize, window
        As of `byte_ranges`.
    """
    if len(shape) < 2 or window.step[-2] != 1 or window.shape[-2] < 2:
        return window
    added = shape[-1] - window.shape[-1]
    if added * itemsize > _PAGE or 4 * added > window.shape[-1]:
        return window
    return Window((*window.start[:-1], 0), (*window.stop[:-1], shape[-1]), window.step)


def contiguous_window(window: Window) -> Window:
    """Widen the fastest axis of a strided window to every pixel it spans.

    Strided small reads fetch the same bytes from the disk at a tenth of the speed, so a step along x is taken in
    memory.
    """
    return Window(window.start, window.stop, (*window.step[:-1], 1))


def byte_ranges(shape: tuple[int, ...], itemsize: int, window: Window) -> ByteRanges:
    """List the reads that give a window, in the order of its pixels, each as long as can be.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array, in array order.
    itemsize : int
        Bytes a pixel.
    window : Window
        Within the array; its step along the fastest axis must be 1.

    Returns
    -------
    ByteRanges
        The concatenation of all ranges is the window's pixels in C order.
    """
    if window.size == 0:
        return ByteRanges([], 0)
    strides = [itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    # Axes at the fast end that are taken whole melt into one run, together with the first that is not.
    axis = len(shape) - 1
    while axis > 0 and window.shape[axis] == shape[axis] and window.step[axis - 1] == 1:
        axis -= 1
    offsets = np.full(1, window.start[axis] * strides[axis], np.int64)
    for indices, stride in zip(window.ranges[:axis], strides, strict=False):
        steps = np.arange(indices.start, indices.stop, indices.step, dtype=np.int64) * stride
        offsets = np.add.outer(offsets, steps)
    return ByteRanges(offsets.ravel().tolist(), window.shape[axis] * strides[axis])
