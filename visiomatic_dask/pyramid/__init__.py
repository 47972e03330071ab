"""Levels, tiles and bricks: pure geometry, the loader that fills a brick from a reader, and bounded samples."""

from visiomatic_dask.pyramid.bricks import MIX_READ, BrickGrid, BrickLimits, mix_bricks, plane_bricks
from visiomatic_dask.pyramid.channel_stream import channel_groups, channel_strips, groups_cost, native_pixels
from visiomatic_dask.pyramid.chunked_bricks import bricks_of, mix_bricks_of
from visiomatic_dask.pyramid.levels import level_count, level_size
from visiomatic_dask.pyramid.loading import load_block
from visiomatic_dask.pyramid.preview import (
    interpolate_rows,
    load_preview_block,
    load_preview_box,
    load_some_rows,
    some_rows,
)
from visiomatic_dask.pyramid.sampling import sample_layer, sample_plane, sampled_channels
from visiomatic_dask.pyramid.spectra_sample import sample_spectra
from visiomatic_dask.pyramid.storage import Storage, consecutive, cuts, plane_windows
from visiomatic_dask.pyramid.tiles import Box, TileGrid
from visiomatic_dask.pyramid.views import bricks_in_view

__all__ = [
    "MIX_READ",
    "Box",
    "BrickGrid",
    "BrickLimits",
    "Storage",
    "TileGrid",
    "bricks_in_view",
    "bricks_of",
    "channel_groups",
    "channel_strips",
    "consecutive",
    "cuts",
    "groups_cost",
    "interpolate_rows",
    "level_count",
    "level_size",
    "load_block",
    "load_preview_block",
    "load_preview_box",
    "load_some_rows",
    "mix_bricks",
    "mix_bricks_of",
    "native_pixels",
    "plane_bricks",
    "plane_windows",
    "sample_layer",
    "sample_plane",
    "sample_spectra",
    "sampled_channels",
    "some_rows",
]
