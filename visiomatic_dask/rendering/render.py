"""Rendering: a rectangle of a brick, and the tables of a look, to a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.canvas import Canvas
from visiomatic_dask.rendering.hue import transfer_hue
from visiomatic_dask.rendering.palette import mark_mix, transfer_palette
from visiomatic_dask.rendering.saturation import saturation_matrix, transfer_saturated
from visiomatic_dask.rendering.tables import LookTables
from visiomatic_dask.rendering.transfer import transfer_colormap, transfer_grey, transfer_rgb

_AS_IT_IS = saturation_matrix(1.0)


def render_plane(
    brick: NDArray[np.float32],
    plane: int,
    top: int,
    left: int,
    shape: tuple[int, int],
    low: float,
    scale: float,
    offset: float,
    tables: LookTables,
    canvas: Canvas | None = None,
) -> NDArray[np.uint8]:
    """Render a rectangle of one plane of a brick.

    Parameters
    ----------
    brick : ndarray of float32, (planes, rows, columns)
        Values.
    plane, top, left : int
        Where the rectangle starts.
    shape : (int, int)
        Its rows and columns.
    low, scale, offset : float
        ``v = (value - low)·scale + offset``; see `visiomatic_dask.rendering.style.Style`.
    tables : LookTables
        Tables of the look.
    canvas : Canvas, optional
        What it is drawn on; a fresh array without one.

    Returns
    -------
    ndarray of uint8, (rows, columns, 1), or (rows, columns, 3) in colour; one more where pixels may be transparent
    """
    if tables.palette is not None and tables.marks is not None:
        out = _blank(canvas, (*shape, tables.palette.shape[1]))
        has_bad = tables.marks.has_bad
        transfer_palette(
            *(brick, plane, top, left, low, scale, offset, *tables.transfer, tables.palette, has_bad, out),
        )
    elif tables.colormap is None:
        out = _blank(canvas, (*shape, 1))
        transfer_grey(brick, plane, top, left, low, scale, offset, *tables.transfer, out)
    else:
        out = _blank(canvas, (*shape, 3))
        transfer_colormap(brick, plane, top, left, low, scale, offset, *tables.transfer, tables.colormap, out)
    return out


def render_mix(
    mixed: NDArray[np.float32],
    top: int,
    left: int,
    shape: tuple[int, int],
    scale: tuple[float, ...],
    offset: tuple[float, ...],
    tables: LookTables,
    canvas: Canvas | None = None,
) -> NDArray[np.uint8]:
    """Render a rectangle of a mixed brick; parameters as of `render_plane`, one a colour.

    The first three planes of the brick are red, green and blue; whatever follows is left alone.

    Returns
    -------
    ndarray of uint8, (rows, columns, 3), or (rows, columns, 4) where pixels may be transparent
    """
    marks = tables.marks
    out = _blank(canvas, (*shape, 4 if marks is not None and marks.has_alpha else 3))
    if tables.hue is None and tables.saturation is None:
        scales, offsets = np.asarray(scale, np.float32), np.asarray(offset, np.float32)
        transfer_rgb(mixed, top, left, scales, offsets, *tables.transfer, out)
    else:
        matrix = _AS_IT_IS if tables.saturation is None else tables.saturation
        placed = (mixed, top, left, np.asarray(scale), np.asarray(offset), matrix)
        if tables.hue is None:
            transfer_saturated(*placed, *tables.transfer, out)
        else:
            transfer_hue(*placed, *tables.hue, out)
    if marks is not None:
        mark_mix(mixed, top, left, marks.has_bad, marks.bad, marks.alpha, out)
    return out


def _blank(canvas: Canvas | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.empty(shape, np.uint8) if canvas is None else canvas.blank(shape)
