"""The canvas: a buffer of each thread's own, in which a picture is drawn before it is encoded."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import NDArray


class Canvas(threading.local):
    """Memory for one picture at a time, the same for every picture a thread draws.

    A fresh array would be handed back to the system after each colour tile, and its pages faulted in again for the
    next.
    """

    def __init__(self) -> None:
        self._buffer: NDArray[np.uint8] = np.empty(0, np.uint8)

    def blank(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return an array of uint8 of that shape, contiguous and not cleared; it holds until the next call."""
        size = math.prod(shape)
        if self._buffer.size < size:
            self._buffer = np.empty(size, np.uint8)
        return self._buffer[:size].reshape(shape)
