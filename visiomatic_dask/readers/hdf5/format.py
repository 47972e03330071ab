"""HDF5: cubes in the IDIA schema, and NetCDF 4; what else it may hold is no cube: it is refused, and told."""

from __future__ import annotations

import itertools
from typing import Any

from visiomatic_dask.cube import ByteSource, Cube, Reader
from visiomatic_dask.errors import UnsupportedFormat
from visiomatic_dask.readers.hdf5.dataset_reader import dataset_reader
from visiomatic_dask.readers.hdf5.file import (
    SIGNATURE,
    attributes,
    datasets,
    open_file,
    reading,
    stored_dtype,
    why_no_pixels,
)
from visiomatic_dask.readers.hdf5.idia import idia_groups, idia_layer
from visiomatic_dask.readers.netcdf.variables import Variable, variable_layers
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.scaling import Scaling

_MOST_DATASETS = 2000
_SHOWN = 5
_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"


class HDF5Format:
    """The entry of the registry for all HDF5 files; NetCDF 4 is among them."""

    name = "HDF5"
    description = "HDF5 cubes in the IDIA schema (with mipmaps, statistics and rotated datasets)"

    def matches(self, place: Place) -> bool:
        """Whether it starts as HDF5 does."""
        return place.head.startswith(SIGNATURE)

    def open(self, place: Place, name: str) -> Cube:
        """Open an HDF5 file from its metadata, coordinates and statistics; see `visiomatic_dask.readers.Format.open`.

        Raises
        ------
        UnsupportedFormat
            If it is neither in the IDIA schema nor NetCDF 4, or none of its datasets can be shown.
        UnreadableCube
            If it is damaged.
        """
        source = place.byte_source()
        with reading(source), open_file(source) as file:
            groups = idia_groups(file)
            if groups:
                layers = tuple(idia_layer(group, source, name) for group in groups)
                return Cube(name, self.name, source, layers)
            found = list(itertools.islice(datasets(file), _MOST_DATASETS))
            if any(_is_netcdf(dataset) for dataset in found):
                variables = [_variable(dataset, source) for dataset in found if _is_variable(dataset)]
                return Cube(name, "NetCDF", source, variable_layers(variables, name))
            raise UnsupportedFormat(f"{name}: {_what_it_is(found)}")


def _what_it_is(found: list[Any]) -> str:
    shown = ", ".join(f"{dataset.name} {dataset.shape} {dataset.dtype}"[:80] for dataset in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"it is HDF5 that holds {shown or 'no dataset'}{more}, neither in the IDIA schema (DATA in a group 0) "
        "nor NetCDF 4 (datasets with dimension scales)"
    )


def _is_netcdf(dataset: Any) -> bool:
    return dataset.attrs.get("CLASS") in (b"DIMENSION_SCALE", "DIMENSION_SCALE") or "DIMENSION_LIST" in dataset.attrs


def _is_variable(dataset: Any) -> bool:
    """Whether it is a numeric variable, and not what stands for a dimension that has no coordinates."""
    name = dataset.attrs.get("NAME", b"")
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
    return bool(dataset.shape) and stored_dtype(dataset) is not None and not text.startswith(_NO_VARIABLE)


def _variable(dataset: Any, source: ByteSource) -> Variable:
    stored = stored_dtype(dataset)
    assert stored is not None

    def reader(scaling: Scaling) -> Reader:
        return dataset_reader(source, dataset, scaling)

    return Variable(
        name=dataset.name[1:],
        dims=_dims(dataset),
        shape=dataset.shape,
        stored=stored,
        attributes=attributes(dataset),
        values=lambda: dataset[()],
        reader=reader,
        problem=why_no_pixels(dataset),
    )


def _dims(dataset: Any) -> tuple[str, ...]:
    """Paths of the dimension scales of a dataset; axes that have none are numbered as those of FITS are."""
    from h5py import h5ds

    if dataset.ndim == 1 and h5ds.is_scale(dataset.id):
        return (dataset.name[1:],)
    dims = []
    for axis in range(dataset.ndim):
        scales = dataset.dims[axis]
        path = scales[0].name if len(scales) else None
        dims.append(path[1:] if path else f"axis{dataset.ndim - axis}")
    return tuple(dims)
