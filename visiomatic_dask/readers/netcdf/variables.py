"""NetCDF: variables with named dimensions, of NetCDF 3 files and of HDF5 files alike, as layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.cube.axes import unique_names
from visiomatic_dask.errors import UnsupportedFormat
from visiomatic_dask.readers.cf import cf_scaling, unit_of
from visiomatic_dask.readers.labelled import Dim, labelled_layer
from visiomatic_dask.readers.scaling import Scaling

_DEFAULT_FILL = 9.969209968386869e36
"""What NetCDF writes where a floating-point variable has not been written (NC_FILL_FLOAT, NC_FILL_DOUBLE)."""
_COORDINATES = 2**20
"""Bytes of coordinates that are read when a file is opened."""
_NAMING = ("coordinates", "bounds", "climatology", "grid_mapping", "cell_measures", "geometry")
"""Attributes that name variables which are not data themselves (CF conventions 1.11, appendix A)."""


@dataclass(frozen=True)
class Variable:
    """A variable of a NetCDF file.

    Attributes
    ----------
    name : str
        Its path: ``group/name``.
    dims : tuple of str
        Paths of its dimensions.
    shape : tuple of int
        Pixels along each.
    stored : dtype
        Of the stored values: integers or floats, in their byte order.
    attributes : mapping
        Text, numbers and arrays of numbers.
    values : callable
        Reads all stored values, as `stored` or booleans: for coordinates.
    reader : callable
        Makes a reader of them that scales them so.
    problem : str or None
        Why it cannot be a layer, to go on after its name.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    attributes: Mapping[str, Any]
    values: Callable[[], NDArray[Any]]
    reader: Callable[[Scaling], Reader]
    problem: str | None = None

    @property
    def is_coordinate(self) -> bool:
        """Whether it has the name of its only dimension (NetCDF User's Guide: coordinate variables)."""
        return self.dims == (self.name,)

    @property
    def is_image(self) -> bool:
        """Whether it has two to five dimensions, and pixels."""
        return len(self.shape) in range(2, 6) and math.prod(self.shape) > 0

    @property
    def group(self) -> str:
        """Path of its group, with a slash at the end unless it is the root."""
        head, slash, _ = self.name.rpartition("/")
        return head + slash


def variable_layers(variables: Sequence[Variable], name: str) -> tuple[Layer, ...]:
    """Describe the variables that are images or cubes as layers: two to five dimensions, and no coordinates of others.

    Parameters
    ----------
    variables : sequence of Variable
        All numeric variables of the file, in its order.
    name : str
        What messages call the file.

    Raises
    ------
    UnsupportedFormat
        If none of them is; the message says what they are.
    """
    aside = _named_by_others(variables)
    data = [one for one in variables if one.is_image and one.name not in aside]
    images = [one for one in data if one.problem is None]
    problems = tuple(f"{one.name} {one.problem}" for one in data if one.problem is not None)
    if not images:
        found = problems or tuple(f"{one.name} {one.shape}" for one in variables[:8]) or ("there are no numbers",)
        raise UnsupportedFormat(f"{name}: no variable of 2 to 5 dimensions can be shown: {'; '.join(found)}")
    dims = _Dims(variables)
    return tuple(_layer(one, dims, problems) for one in images)


def _layer(variable: Variable, dims: _Dims, problems: tuple[str, ...]) -> Layer:
    scaling, notes = cf_scaling(variable.stored, variable.attributes, _DEFAULT_FILL)
    names = unique_names([path.rpartition("/")[2] for path in variable.dims])
    return labelled_layer(
        variable.name,
        variable.reader(scaling),
        [dims.dim(*one) for one in zip(variable.dims, names, variable.shape, strict=True)],
        unit=unit_of(variable.attributes),
        attributes=variable.attributes,
        warnings=(*notes, *problems),
    )


def _named_by_others(variables: Sequence[Variable]) -> set[str]:
    """Names of the variables that describe others: a name is looked for in the group that it stands in, then above."""
    present = {one.name for one in variables}
    found = {one.name for one in variables if one.is_coordinate}
    for one in variables:
        for word in " ".join(str(one.attributes.get(key, "")) for key in _NAMING).split():
            group, path = one.group, word.rstrip(":").lstrip("/")
            while group and group + path not in present:
                group = group[:-1].rpartition("/")[0]
                group += "/" if group else ""
            found.add(group + path)
    return found


class _Dims:
    """Dimensions with their coordinates, each read once, within a limit."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._variables = {one.name: one for one in variables if one.is_coordinate}
        self._read: dict[str, NDArray[np.float64] | None] = {}
        self._left = _COORDINATES

    def dim(self, path: str, name: str, size: int) -> Dim:
        """Describe a dimension."""
        variable = self._variables.get(path)
        if variable is None or variable.shape != (size,):
            return Dim(name, size)
        if path not in self._read:
            self._read[path] = self._coordinates(variable)
        return Dim(name, size, self._read[path], unit_of(variable.attributes), variable.attributes)

    def _coordinates(self, variable: Variable) -> NDArray[np.float64] | None:
        self._left -= variable.shape[0] * variable.stored.itemsize
        if self._left < 0 or variable.problem is not None:
            return None
        scaling, _ = cf_scaling(variable.stored, variable.attributes, _DEFAULT_FILL)
        with np.errstate(invalid="ignore"):  # a signalling NaN of damaged coordinates
            return scaling.physical(variable.values().view(scaling.stored)).astype(np.float64)
