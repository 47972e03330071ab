"""Which bytes of a row-major array a window is made of: a plan, without any I/O."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from visiomatic_dask.cube import Window


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One contiguous read.

    Attributes
    ----------
    offset : int
        First byte, from the start of the array.
    size : int
        Bytes.
    """

    offset: int
    size: int


def contiguous_window(window: Window) -> Window:
    """Widen the fastest axis of a strided window to every pixel it spans.

    Strided small reads fetch the same bytes from the disk at a tenth of the speed, so a step along x is taken in
    memory.
    """
    return Window(window.start, window.stop, (*window.step[:-1], 1))


def byte_ranges(shape: tuple[int, ...], itemsize: int, window: Window) -> Iterator[ByteRange]:
    """List the reads that give a window, in the order of its pixels, each as long as can be.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array, in array order.
    itemsize : int
        Bytes a pixel.
    window : Window
        Within the array; its step along the fastest axis must be 1.

    Yields
    ------
    ByteRange
        The concatenation of all ranges is the window's pixels in C order.
    """
    if window.size == 0:
        return
    strides = np.cumprod([itemsize, *shape[:0:-1]], dtype=object)[::-1]
    # Axes at the fast end that are taken whole melt into one run, together with the first that is not.
    axis = len(shape) - 1
    while axis > 0 and window.shape[axis] == shape[axis] and window.step[axis - 1] == 1:
        axis -= 1
    run = window.shape[axis] * int(strides[axis])
    base = window.start[axis] * int(strides[axis])
    for position in itertools.product(*window.ranges[:axis]):
        yield ByteRange(base + sum(i * int(s) for i, s in zip(position, strides[:axis], strict=True)), run)
