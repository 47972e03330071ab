"""Layers of arrays whose axes have names, units and coordinates instead of a FITS header: NetCDF, Zarr, ENVI, xarray's.

Which axis is what is told by the CF conventions (1.11, section 4: axis, standard_name, units), else by name, else by
position: y and x are the last two. Coordinates that are evenly spaced become FITS WCS keywords, so that everything that
works on world coordinates works on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Axis, Layer, LayerLevel, LayerWCS, Reader
from visiomatic_dask.cube.axes import AxisKind, kind_and_name
from visiomatic_dask.readers.fits.header import json_header
from visiomatic_dask.readers.labelled_header import labelled_header
from visiomatic_dask.readers.oriented_reader import oriented

_X_NAMES = ("x", "lon", "longitude", "long", "glon", "ra", "col", "column", "columns", "sample", "samples", "easting")
_Y_NAMES = ("y", "lat", "latitude", "glat", "dec", "row", "rows", "line", "lines", "northing")
_SPECTRAL_NAMES = ("band", "bands", "channel", "channels", "c", "wavelength", "wave", "frequency", "freq", "velocity")
_TIME_NAMES = ("time", "t", "date", "day")
_VERTICAL_NAMES = ("z", "depth", "height", "altitude", "lev", "level", "elevation")


@dataclass(frozen=True)
class Dim:
    """One dimension of an array.

    Attributes
    ----------
    name : str
        Its name in the file.
    size : int
        Pixels along it.
    coordinates : ndarray of float, (size,), or None
        World coordinate of every pixel.
    unit : str
        Their unit, in any spelling that the file has.
    attributes : mapping
        What else the file says: ``standard_name``, ``axis``, ``positive`` …
    """

    name: str
    size: int
    coordinates: NDArray[np.float64] | None = None
    unit: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def labelled_layer(
    name: str,
    reader: Reader,
    dims: Sequence[Dim],
    *,
    unit: str = "",
    attributes: Mapping[str, Any] | None = None,
    y_down: bool | None = None,
    levels: Sequence[tuple[int, Reader]] = (),
    warnings: Sequence[str] = (),
) -> Layer:
    """Describe an array with named dimensions as a layer.

    Parameters
    ----------
    name : str
        Of the layer.
    reader : Reader
        Gives the pixels, in the order of the file.
    dims : sequence of Dim
        One for each axis, in the order of the file; two or more.
    unit : str
        Unit of the pixels.
    attributes : mapping, optional
        What else the file says of the array; strings and numbers become part of the layer's header.
    y_down : bool, optional
        Whether the first row is the top of the picture. By default it is where the coordinates along y fall or there
        are none.
    levels : sequence of (int, Reader)
        Coarser versions in the file; see `visiomatic_dask.cube.LayerLevel`.
    warnings : sequence of str
        What is wrong with the file.
    """
    y, x = _plane_axes(dims)
    others = [axis for axis in range(len(dims)) if axis not in (y, x)]
    order = (*others, y, x)
    if y_down is None:
        along_y = dims[y].coordinates
        y_down = along_y is None or along_y.size < 2 or bool(along_y[0] > along_y[-1])
    axes = tuple(_axis(dims[axis], _kind(dims[axis], axis, y, x), flip=axis == y and y_down) for axis in order)
    header = labelled_header(axes, len(axes) - 2, len(axes) - 1, unit, attributes or {})
    as_stored = tuple(_axis(dim, _kind(dim, axis, y, x), flip=False) for axis, dim in enumerate(dims))
    stored_header = labelled_header(as_stored, y, x, unit, attributes or {})
    wcs = LayerWCS.from_header(header)
    return Layer(
        name=name,
        reader=oriented(reader, order, y_down=y_down),
        axes=axes,
        unit=unit,
        header=json_header(header),
        header_text=stored_header.tostring(sep="", endcard=True, padding=False),
        wcs=wcs,
        warnings=tuple(warnings),
        levels=tuple(LayerLevel(level, oriented(one, order, y_down=y_down)) for level, one in levels),
    )


def _plane_axes(dims: Sequence[Dim]) -> tuple[int, int]:
    """Positions of the y and x axes."""
    y = _position(dims, "Y", ("latitude", "projection_y_coordinate", "grid_latitude"), _Y_NAMES, "degrees_n")
    x = _position(dims, "X", ("longitude", "projection_x_coordinate", "grid_longitude"), _X_NAMES, "degrees_e")
    if y is not None and x is not None and y != x:
        return y, x
    return len(dims) - 2, len(dims) - 1


def _position(
    dims: Sequence[Dim], axis: str, standard_names: Sequence[str], names: Sequence[str], unit: str
) -> int | None:
    for position, dim in enumerate(dims):
        if str(dim.attributes.get("axis", "")).upper() == axis or dim.attributes.get("standard_name") in standard_names:
            return position
        if dim.unit.lower().replace(" ", "").startswith(unit):
            return position
    return next((position for position, dim in enumerate(dims) if dim.name.lower() in names), None)


def _kind(dim: Dim, axis: int, y: int, x: int) -> AxisKind:
    if axis in (y, x):
        return "y" if axis == y else "x"
    name = dim.name.lower()
    if name in _TIME_NAMES or str(dim.attributes.get("axis", "")).upper() == "T" or " since " in dim.unit:
        return "time"
    if name == "stokes":
        return "stokes"
    if name in _VERTICAL_NAMES or str(dim.attributes.get("axis", "")).upper() == "Z":
        return "other"  # in metres or micrometres, which else would make it one of wavelengths
    return "spectral" if name in _SPECTRAL_NAMES else kind_and_name("", dim.unit, axis)[0]


def _axis(dim: Dim, kind: AxisKind, *, flip: bool) -> Axis:
    coordinates = None
    if dim.coordinates is not None and np.isfinite(dim.coordinates).all():
        coordinates = tuple(dim.coordinates[:: -1 if flip else 1].tolist())
    return Axis(dim.name, kind, "", dim.unit, dim.size, coordinates)
