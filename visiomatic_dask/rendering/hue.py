"""Colours that keep their hue: the mean of the three is stretched, and each scaled as it is.

After Lupton et al. (2004), PASP 116, 133. `astropy.visualization.make_lupton_rgb` does the same with a curve of its
own, asinh(Q·I/stretch) through 0.1 of the range, which passes 1 beyond it and rounds down; here the curve is the look's
stretch and gamma, which end at 1, and bytes are rounded to the nearest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.rendering.saturation import mix_colours
from visiomatic_dask.rendering.stretches import LINEAR, curve_of

_BITS = 9
"""Of mantissa: straight lines between entries err by 0.3 of 255 where the curve is v^50, the steepest."""
_HISTOGRAM_BITS = 11
_ONE = 127 << 23
_SMALLEST = 1 << 23
_LEAST = float(np.finfo(np.float32).tiny)


class HueTable(NamedTuple):
    """The curve that the mean of the three colours goes through.

    Unlike a table of bytes it counts every octave of float32: dark pixels of pure colours are multiplied by
    curve(I)/I, which may be as large as I is small.

    Attributes
    ----------
    values : ndarray of float32, (N,)
        The curve at floats whose bits are multiples of ``2^shift``, from the smallest that is not denormal to 1, and
        once more 1.
    shift : int
        23 less the bits of the mantissa that count.
    invert : bool
        Give 255 minus the colours.
    """

    values: NDArray[np.float32]
    shift: int
    invert: bool


def hue_table(gamma: float, *, invert: bool = False, stretch: str = LINEAR) -> HueTable:
    """Tabulate stretch(v)^(1/gamma) over 0 … 1; parameters as of `transfer.transfer_table`."""
    curve = curve_of(stretch)
    shift = 23 - (_HISTOGRAM_BITS if curve.kind == "histogram" else _BITS)
    bits = np.arange(_SMALLEST, _ONE + 1, 1 << shift, dtype=np.int32)
    values = curve(bits.view(np.float32)) ** (1 / gamma)
    return HueTable(np.append(values, 1.0).astype(np.float32), shift, invert)


@njit(nogil=True, cache=True)
def transfer_hue(
    mixed: NDArray[np.float32],
    top: int,
    left: int,
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    matrix: NDArray[np.float64],
    values: NDArray[np.float32],
    shift: int,
    invert: bool,
    out: NDArray[np.uint8],
) -> None:
    """Cut a rectangle out of a mixed brick so that each pixel keeps its hue.

    With I = (R + G + B)/3, clipped to 0 … 1 for the curve alone: each colour times curve(I)/I, those below 0 made 0,
    and all divided by the largest where it is above 1. Pixels whose I is not above 0 are black.

    Parameters
    ----------
    mixed : ndarray of float32, (3 or more, rows, columns)
        The mixed brick.
    top, left : int
        Where the rectangle starts.
    scale, offset, matrix : ndarray of float64
        As of `visiomatic_dask.rendering.saturation.mix_colours`.
    values, shift, invert : ndarray of float32, int, bool
        Of `HueTable`.
    out : ndarray of uint8, (rows, columns, 3 or 4)
        The picture.
    """
    rows, columns = out.shape[0], out.shape[1]
    scratch, colours, means = np.empty(columns, np.float32), np.empty((3, columns)), np.empty(columns)
    bits, picture = scratch.view(np.int32), np.empty((3, columns), np.uint8)
    shift32, right = np.int32(shift), left + columns
    mask, step = np.int32((1 << shift) - 1), np.float32(1.0 / (1 << shift))
    first, flip = np.int32(_SMALLEST >> shift), np.int32(255 if invert else 0)
    for i in range(rows):
        r, g, b = mixed[0, top + i, left:right], mixed[1, top + i, left:right], mixed[2, top + i, left:right]
        mix_colours(r, g, b, scale, offset, matrix, colours)
        for j in range(columns):
            means[j] = (colours[0, j] + colours[1, j] + colours[2, j]) / 3
            scratch[j] = min(max(means[j], 0.0), 1.0)
        # The look-up apart: the loops before and after it have no branch, and run several at a time.
        for j in range(columns):
            index = np.int32(bits[j] >> shift32) - first
            place = np.uint32(index if index > 0 else np.int32(0))
            low, high = values[place], values[place + np.uint32(1)]
            scratch[j] = low + (high - low) * (np.float32(bits[j] & mask) * step)
        for j in range(columns):
            mean = means[j]
            means[j] = np.float64(scratch[j]) / mean if mean >= _LEAST else 0.0
        for j in range(columns):
            red, green, blue = colours[0, j] * means[j], colours[1, j] * means[j], colours[2, j] * means[j]
            red, green, blue = max(red, 0.0), max(green, 0.0), max(blue, 0.0)
            whole = 255 / max(max(red, green), max(blue, 1.0))
            picture[0, j] = np.int32(red * whole + 0.5) ^ flip
            picture[1, j] = np.int32(green * whole + 0.5) ^ flip
            picture[2, j] = np.int32(blue * whole + 0.5) ^ flip
        line = out[i]
        for j in range(columns):
            line[j, 0] = picture[0, j]
            line[j, 1] = picture[1, j]
            line[j, 2] = picture[2, j]
