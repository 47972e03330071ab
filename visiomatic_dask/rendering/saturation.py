"""Saturation: the distance of each colour from the luma."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.rendering.transfer import bit_indices

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue in the luma: Rec. ITU-R BT.709, item 3.2."""
_LARGEST = float(np.finfo(np.float32).max)


def saturation_matrix(saturation: float) -> NDArray[np.float64]:
    """Matrix that takes R to Y + s·(R - Y), and green and blue likewise; (3, 3), Y being the luma."""
    return saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))


@njit(nogil=True, cache=True)
def mix_colours(red, green, blue, scale, offset, matrix, colours):  # type: ignore[no-untyped-def] # one for every array type
    """Scale and saturate a row of a mixed brick, in float64: what the three differ by may be small beside them.

    Parameters
    ----------
    red, green, blue : ndarray of float32, (columns,)
        The row. NaN counts as 0, and infinities as the largest float32.
    scale, offset : ndarray of float64, (3,)
        Applied first.
    matrix : ndarray of float64, (3, 3)
        Of `saturation_matrix`.
    colours : ndarray of float64, (3, columns)
        What comes of it.
    """
    zero = np.float64(0)
    # In names of their own: as elements they would be loaded again for every pixel, since `colours` might be the same.
    scale_r, scale_g, scale_b = scale[0], scale[1], scale[2]
    offset_r, offset_g, offset_b = offset[0], offset[1], offset[2]
    rr, rg, rb = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    gr, gg, gb = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    br, bg, bb = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    out_r, out_g, out_b = colours[0], colours[1], colours[2]
    for j in range(colours.shape[1]):
        r, g, b = np.float64(red[j]), np.float64(green[j]), np.float64(blue[j])
        r = r if r == r else zero
        g = g if g == g else zero
        b = b if b == b else zero
        r = min(max(r, -_LARGEST), _LARGEST) * scale_r + offset_r
        g = min(max(g, -_LARGEST), _LARGEST) * scale_g + offset_g
        b = min(max(b, -_LARGEST), _LARGEST) * scale_b + offset_b
        out_r[j] = rr * r + rg * g + rb * b
        out_g[j] = gr * r + gg * g + gb * b
        out_b[j] = br * r + bg * g + bb * b


@njit(nogil=True, cache=True)
def transfer_saturated(
    mixed: NDArray[np.float32],
    top: int,
    left: int,
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    matrix: NDArray[np.float64],
    table: NDArray[np.uint8],
    first: int,
    shift: int,
    out: NDArray[np.uint8],
) -> None:
    """As `visiomatic_dask.rendering.transfer.transfer_rgb`, saturated before the transfer function.

    Parameters
    ----------
    mixed : ndarray of float32, (3 or more, rows, columns)
        The mixed brick.
    top, left : int
        Where the rectangle starts.
    scale, offset, matrix : ndarray of float64
        As of `mix_colours`.
    table, first, shift : ndarray of uint8, int, int
        Of `visiomatic_dask.rendering.transfer.transfer_table`.
    out : ndarray of uint8, (rows, columns, 3 or 4)
        The picture.
    """
    rows, columns = out.shape[0], out.shape[1]
    red, green, blue = np.empty(columns, np.uint32), np.empty(columns, np.uint32), np.empty(columns, np.uint32)
    scratch, colours = np.empty((3, columns), np.float32), np.empty((3, columns))
    bits = scratch.view(np.int32)
    first32, shift32, right = np.int32(first), np.int32(shift), left + columns
    for i in range(rows):
        r, g, b = mixed[0, top + i, left:right], mixed[1, top + i, left:right], mixed[2, top + i, left:right]
        mix_colours(r, g, b, scale, offset, matrix, colours)
        for k in range(3):
            for j in range(columns):
                scratch[k, j] = min(max(colours[k, j], 0.0), 1.0)
        bit_indices(bits[0], first32, shift32, red)
        bit_indices(bits[1], first32, shift32, green)
        bit_indices(bits[2], first32, shift32, blue)
        line = out[i]
        for j in range(columns):
            line[j, 0] = table[red[j]]
            line[j, 1] = table[green[j]]
            line[j, 2] = table[blue[j]]
