"""What a cube is: layers, axes, windows, world coordinates, and the files behind them."""

from visiomatic_dask.cube.axes import Axis
from visiomatic_dask.cube.cube import Cube, Layer, LayerLevel, LayerPart, PlaneStatistics
from visiomatic_dask.cube.reader import Reader, first_chunk_rows, read_bits
from visiomatic_dask.cube.sky import SkyPosition
from visiomatic_dask.cube.source import ByteSource, Source, SourceFile
from visiomatic_dask.cube.wcs import LayerWCS
from visiomatic_dask.cube.wcs_levels import cd_matrix
from visiomatic_dask.cube.window import Window, plane_window

__all__ = [
    "Axis",
    "ByteSource",
    "Cube",
    "Layer",
    "LayerLevel",
    "LayerPart",
    "LayerWCS",
    "PlaneStatistics",
    "Reader",
    "SkyPosition",
    "Source",
    "SourceFile",
    "Window",
    "cd_matrix",
    "first_chunk_rows",
    "plane_window",
    "read_bits",
]
