"""The transfer function v -> 255·v^(1/gamma) as a table that the bits of the float itself index.

An even table of 4,096 steps errs by 5 of 255 at gamma 2.2 and by 48 at gamma 5: near zero, where the curve is steep,
it is too coarse. A float's exponent and the top bits of its mantissa are a logarithmic scale for nothing, as fine near
zero as the curve is steep.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_MANTISSA_BITS = 11
_SHIFT = 23 - _MANTISSA_BITS
_LOWEST_EXPONENT = -47
"""At gamma 5, the steepest, 2^-47 gives 0.4 of 255: what is below is black whatever the curve."""
_FIRST = (127 + _LOWEST_EXPONENT) << _MANTISSA_BITS
TABLE_SIZE = ((127 << _MANTISSA_BITS) - _FIRST) + 1
"""The last entry is v = 1 and nothing else."""


def transfer_table(gamma: float, *, invert: bool = False) -> NDArray[np.uint8]:
    """Tabulate the transfer function over 0 … 1.

    Parameters
    ----------
    gamma : float
        Display gamma, 0.2 to 5.
    invert : bool
        Give 255 minus it.

    Returns
    -------
    ndarray of uint8, (TABLE_SIZE,)
        Within 1 of ``255·v**(1/gamma)`` for every float32 v.
    """
    bits = (np.arange(TABLE_SIZE, dtype=np.int64) + _FIRST) << _SHIFT
    edges = bits.astype(np.int32).view(np.float32).astype(np.float64)
    middles = np.append((edges[:-1] + edges[1:]) / 2, 1.0)
    middles[0] = 0.0  # the first entry also serves zero, and what is too small to have one
    table = np.rint(255 * middles ** (1 / gamma)).astype(np.uint8)
    return 255 - table if invert else table


@njit(nogil=True, cache=True)
def _row_indices(values, low, scale, offset, scratch, bits, indices):  # type: ignore[no-untyped-def] # one for every array type
    """Turn a row of values into indices of the table. Without a branch, so that it runs four or eight at a time.

    `bits` is a view of `scratch`, float32, as int32.
    """
    zero, one = np.float32(0), np.float32(1)
    for j in range(indices.size):
        v = (values[j] - low) * scale + offset
        v = v if v == v else offset
        v = v if v > zero else zero
        scratch[j] = v if v < one else one
    for j in range(indices.size):
        index = np.int32(bits[j] >> _SHIFT) - np.int32(_FIRST)
        indices[j] = index if index > 0 else np.int32(0)


@njit(nogil=True, cache=True)
def transfer_grey(
    brick: NDArray[np.float32],
    plane: int,
    top: int,
    left: int,
    low: float,
    scale: float,
    offset: float,
    table: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Cut a rectangle out of a brick and turn it into bytes.

    Parameters
    ----------
    brick : ndarray of float32, (planes, rows, columns)
        Values.
    plane, top, left : int
        Where the rectangle starts.
    low, scale, offset : float
        ``v = (value - low)·scale + offset``; NaN counts as `low`.
    table : ndarray of uint8
        Of `transfer_table`.
    out : ndarray of uint8, (rows, columns, 1)
        The picture; its shape is that of the rectangle.
    """
    rows, columns = out.shape[0], out.shape[1]
    indices, scratch = np.empty(columns, np.int32), np.empty(columns, np.float32)
    bits = scratch.view(np.int32)
    for i in range(rows):
        row = brick[plane, top + i, left : left + columns]
        _row_indices(row, np.float32(low), np.float32(scale), np.float32(offset), scratch, bits, indices)
        for j in range(columns):
            out[i, j, 0] = table[indices[j]]


@njit(nogil=True, cache=True)
def transfer_colormap(
    brick: NDArray[np.float32],
    plane: int,
    top: int,
    left: int,
    low: float,
    scale: float,
    offset: float,
    table: NDArray[np.uint8],
    colormap: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """As `transfer_grey`, through a colormap of (256, 3) uint8 into `out` of (rows, columns, 3)."""
    rows, columns = out.shape[0], out.shape[1]
    indices, scratch = np.empty(columns, np.int32), np.empty(columns, np.float32)
    bits = scratch.view(np.int32)
    for i in range(rows):
        row = brick[plane, top + i, left : left + columns]
        _row_indices(row, np.float32(low), np.float32(scale), np.float32(offset), scratch, bits, indices)
        for j in range(columns):
            grey = table[indices[j]]
            for k in range(3):
                out[i, j, k] = colormap[grey, k]


@njit(nogil=True, cache=True)
def transfer_rgb(
    mixed: NDArray[np.float32],
    top: int,
    left: int,
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    table: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Cut a rectangle out of a mixed brick of (3, rows, columns) into `out` of (rows, columns, 3).

    `scale` and `offset` are of float32, (3,).
    """
    rows, columns = out.shape[0], out.shape[1]
    indices, scratch = np.empty(columns, np.int32), np.empty(columns, np.float32)
    bits = scratch.view(np.int32)
    for i in range(rows):
        for k in range(3):
            row = mixed[k, top + i, left : left + columns]
            _row_indices(row, np.float32(0), scale[k], offset[k], scratch, bits, indices)
            for j in range(columns):
                out[i, j, k] = table[indices[j]]
