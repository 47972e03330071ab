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
from visiomatic_dask.rendering.mix_changes import (
    ChannelChange,
    absolute_weights,
    change_mix,
    changes_between,
)
from visiomatic_dask.rendering.mixing import MixSums, add_channel, add_partial, add_weights, finish_mix
from visiomatic_dask.rendering.render import LookTables, TableCache, render_mix, render_plane
from visiomatic_dask.rendering.style import Style

__all__ = [
    "MEDIA_TYPES",
    "Background",
    "Canvas",
    "ChannelChange",
    "Collapse",
    "CollapseMethod",
    "Content",
    "Cut",
    "ImageFormat",
    "Look",
    "LookTables",
    "Mix",
    "MixSums",
    "Mono",
    "NaNPolicy",
    "Style",
    "TableCache",
    "absolute_weights",
    "add_channel",
    "add_partial",
    "add_weights",
    "background",
    "change_mix",
    "changes_between",
    "check_colormap",
    "colormap_names",
    "encode",
    "finish_mix",
    "interpolate_backgrounds",
    "known_backgrounds",
    "known_range_cut",
    "render_mix",
    "render_plane",
    "sample_cut",
]
