"""What a cube is: layers, axes, windows, world coordinates, fingerprints."""

from visiomatic_dask.cube.axes import Axis
from visiomatic_dask.cube.cube import Cube, Layer
from visiomatic_dask.cube.fingerprint import SourceFile
from visiomatic_dask.cube.reader import Reader
from visiomatic_dask.cube.wcs import LayerWCS, SkyPosition, cd_matrix
from visiomatic_dask.cube.window import Window, plane_window

__all__ = [
    "Axis",
    "Cube",
    "Layer",
    "LayerWCS",
    "Reader",
    "SkyPosition",
    "SourceFile",
    "Window",
    "cd_matrix",
    "plane_window",
]
