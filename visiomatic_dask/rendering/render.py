"""Rendering: a rectangle of a brick, and a style, to a picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.colormaps import colormap_table
from visiomatic_dask.rendering.style import Look
from visiomatic_dask.rendering.transfer import transfer_colormap, transfer_grey, transfer_rgb, transfer_table

_MOST_TABLES = 64


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
    """The tables of the looks used last. Contrast and brightness need none of their own."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[float, bool, str], LookTables] = OrderedDict()
        self._lock = Lock()

    def get(self, look: Look) -> LookTables:
        """Return the tables of a look, computing them if they are not there."""
        key = (look.gamma, look.invert, look.colormap)
        with self._lock:
            tables = self._tables.get(key)
            if tables is None:
                tables = self._tables[key] = LookTables.of(look)
                if len(self._tables) > _MOST_TABLES:
                    self._tables.popitem(last=False)
            else:
                self._tables.move_to_end(key)
        return tables


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

    Returns
    -------
    ndarray of uint8, (rows, columns, 1), or (rows, columns, 3) with a colormap
    """
    if tables.colormap is None:
        out = np.empty((*shape, 1), np.uint8)
        transfer_grey(brick, plane, top, left, low, scale, offset, tables.transfer, out)
    else:
        out = np.empty((*shape, 3), np.uint8)
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
) -> NDArray[np.uint8]:
    """Render a rectangle of a mixed brick of (3, rows, columns); parameters as of `render_plane`, one a colour.

    Returns
    -------
    ndarray of uint8, (rows, columns, 3)
    """
    out = np.empty((*shape, 3), np.uint8)
    transfer_rgb(mixed, top, left, np.asarray(scale, np.float32), np.asarray(offset, np.float32), tables.transfer, out)
    return out
