"""Cubes as xarray objects: ``open_cube`` for people, and the ``visiomatic`` engine of `xarray.open_dataset`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from visiomatic_dask.cube import Axis, Cube, Layer, LayerWCS, Window
from visiomatic_dask.cube.reader import Reader
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import registry
from visiomatic_dask.readers.fits.cards import without_commentary
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.packed.unpack_cache import Progress
from visiomatic_dask.readers.place import Place

_Key = int | slice | NDArray[np.int64]
_PREFERRED_CHUNK = 8 * 2**20
_OF_XARRAY = ("NetCDF", "Zarr")


class ReaderArray(BackendArray):
    """A reader behind xarray's lazy indexing: only what is asked for is read."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.shape = reader.shape
        self.dtype = reader.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        """Read what an xarray indexer asks for."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[_Key, ...]) -> NDArray[Any]:
        values = self._read_list(key)
        return values[tuple(slice(None) if isinstance(one, slice | np.ndarray) else 0 for one in key)]

    def _read_list(self, key: tuple[_Key, ...]) -> NDArray[Any]:
        """Read with every axis kept. The slowest axis that has a list is read item by item: items may lie far apart."""
        for axis, one in enumerate(key[:-1]):
            if isinstance(one, np.ndarray) and one.size:
                items = [self._read_box((*key[:axis], int(item), *key[axis + 1 :])) for item in one]
                return np.concatenate(items, axis=axis)
        return self._read_box(key)

    def _read_box(self, key: tuple[_Key, ...]) -> NDArray[Any]:
        """Read the box around what is asked for, with every axis kept, and take that out of it."""
        slices: list[slice] = []
        takes: list[slice | NDArray[np.int64]] = []
        for one, size in zip(key, self.shape, strict=True):
            if isinstance(one, slice):
                indices = range(*one.indices(size))
                takes.append(slice(None, None, -1 if indices.step < 0 else 1))
                forward = indices[::-1] if indices.step < 0 else indices
                slices.append(slice(forward.start, forward.stop, forward.step))
            else:
                items = np.atleast_1d(one) % size
                first = int(items.min()) if items.size else 0
                takes.append(items - first)
                slices.append(slice(first, int(items.max()) + 1 if items.size else 0))
        values = self.reader.read(Window.from_slices(slices, self.shape))
        for axis, take in enumerate(takes):
            values = values[(slice(None),) * axis + (take,)]
        return values


def layer_to_xarray(cube: Cube, layer: Layer) -> xr.DataArray:
    """Describe a layer as a lazily loaded DataArray.

    Parameters
    ----------
    cube : Cube
        What the layer belongs to.
    layer : Layer
        Any of its layers.

    Returns
    -------
    xarray.DataArray
        In the order of the file (FITS: y up). Axes carry their world coordinates with units; where ``x`` and ``y`` have
        none, they are FITS pixel numbers, from 1 and upwards. ``attrs["wcs"]`` is the WCS as FITS cards, which
        ``.visiomatic.wcs`` turns into `astropy.wcs.WCS`.
    """
    reader, axes, y_down = _as_in_the_file(layer)
    dims = tuple(axis.name for axis in axes)
    data = indexing.LazilyIndexedArray(ReaderArray(reader))
    attrs: dict[str, Any] = {"fingerprint": cube.fingerprint, "layer": layer.name, "wcs": layer.header_text}
    attrs |= {"units": layer.unit} if layer.unit else {}
    attrs |= {"object": layer.header["OBJECT"]} if "OBJECT" in layer.header else {}
    coords = {}
    for axis in axes:
        values, axis_attrs = axis.coordinates, {"units": axis.unit, "ctype": axis.ctype}
        if values is None and axis.kind in ("x", "y"):
            values = tuple(np.arange(1.0, axis.size + 1).tolist())
            axis_attrs = {"units": "pixel", "long_name": f"FITS pixel along {axis.name}"}
        if values is not None:
            ordered = np.asarray(values)[:: -1 if axis.kind == "y" and y_down else 1]
            coords[axis.name] = xr.Variable((axis.name,), ordered, {k: v for k, v in axis_attrs.items() if v})
    array = xr.DataArray(xr.Variable(dims, data, attrs), coords=coords, name=layer.name)
    chunks = _preferred_chunks(reader)
    array.encoding["preferred_chunks"] = dict(zip(dims, chunks, strict=True))  # the constructor drops an encoding
    return array


def _as_in_the_file(layer: Layer) -> tuple[Reader, tuple[Axis, ...], bool]:
    """Reader and axes in the order of the file, and whether its first row is the top of the picture."""
    reader = layer.reader
    if not isinstance(reader, OrientedReader):
        return reader, layer.axes, False
    return reader.inner, tuple(layer.axes[reader.order.index(i)] for i in range(len(layer.axes))), reader.y_down


def _preferred_chunks(reader: Reader) -> tuple[int, ...]:
    """Whole rows, as many as make 8 MiB: how a row-major file is read fastest; else storage chunks, as many as do.

    More chunks are taken along the fastest axis first.
    """
    shape, chunks = reader.shape, list(reader.chunks)
    most = _PREFERRED_CHUNK // reader.source_itemsize
    if all(chunk == 1 for chunk in chunks):
        chunks[-1] = shape[-1]
        axes = range(len(shape) - 2, len(shape) - 1)
    else:
        axes = range(len(shape) - 1, -1, -1)
    for axis in axes:
        others = math.prod(min(c, n) for i, (c, n) in enumerate(zip(chunks, shape, strict=True)) if i != axis)
        chunks[axis] *= max(1, min(most // max(1, others * chunks[axis]), -(-shape[axis] // chunks[axis])))
    return tuple(min(chunk, size) for chunk, size in zip(chunks, shape, strict=True))


def open_cube(
    path: str | os.PathLike[str],
    *,
    layer: str | None = None,
    chunks: dict[str, int] | str | None = None,
    progress: Progress | None = None,
) -> xr.DataArray:
    """Open one layer of a cube as a lazily loaded xarray object, from its headers alone.

    Parameters
    ----------
    path : path-like
        The file.
    layer : str, optional
        Name of the layer; by default the first image of the file.
    chunks : dict or "auto" or {}, optional
        Back the array by Dask, chunked so; ``{}`` takes the chunks that the source prefers. By default the array is
        not Dask-backed.
    progress : callable, optional
        While a compressed file is unpacked, called with the number of its bytes that are done and that of all of
        them.

    Returns
    -------
    xarray.DataArray
        See `layer_to_xarray`.

    Raises
    ------
    CubeNotFound, UnsupportedFormat, UnreadableCube
        If the file cannot be opened; the message says why.
    TooLarge
        If it is compressed, and holds more than may be unpacked.
    InvalidRequest
        If there is no such layer; the message lists those there are.
    """
    cube = registry.open_cube(path, progress=progress)
    array = layer_to_xarray(cube, cube.layer(layer))
    return array if chunks is None else array.chunk(array.encoding["preferred_chunks"] if chunks == {} else chunks)


class VisiomaticBackend(BackendEntrypoint):
    """``xr.open_dataset(path, engine="visiomatic")``: every layer of a cube as a variable.

    Layers whose dimensions have the same name but other sizes get the layer's name appended to them. A layer that is
    called like a dimension is named with ``layer_`` before it.
    """

    description = "Open cubes of many formats lazily, from their headers alone"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "layer")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        layer: str | None = None,
    ) -> xr.Dataset:
        """Open a cube; see `xarray.open_dataset`. `layer` limits it to one."""
        cube = registry.open_cube(filename_or_obj)
        dropped = {drop_variables} if isinstance(drop_variables, str) else set(drop_variables or ())
        chosen = [cube.layer(layer)] if layer is not None else [one for one in cube.layers if one.name not in dropped]
        variables: dict[str, xr.DataArray] = {}
        taken: dict[str, xr.DataArray] = {}
        for one in chosen:
            array = layer_to_xarray(cube, one)
            renamed = {
                d: f"{d}_{one.name}" for d in array.dims if d in taken and not _same_axis(taken[str(d)], array, str(d))
            }
            chunks = array.encoding["preferred_chunks"]
            array = array.rename(renamed)
            array.encoding["preferred_chunks"] = {renamed.get(d, d): size for d, size in chunks.items()}
            variables[one.name] = array
            taken |= {str(d): array for d in array.dims if d not in taken}
        return xr.Dataset(_apart(variables), attrs={"fingerprint": cube.fingerprint})

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether the file's content is of a format that is read here, and that xarray has no engine of its own for."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        try:
            found = registry.format_of(Place.look(filename_or_obj))
        except (OSError, UnreadableCube):
            return False
        return found is not None and found.name not in _OF_XARRAY


def _apart(variables: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Rename the variables that are called like a dimension, which xarray would take for its coordinates."""
    dims = {str(d) for array in variables.values() for d in array.dims}
    apart: dict[str, xr.DataArray] = {}
    for name, array in variables.items():
        free = name
        while free in dims or (free != name and free in variables):
            free = f"layer_{free}"
        apart[free] = array
    return apart


def _same_axis(one: xr.DataArray, other: xr.DataArray, dim: str) -> bool:
    if one.sizes[dim] != other.sizes[dim] or (dim in one.coords) != (dim in other.coords):
        return False
    return dim not in one.coords or bool(one.coords[dim].identical(other.coords[dim]))


@xr.register_dataarray_accessor("visiomatic")
class CubeAccessor:
    """``array.visiomatic``: what a DataArray opened by this package knows beyond its coordinates."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @property
    def header(self) -> fits.Header:
        """The FITS header of the layer."""
        return fits.Header.fromstring(self._array.attrs["wcs"])

    @property
    def wcs(self) -> WCS | None:
        """World coordinates of the whole layer, or None where its header has none that can be used."""
        return LayerWCS.from_header(without_commentary(self._array.attrs["wcs"])).full
