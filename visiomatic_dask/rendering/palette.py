"""Pixels without a value, and values outside the cuts: colours of their own, or none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.rendering.look import TRANSPARENT, Look

_BAD, _UNDER, _OVER = 256, 257, 258
_CLEAR = (0, 0, 0, 0)


class Marks(NamedTuple):
    """What is done to a picture in colour.

    Attributes
    ----------
    has_bad : bool
        Whether pixels without a value have a colour of their own.
    bad : ndarray of uint8, (4,)
        Red, green, blue and alpha of it.
    alpha : int
        Alpha of all others, 0 to 255; 255 without one.
    has_alpha : bool
        Whether the picture has a fourth plane.
    """

    has_bad: bool
    bad: NDArray[np.uint8]
    alpha: int
    has_alpha: bool


def palette_of(look: Look, colormap: NDArray[np.uint8] | None, transfer: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make the colours of a plane.

    Parameters
    ----------
    look : Look
        Names the colours, and how opaque they are.
    colormap : ndarray of uint8, (256, 3), or None
        None for grey.
    transfer : ndarray of uint8
        Its first and last entry are the ends of the colormap in use.

    Returns
    -------
    ndarray of uint8, (259, N)
        The colormap, then the colours of pixels without a value, below and above the cuts. N is 1 for greys, 3 for
        colours, and one more where pixels may be transparent.
    """
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    alpha = round(255 * look.opacity)
    entries = np.empty((259, 4), np.uint8)
    entries[:256, :3] = greys if colormap is None else colormap
    entries[:256, 3] = alpha
    black = entries[transfer[0]]
    for place, name, default in ((_BAD, look.bad, black), (_UNDER, look.under, black)):
        entries[place] = _colour(name, alpha) if name else default
    entries[_OVER] = _colour(look.over, alpha) if look.over else entries[transfer[-1]]
    is_grey = bool((entries[:, :1] == entries[:, 1:3]).all())
    planes = ([0] if is_grey else [0, 1, 2]) + ([3] if look.has_alpha else [])
    return np.ascontiguousarray(entries[:, planes])


def marks_of(look: Look) -> Marks:
    """Say what is done to a mix in colour."""
    alpha = round(255 * look.opacity)
    return Marks(bool(look.bad), np.array(_colour(look.bad, alpha), np.uint8), alpha, look.has_alpha)


def _colour(name: str, alpha: int) -> tuple[int, int, int, int]:
    if name in ("", TRANSPARENT):
        return _CLEAR
    red, green, blue = bytes.fromhex(name[1:])
    return red, green, blue, alpha


@njit(nogil=True, cache=True)
def transfer_palette(
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
    palette: NDArray[np.uint8],
    has_bad: bool,
    out: NDArray[np.uint8],
) -> None:
    """Cut a rectangle out of a plane, through a palette; parameters else as of `transfer_grey`.

    Parameters
    ----------
    palette : ndarray of uint8, (259, N)
        Of `palette_of`.
    has_bad : bool
        Whether what is not finite has a colour of its own; else NaN counts as `low`, and infinities lie outside the
        cuts.
    out : ndarray of uint8, (rows, columns, N)
        The picture.
    """
    low32, scale32, offset32 = np.float32(low), np.float32(scale), np.float32(offset)
    zero, one, scratch = np.float32(0), np.float32(1), np.empty(1, np.float32)
    bits = scratch.view(np.int32)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = brick[plane, top + i, left + j]
            v = (value - low32) * scale32 + offset32
            v = v if v == v else offset32
            if has_bad and value - value != 0:
                colour = _BAD
            elif v < zero:
                colour = _UNDER
            elif v > one:
                colour = _OVER
            else:
                scratch[0] = v
                index = (bits[0] >> shift) - first
                colour = int(table[index if index > 0 else 0])
            for k in range(out.shape[2]):
                out[i, j, k] = palette[colour, k]


@njit(nogil=True, cache=True)
def mark_mix(
    mixed: NDArray[np.float32],
    top: int,
    left: int,
    has_bad: bool,
    bad: NDArray[np.uint8],
    alpha: int,
    out: NDArray[np.uint8],
) -> None:
    """Give a picture in colour its alpha, and the colour for pixels without a value: finite in none of the three.

    Parameters
    ----------
    mixed : ndarray of float32, (3 or more, rows, columns)
        The mixed brick.
    top, left : int
        Where the rectangle starts.
    has_bad, bad, alpha : bool, ndarray of uint8, int
        Of `Marks`.
    out : ndarray of uint8, (rows, columns, 3 or 4)
        The picture; changed in place.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if out.shape[2] == 4:
                out[i, j, 3] = alpha
            if has_bad:
                r, g, b = mixed[0, top + i, left + j], mixed[1, top + i, left + j], mixed[2, top + i, left + j]
                if r - r != 0 and g - g != 0 and b - b != 0:
                    for k in range(out.shape[2]):
                        out[i, j, k] = bad[k]
