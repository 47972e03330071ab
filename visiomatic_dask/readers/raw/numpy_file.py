"""NumPy files: arrays of two to five axes, of which one may be spectral, first or last.

An array in Fortran order is taken as it lies in the file, with its axes, which have names, the other way round.
"""

from __future__ import annotations

import math
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy

from visiomatic_dask.cube import Cube
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.labelled import Dim, labelled_layer
from visiomatic_dask.readers.place import Place, opened
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling

_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # as 2.0, but UTF-8: only names of fields can tell the two apart
}


class NumPyFormat:
    """The NumPy entry of the registry."""

    name = "NumPy"
    description = "NumPy arrays (.npy) of 2 to 5 axes, rows from the top down, the spectral axis guessed: first or last"

    def matches(self, place: Place) -> bool:
        """Whether it starts as a NumPy file does."""
        return place.head.startswith(npy.MAGIC_PREFIX)

    def open(self, place: Place, name: str) -> Cube:
        """Open a NumPy file from its header alone.

        Raises
        ------
        UnsupportedFormat
            If it holds no numbers, or an array of too few or too many axes.
        UnreadableCube
            If its header cannot be read, or announces more data than the file holds.
        """
        source = place.byte_source()
        with opened(source) as file:
            shape, is_fortran, dtype = _header(file, name)
            offset = file.tell()
        if dtype.kind not in "iufb" or dtype.itemsize > 8:
            raise UnsupportedFormat(f"{name}: it holds {dtype}; integers and floats of up to 8 bytes can be shown")
        if not 2 <= len(shape) <= 5 or not math.prod(shape):
            raise UnsupportedFormat(f"{name}: it holds an array of shape {shape}; 2 to 5 axes with pixels can be shown")
        if offset + math.prod(shape) * dtype.itemsize > source.size:
            needed = offset + math.prod(shape) * dtype.itemsize
            raise UnreadableCube(f"{name} is truncated: it needs {needed:,} bytes, but ends at {source.size:,}")
        stored = "u1" if dtype.kind == "b" else dtype.str
        names = _axis_names(shape)
        dims = [Dim(one, size) for one, size in zip(names, shape, strict=True)]
        if is_fortran:  # the first axis runs fastest
            shape, dims = shape[::-1], dims[::-1]
        reader = RawReader(source, offset, shape, Scaling(stored))
        guess = (
            [f"axes are taken for {', '.join(names)}, because x and y are mostly of similar size"]
            if len(names) > 2
            else []
        )
        return Cube(name, self.name, source, (labelled_layer("array", reader, dims, y_down=True, warnings=guess),))


def _header(file: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        read = _HEADERS.get(version)
        if read is None:
            raise UnsupportedFormat(f"{name}: it is a NumPy file of version {version[0]}.{version[1]}; known: 1 to 3")
        shape, is_fortran, dtype = read(file)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:  # the header is a Python literal
        reason = str(error).splitlines()[0]
        raise UnreadableCube(f"{name}: its NumPy header cannot be read: {reason}") from error
    return tuple(shape), is_fortran, dtype


def _axis_names(shape: tuple[int, ...]) -> list[str]:
    """Name the axes: y and x are the two neighbours of most similar size, the last two where it is a draw.

    An array of three axes says nothing of which one is spectral: simulations have it first, hyperspectral images last.
    Where there are more, y and x are the last two.
    """
    if len(shape) == 3 and _ratio(shape[0], shape[1]) < _ratio(shape[1], shape[2]):
        return ["y", "x", "channel"]
    others = [f"axis{i}" for i in range(len(shape) - 3)] + (["channel"] if len(shape) > 2 else [])
    return [*others, "y", "x"]


def _ratio(one: int, other: int) -> float:
    return max(one, other) / min(one, other)
