"""NaN-aware rebinning kernels: the mean over the finite pixels of each block, whatever is around them.

A mean of means would give a half-empty block the same say as a full one, so sums and counts are carried, and divided
once.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def accumulate(
    band: NDArray[np.float32],
    level: int,
    first_row: int,
    row_step: int,
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
) -> None:
    """Add a band of full-resolution rows to the blocks they fall into.

    Parameters
    ----------
    band : ndarray of float32, (rows, columns)
        Rows of the source; its first column is the first of a block.
    level : int
        Blocks are ``2**level`` pixels a side.
    first_row : int
        Row of the target window, at full resolution, that the first row of the band is.
    row_step : int
        1 if the rows of the band follow those of the window, -1 if they run the other way (a FITS file, y up).
    sums : ndarray of float64, (rows, columns)
        Sums over the finite pixels of each block; changed in place.
    counts : ndarray of int32, (rows, columns)
        Their numbers; changed in place.
    """
    block = 1 << level
    columns = band.shape[1]
    for i in range(band.shape[0]):
        row = (first_row + i * row_step) >> level
        for target in range(sums.shape[1]):
            start = target << level
            stop = min(start + block, columns)
            total = 0.0
            count = 0
            for j in range(start, stop):
                value = band[i, j]
                # Not a number minus itself is not zero, and neither is an infinity; fastmath would remove the test.
                if value - value == 0:
                    total += value
                    count += 1
            sums[row, target] += total
            counts[row, target] += count


@njit(nogil=True, cache=True)
def finish(sums: NDArray[np.float64], counts: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """Divide sums by counts; a block without a finite pixel becomes NaN. All arrays are (rows, columns)."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            out[i, j] = np.float32(sums[i, j] / counts[i, j]) if counts[i, j] > 0 else np.float32(np.nan)
