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
    first_column: int,
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
) -> None:
    """Add a band of full-resolution rows to the blocks they fall into.

    Parameters
    ----------
    band : ndarray of float32, (rows, columns)
        Rows of the source.
    level : int
        Blocks are ``2**level`` pixels a side.
    first_row : int
        Row of the target window, at full resolution, that the first row of the band is.
    row_step : int
        1 if the rows of the band follow those of the window, -1 if they run the other way (a FITS file, y up).
    first_column : int
        Column of the target window, at full resolution, that the first column of the band is.
    sums : ndarray of float64, (rows, columns)
        Sums over the finite pixels of each block; changed in place.
    counts : ndarray of int32, (rows, columns)
        Their numbers; changed in place.
    """
    rows, width = band.shape
    # Columns first: those sums do not depend on each other, so they run several at a time. Blocks are put together
    # once their rows are through.
    column_sums = np.zeros(width, np.float64)
    column_counts = np.zeros(width, np.int32)
    for i in range(rows):
        target = (first_row + i * row_step) >> level
        for j in range(width):
            value = band[i, j]
            # Not a number minus itself is not zero, and neither is an infinity; fastmath would remove the test.
            finite = value - value == 0
            column_sums[j] += np.float64(value) if finite else 0.0
            column_counts[j] += 1 if finite else 0
        if i + 1 == rows or (first_row + (i + 1) * row_step) >> level != target:
            for j in range(width):
                sums[target, (first_column + j) >> level] += column_sums[j]
                counts[target, (first_column + j) >> level] += column_counts[j]
                column_sums[j] = 0.0
                column_counts[j] = 0


@njit(nogil=True, cache=True)
def finish(sums: NDArray[np.float64], counts: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """Divide sums by counts; a block without a finite pixel becomes NaN. All arrays are (rows, columns)."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            out[i, j] = np.float32(sums[i, j] / counts[i, j]) if counts[i, j] > 0 else np.float32(np.nan)
