"""Levels, tiles and bricks: pure geometry, the loader that fills a brick from a reader, and bounded samples."""

from visiomatic_dask.pyramid.bricks import BrickGrid, BrickLimits, mix_bricks, plane_bricks
from visiomatic_dask.pyramid.levels import level_count, level_size
from visiomatic_dask.pyramid.loading import load_box, load_preview_box
from visiomatic_dask.pyramid.sampling import sample_plane, sampled_channels
from visiomatic_dask.pyramid.tiles import Box, TileGrid

__all__ = [
    "Box",
    "BrickGrid",
    "BrickLimits",
    "TileGrid",
    "level_count",
    "level_size",
    "load_box",
    "load_preview_box",
    "mix_bricks",
    "plane_bricks",
    "sample_plane",
    "sampled_channels",
]
