"""Rendering: a rectangle of a brick, and a style, to a picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.canvas import Canvas
from visiomatic_dask.rendering.colormaps import colormap_table
from visiomatic_dask.rendering.look import Look
from visiomatic_dask.rendering.transfer import transfer_colormap, transfer_grey, transfer_rgb, transfer_table

_MOST_LOOKS = 64


@dataclass(frozen=True, slots=True)
class LookTables:
    """The tables of one look.

    Attributes
    ----------
    transfer : ndarray of uint8
        Of `visiomatic_dask.rendering.transfer.transfer_table`.
    colormap : ndarray of uint8, (256, 3), or None
        None for grey.
    """

    transfer: NDArray[np.uint8]
    colormap: NDArray[np.uint8] | None

    @classmethod
    def of(cls, look: Look) -> LookTables:
        """Compute the tables of a look."""
        return cls(transfer_table(look.gamma, invert=look.invert), colormap_table(look.colormap))


class TableCache:
    """The looks used last, with their tables; those that differ in contrast, brightness or quality alone share them."""

    def __init__(self) -> None:
        self._looks: OrderedDict[tuple[Any, ...], tuple[Look, LookTables]] = OrderedDict()
        self._lock = Lock()

    def get(self, fields: tuple[Any, ...]) -> tuple[Look, LookTables]:
        """Return the look that has these `visiomatic_dask.rendering.Look.fields`, and its tables."""
        with self._lock:
            known = self._looks.get(fields)
            if known is None:
                look = Look(*fields)
                key = _tables_key(look)
                tables = next((t for other, t in self._looks.values() if _tables_key(other) == key), None)
                known = self._looks[fields] = (look, tables or LookTables.of(look))
                if len(self._looks) > _MOST_LOOKS:
                    self._looks.popitem(last=False)
            else:
                self._looks.move_to_end(fields)
        return known


def _tables_key(look: Look) -> tuple[float, bool, str]:
    return look.gamma, look.invert, look.colormap


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
    ndarray of uint8, (rows, columns, 1), or (rows, columns, 3) with a colormap
    """
    if tables.colormap is None:
        out = _blank(canvas, (*shape, 1))
        transfer_grey(brick, plane, top, left, low, scale, offset, tables.transfer, out)
    else:
        out = _blank(canvas, (*shape, 3))
        transfer_colormap(brick, plane, top, left, low, scale, offset, tables.transfer, tables.colormap, out)
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
    """Render a rectangle of a mixed brick of (3, rows, columns); parameters as of `render_plane`, one a colour.

    Returns
    -------
    ndarray of uint8, (rows, columns, 3)
    """
    out = _blank(canvas, (*shape, 3))
    transfer_rgb(mixed, top, left, np.asarray(scale, np.float32), np.asarray(offset, np.float32), tables.transfer, out)
    return out


def _blank(canvas: Canvas | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.empty(shape, np.uint8) if canvas is None else canvas.blank(shape)
