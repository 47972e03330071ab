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


@njit(nogil=True, inline="always")
def _index(v: np.float32) -> int:
    if not v > 0:  # also NaN
        return 0
    if v >= 1:
        return TABLE_SIZE - 1
    return max(int(np.float32(v).view(np.int32) >> _SHIFT) - _FIRST, 0)


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
    low32, scale32, offset32 = np.float32(low), np.float32(scale), np.float32(offset)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            v = (brick[plane, top + i, left + j] - low32) * scale32 + offset32
            if v != v:
                v = offset32
            out[i, j, 0] = table[_index(v)]


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
    low32, scale32, offset32 = np.float32(low), np.float32(scale), np.float32(offset)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            v = (brick[plane, top + i, left + j] - low32) * scale32 + offset32
            if v != v:
                v = offset32
            grey = table[_index(v)]
            out[i, j, 0] = colormap[grey, 0]
            out[i, j, 1] = colormap[grey, 1]
            out[i, j, 2] = colormap[grey, 2]


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
    """Cut a rectangle out of a mixed brick of (3, rows, columns) into `out` of (rows, columns, 3); mixes hold no NaN.

    `scale` and `offset` are of float32, (3,).
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(3):
                out[i, j, k] = table[_index(mixed[k, top + i, left + j] * scale[k] + offset[k])]
