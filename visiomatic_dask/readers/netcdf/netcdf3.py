"""NetCDF 3: classic files, those with 64-bit offsets (CDF-2), and those with 64-bit sizes too (CDF-5).

The header is parsed here, for libraries give arrays, not where they lie. Its grammar is in the NetCDF User's Guide,
appendix B (file format specifications), and that of CDF-5 in the documentation of PnetCDF.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from visiomatic_dask.cube import ByteSource, Cube, Reader, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.netcdf.variables import Variable, variable_layers
from visiomatic_dask.readers.place import Place, opened
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling

_DIMENSION, _VARIABLE, _ATTRIBUTE = 0x0A, 0x0B, 0x0C
_CHAR = 2
_TYPES = {
    1: ">i1",
    _CHAR: "S1",
    3: ">i2",
    4: ">i4",
    5: ">f4",
    6: ">f8",
    7: ">u1",
    8: ">u2",
    9: ">u4",
    10: ">i8",
    11: ">u8",
}
_LARGEST_HEADER = 64 * 2**20


class NetCDFFormat:
    """The entry of the registry for NetCDF 3. NetCDF 4 files are HDF5, and are told apart from others there."""

    name = "NetCDF"
    description = "NetCDF 3 and 4 (numeric variables of 2 to 5 dimensions, packed and missing values by CF)"

    def matches(self, place: Place) -> bool:
        """Whether it starts as one of the three kinds does."""
        return place.head.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05"))

    def open(self, place: Place, name: str) -> Cube:
        """Open a NetCDF 3 file from its header and coordinates; see `visiomatic_dask.readers.Format.open`."""
        source = place.byte_source()
        with opened(source) as file:
            try:
                variables = _Header(file, source).variables()
            except (struct.error, ValueError, KeyError, IndexError, OverflowError) as error:
                raise UnreadableCube(f"{name}: its NetCDF header cannot be read: {error}") from error
        return Cube(name, self.name, source, variable_layers(variables, name))


@dataclass(frozen=True)
class _Entry:
    """A variable as the header has it."""

    name: str
    dims: tuple[int, ...]
    attributes: dict[str, Any]
    type: int
    begin: int


class _Header:
    """The header of a NetCDF 3 file.

    Parameters
    ----------
    file : binary file
        At its start.
    source : ByteSource
        What it is a view of.
    """

    def __init__(self, file: BinaryIO, source: ByteSource) -> None:
        self._file = file
        self._source = source
        version = file.read(4)[3]
        self._count = ">q" if version == 5 else ">i"
        self._offset = ">i" if version == 1 else ">q"
        self._records = self._number(self._count)
        self._dims = [(self._name(), self._number(self._count)) for _ in range(self._list(_DIMENSION))]
        self._attributes()
        self._entries = [self._entry() for _ in range(self._list(_VARIABLE))]

    def variables(self) -> list[Variable]:
        """List the numeric variables."""
        sizes = [self._record_size(one) for one in self._entries if self._is_record(one)]
        # Records are padded to 4 bytes, but for those of a file with one record variable alone.
        record = sizes[0] if len(sizes) == 1 else sum(-(-size // 4) * 4 for size in sizes)
        if self._records < 0 and record:  # written by a program that had not finished
            begin = min(one.begin for one in self._entries if self._is_record(one))
            self._records = max(0, self._source.size - begin) // record
        return [self._variable(one, record) for one in self._entries if one.type != _CHAR]

    def _variable(self, entry: _Entry, record: int) -> Variable:
        shape = tuple(self._dims[dim][1] for dim in entry.dims)
        is_record = self._is_record(entry)
        shape = (self._records, *shape[1:]) if is_record else shape
        distance = record if is_record else None

        def reader(scaling: Scaling) -> Reader:
            return RawReader(self._source, entry.begin, shape, scaling, distance)

        stored = np.dtype(_TYPES[entry.type])
        size = math.prod(shape[1:] if is_record else shape) * stored.itemsize
        end = entry.begin + (size if not is_record else max(0, self._records - 1) * record + size)
        if math.prod(shape) and end > self._source.size:
            raise UnreadableCube(
                f"{self._source.name} is truncated: {entry.name} ends at byte {end:,}, it at {self._source.size:,}"
            )
        return Variable(
            name=entry.name,
            dims=tuple(self._dims[dim][0] for dim in entry.dims),
            shape=shape,
            stored=stored,
            attributes=entry.attributes,
            values=lambda: reader(Scaling(stored.str)).read(Window.whole(shape)).astype(stored),
            reader=reader,
        )

    def _is_record(self, entry: _Entry) -> bool:
        return bool(entry.dims) and self._dims[entry.dims[0]][1] == 0

    def _record_size(self, entry: _Entry) -> int:
        return math.prod(self._dims[dim][1] for dim in entry.dims[1:]) * np.dtype(_TYPES[entry.type]).itemsize

    def _entry(self) -> _Entry:
        name = self._name()
        dims = tuple(self._number(self._count) for _ in range(self._number(self._count)))
        if any(not 0 <= dim < len(self._dims) for dim in dims):
            raise ValueError(f"{name} has dimensions that there are not")
        attributes, kind = self._attributes(), self._number(">i")
        self._number(self._count)  # its size, which is wrong where it does not fit into 32 bits
        return _Entry(name, dims, attributes, kind, self._number(self._offset))

    def _attributes(self) -> dict[str, Any]:
        return {self._name(): self._values() for _ in range(self._list(_ATTRIBUTE))}

    def _values(self) -> Any:
        dtype = np.dtype(_TYPES[self._number(">i")])
        data = self._bytes(self._number(self._count) * dtype.itemsize)
        if dtype.kind == "S":
            return data.decode("utf-8", "replace").rstrip("\0")
        values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
        return values[0] if values.size == 1 else values

    def _list(self, tag: int) -> int:
        """Read the head of a list and return how many items it has."""
        found, count = self._number(">i"), self._number(self._count)
        if found not in (tag, 0) or (found == 0 and count):
            raise ValueError(f"a list starts with {found}, not with {tag}")
        return count

    def _name(self) -> str:
        return self._bytes(self._number(self._count)).decode("utf-8")

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._file.read(struct.calcsize(form)))[0])

    def _bytes(self, count: int) -> bytes:
        """Read some bytes, and those that pad them to a multiple of four."""
        padded = -(-count // 4) * 4
        if not 0 <= count <= min(_LARGEST_HEADER, self._source.size):
            raise ValueError(f"a part of {count:,} bytes")
        data = self._file.read(padded)
        if len(data) < padded:
            raise ValueError("the file ends within it")
        return data[:count]
