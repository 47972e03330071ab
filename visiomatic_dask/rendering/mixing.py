"""Mixing: channels added one at a time into three planes.

Colour is linear until the last step, so that is all a mix needs.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def add_channel(
    channel: NDArray[np.float32],
    low: float,
    red: float,
    green: float,
    blue: float,
    mixed: NDArray[np.float32],
) -> None:
    """Add ``factor·(x - low)`` of one channel to each plane. What is not finite counts as `low` and adds nothing.

    Parameters
    ----------
    channel : ndarray of float32, (rows, columns)
        Values x.
    low : float
        Lower cut.
    red, green, blue : float
        Weight over (high - low), for each plane.
    mixed : ndarray of float32, (3, rows, columns)
        Red, green and blue; changed in place.
    """
    low32, r, g, b = np.float32(low), np.float32(red), np.float32(green), np.float32(blue)
    for i in range(channel.shape[0]):
        for j in range(channel.shape[1]):
            value = channel[i, j] - low32
            if value - value == 0:
                mixed[0, i, j] += r * value
                mixed[1, i, j] += g * value
                mixed[2, i, j] += b * value
