"""Rendering: styles, cuts, the transfer function, colormaps, mixing and encoding.

NumPy and Numba only: no I/O, no Dask.
"""

from visiomatic_dask.rendering.canvas import Canvas
from visiomatic_dask.rendering.collapsing import collapse_channel, empty_collapse, finish_collapse
from visiomatic_dask.rendering.colormap_names import check_colormap, colormap_groups, colormap_names
from visiomatic_dask.rendering.content import Collapse, CollapseMethod, Content, Cut, Mix, Mono, NaNPolicy
from visiomatic_dask.rendering.cuts import (
    Background,
    background,
    histogram_cut,
    interpolate_backgrounds,
    known_backgrounds,
    known_cube_cut,
    known_range_cut,
    method_shares,
    sample_cut,
)
from visiomatic_dask.rendering.encoding import encode
from visiomatic_dask.rendering.equalisation import equalisation
from visiomatic_dask.rendering.histogram import Histogram
from visiomatic_dask.rendering.look import MEDIA_TYPES, ImageFormat, Look
from visiomatic_dask.rendering.mix_changes import (
    ChannelChange,
    absolute_weights,
    change_mix,
    changes_between,
)
from visiomatic_dask.rendering.mixing import (
    MixSums,
    add_channel,
    add_partial,
    add_weights,
    channel_terms,
    finish_mix,
    settle,
)
from visiomatic_dask.rendering.render import render_mix, render_plane
from visiomatic_dask.rendering.stretches import stretch_values
from visiomatic_dask.rendering.style import Style
from visiomatic_dask.rendering.tables import LookTables, TableCache

__all__ = [
    "MEDIA_TYPES",
    "Background",
    "Canvas",
    "ChannelChange",
    "Collapse",
    "CollapseMethod",
    "Content",
    "Cut",
    "Histogram",
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
    "channel_terms",
    "check_colormap",
    "collapse_channel",
    "colormap_groups",
    "colormap_names",
    "empty_collapse",
    "encode",
    "equalisation",
    "finish_collapse",
    "finish_mix",
    "histogram_cut",
    "interpolate_backgrounds",
    "known_backgrounds",
    "known_cube_cut",
    "known_range_cut",
    "method_shares",
    "render_mix",
    "render_plane",
    "sample_cut",
    "settle",
    "stretch_values",
]
