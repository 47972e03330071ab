"""Rendering: styles, cuts, the transfer function, colormaps, mixing and encoding.

NumPy and Numba only: no I/O, no Dask.
"""

from visiomatic_dask.rendering.canvas import Canvas
from visiomatic_dask.rendering.colormaps import check_colormap, colormap_names
from visiomatic_dask.rendering.content import Collapse, CollapseMethod, Content, Cut, Mix, Mono, NaNPolicy
from visiomatic_dask.rendering.cuts import (
    Background,
    background,
    interpolate_backgrounds,
    known_backgrounds,
    known_range_cut,
    sample_cut,
)
from visiomatic_dask.rendering.encoding import encode
from visiomatic_dask.rendering.look import MEDIA_TYPES, ImageFormat, Look
from visiomatic_dask.rendering.mixing import add_channel
from visiomatic_dask.rendering.render import render_mix, render_plane
from visiomatic_dask.rendering.stretches import stretch_values
from visiomatic_dask.rendering.style import Style
from visiomatic_dask.rendering.tables import LookTables, TableCache

__all__ = [
    "MEDIA_TYPES",
    "Background",
    "Canvas",
    "Collapse",
    "CollapseMethod",
    "Content",
    "Cut",
    "ImageFormat",
    "Look",
    "LookTables",
    "Mix",
    "Mono",
    "NaNPolicy",
    "Style",
    "TableCache",
    "add_channel",
    "background",
    "check_colormap",
    "colormap_names",
    "encode",
    "interpolate_backgrounds",
    "known_backgrounds",
    "known_range_cut",
    "render_mix",
    "render_plane",
    "sample_cut",
    "stretch_values",
]
