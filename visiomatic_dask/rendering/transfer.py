"""The transfer function v -> 255·stretch(v)^(1/gamma) as a table that the bits of the float itself index.

An even table of 4,096 steps errs by 5 of 255 at gamma 2.2 and by 48 at gamma 5: near zero, where the curve is steep,
it is too coarse. A float's exponent and the top bits of its mantissa are a logarithmic scale for nothing, as fine near
zero as the curve is steep.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.rendering.stretches import LINEAR, curve_of

_FEWEST_BITS = 11
_HISTOGRAM_BITS = 14
"""A histogram may jump, and no table can; what 14 bits move of v is less than what anyone gives as a knot."""
_ONE = 127 << 23
"""Bits of 1."""
_SMALLEST = 1 << 23
"""Bits of the smallest float32 that is not denormal."""


class TransferTable(NamedTuple):
    """A transfer function.

    Attributes
    ----------
    values : ndarray of uint8, (N,)
        What v, clipped to 0 … 1, becomes. The first is also that of whatever is smaller, the last that of 1 alone.
    first : int
        What is subtracted from the float's bits, once shifted, for an index; negative ones are the first.
    shift : int
        By how many bits they are shifted: 23 less the bits of the mantissa that count.
    """

    values: NDArray[np.uint8]
    first: int
    shift: int


def transfer_table(gamma: float, *, invert: bool = False, stretch: str = LINEAR) -> TransferTable:
    """Tabulate the transfer function over 0 … 1.

    The table is made of the 255 places where it changes, which the inverse of the curve gives, rather than of as many
    powers as it has entries.

    Parameters
    ----------
    gamma : float
        Display gamma, 0.2 to 5; applies after the stretch.
    invert : bool
        Give 255 minus it.
    stretch : str
        Canonical text of a stretch.

    Returns
    -------
    TransferTable
        Within 1 of ``255·stretch(v)**(1/gamma)`` for every float32 v; for a ``histogram`` within 1 of what it is for
        some number that differs from v by less than a part in 2^14.
    """
    curve = curve_of(stretch)
    # Half an entry is v·2^-(bits + 1). A curve that rises by s with log(v) moves by as much times 255·s there, which
    # may be 1/2, rounding to a byte being the other.
    steepness = curve.steepness / gamma
    bits = max(_FEWEST_BITS, math.ceil(math.log2(510 * steepness)) - 1) if steepness < math.inf else _HISTOGRAM_BITS
    shift = 23 - bits
    places = np.maximum(curve.inverse(((np.arange(255) + 0.5) / 255) ** gamma), np.finfo(np.float32).tiny)
    first = max(int(places[0].astype(np.float32).view(np.int32)) - (1 << shift), _SMALLEST) >> shift
    size = (_ONE >> shift) - first + 1
    entries = (places.astype(np.float32).view(np.int32) >> shift).astype(np.int64)
    low, high = (
        (part << shift).astype(np.int32).view(np.float32).astype(np.float64) for part in (entries, entries + 1)
    )
    # The first entry also serves zero, which is black, and the last is 1, which is white.
    starts = np.clip(entries + (places > (low + high) / 2) - first, 1, size - 1)
    values = np.repeat(np.arange(256, dtype=np.uint8), np.diff(starts, prepend=0, append=size))
    return TransferTable(255 - values if invert else values, first, shift)


@njit(nogil=True, cache=True)
def row_indices(values, low, scale, offset, scratch, bits, first, shift, indices):  # type: ignore[no-untyped-def] # one for every array type
    """Turn a row of values into indices of the table. Without a branch, so that it runs four or eight at a time.

    `bits` is a view of `scratch`, float32, as int32. The indices have no sign: with one, every look-up would test it.
    """
    zero, one = np.float32(0), np.float32(1)
    for j in range(indices.size):
        v = (values[j] - low) * scale + offset
        v = v if v == v else offset
        v = v if v > zero else zero
        scratch[j] = v if v < one else one
    bit_indices(bits, first, shift, indices)


@njit(nogil=True, cache=True)
def bit_indices(bits, first, shift, indices):  # type: ignore[no-untyped-def] # one for every array type
    """Turn the bits of a row of float32 of 0 … 1 into indices of the table."""
    for j in range(indices.size):
        index = np.int32(bits[j] >> shift) - first
        indices[j] = np.uint32(index if index > 0 else np.int32(0))


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
    first: int,
    shift: int,
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
    table, first, shift : ndarray of uint8, int, int
        Of `transfer_table`.
    out : ndarray of uint8, (rows, columns, 1)
        The picture; its shape is that of the rectangle.
    """
    rows, columns = out.shape[0], out.shape[1]
    indices, scratch = np.empty(columns, np.uint32), np.empty(columns, np.float32)
    bits = scratch.view(np.int32)
    first32, shift32 = np.int32(first), np.int32(shift)
    for i in range(rows):
        row = brick[plane, top + i, left : left + columns]
        row_indices(
            row, np.float32(low), np.float32(scale), np.float32(offset), scratch, bits, first32, shift32, indices
        )
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
    first: int,
    shift: int,
    colormap: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """As `transfer_grey`, through a colormap of (256, 3) uint8 into `out` of (rows, columns, 3)."""
    rows, columns = out.shape[0], out.shape[1]
    indices, scratch = np.empty(columns, np.uint32), np.empty(columns, np.float32)
    bits = scratch.view(np.int32)
    first32, shift32 = np.int32(first), np.int32(shift)
    for i in range(rows):
        row = brick[plane, top + i, left : left + columns]
        row_indices(
            row, np.float32(low), np.float32(scale), np.float32(offset), scratch, bits, first32, shift32, indices
        )
        line = out[i]
        for j in range(columns):
            grey = table[indices[j]]
            line[j, 0] = colormap[grey, 0]
            line[j, 1] = colormap[grey, 1]
            line[j, 2] = colormap[grey, 2]


@njit(nogil=True, cache=True)
def transfer_rgb(
    mixed: NDArray[np.float32],
    top: int,
    left: int,
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    table: NDArray[np.uint8],
    first: int,
    shift: int,
    out: NDArray[np.uint8],
) -> None:
    """Cut a rectangle out of a mixed brick of (3 or more, rows, columns) into `out` of (rows, columns, 3 or 4).

    `scale` and `offset` are of float32, (3,).
    """
    rows, columns = out.shape[0], out.shape[1]
    red, green, blue = np.empty(columns, np.uint32), np.empty(columns, np.uint32), np.empty(columns, np.uint32)
    scratch = np.empty(columns, np.float32)
    bits = scratch.view(np.int32)
    first32, shift32, zero, right = np.int32(first), np.int32(shift), np.float32(0), left + columns
    for i in range(rows):
        r, g, b = mixed[0, top + i, left:right], mixed[1, top + i, left:right], mixed[2, top + i, left:right]
        row_indices(r, zero, scale[0], offset[0], scratch, bits, first32, shift32, red)
        row_indices(g, zero, scale[1], offset[1], scratch, bits, first32, shift32, green)
        row_indices(b, zero, scale[2], offset[2], scratch, bits, first32, shift32, blue)
        line = out[i]
        for j in range(columns):
            line[j, 0] = table[red[j]]
            line[j, 1] = table[green[j]]
            line[j, 2] = table[blue[j]]
