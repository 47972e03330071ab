"""Tables of colormaps: from the cmap package, which needs no matplotlib."""

from __future__ import annotations

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray

from visiomatic_dask.rendering.colormap_names import SHIFTED, check_colormap, colormap_key

_LISTED = 256
"""Colours from which on a map is a list of them, of which none in between is made up."""
_STERN_RED = (0.0, 0.0547, 0.25, 0.25, 1.0), (0.0, 1.0, 0.027, 0.25, 1.0)
"""Red of gist_stern, which jumps at a quarter in matplotlib and in Yorick's own palette; in cmap it does not."""


def colormap_table(name: str) -> NDArray[np.uint8] | None:
    """Tabulate a colormap.

    Parameters
    ----------
    name : str
        One of `visiomatic_dask.rendering.colormap_names.colormap_names`.

    Returns
    -------
    ndarray of uint8, (256, 3), or None
        Within 1 of what matplotlib makes of 256 even steps. None for plain grey, which needs no
        table.

    Raises
    ------
    InvalidRequest
        If there is no such colormap.
    """
    check_colormap(name)
    plain, is_reversed = name.removesuffix("_r"), name.endswith("_r")
    if name == "grey":
        return None
    steps = np.linspace(0, 1, 256)
    colormap = Colormap(colormap_key(name))
    colours = np.asarray(colormap.color_stops.color_array, np.float64)[:, :3]
    if colormap.interpolation == "nearest" or len(colours) >= _LISTED:
        if plain.endswith(SHIFTED):
            colours = np.roll(colours, -(len(colours) // 2), axis=0)
        colours = colours[::-1] if is_reversed else colours
        table = colours[np.minimum((steps * len(colours)).astype(np.int64), len(colours) - 1)]
    else:
        table = np.array(colormap(steps))[:, :3]
        if plain == "gist_stern":
            table[:, 0] = np.interp(steps, *_STERN_RED)
        table = table[::-1] if is_reversed else table
    return np.ascontiguousarray(np.rint(255 * table).astype(np.uint8))
