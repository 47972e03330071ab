"""The readers of NetCDF variables keep the contract, over how they can be stored; netCDF4's library is the oracle."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from visiomatic_dask.cube import Reader, SourceFile
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.hdf5.dataset_reader import HDF5DatasetReader
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.raw_reader import RawReader

Kind = Literal["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]


@dataclass(frozen=True)
class NetCDFCase:
    """One variable in one file.

    Attributes
    ----------
    kind : str
        Format of the file.
    stored : str
        Type of the variable.
    dims : tuple of str
        Its dimensions.
    reader : type
        What reads it, within an `OrientedReader` that turns its rows upside down.
    attributes : mapping
        Of the variable.
    options : mapping
        How it is stored.
    records : bool
        Whether the first dimension is unlimited.
    other : bool
        Whether another variable with records lies between.
    """

    kind: Kind
    stored: str
    dims: tuple[str, ...]
    reader: type
    attributes: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    records: bool = False
    other: bool = True


SIZES = {"time": 5, "level": 2, "y": 7, "x": 9}
PACKED = {"scale_factor": 0.25, "add_offset": 300.0, "_FillValue": np.int16(-99), "missing_value": np.int16(3)}
BYTES = {"_Unsigned": "true", "scale_factor": np.float32(0.5), "_FillValue": np.int8(-1)}
CASES = {
    "4, plain": NetCDFCase("NETCDF4", "f4", ("time", "y", "x"), RawReader),
    "4, classic model": NetCDFCase("NETCDF4_CLASSIC", "f8", ("y", "x"), RawReader),
    "4, big-endian": NetCDFCase("NETCDF4", ">i4", ("y", "x"), RawReader, options={"endian": "big"}),
    "4, packed": NetCDFCase("NETCDF4", "i2", ("time", "y", "x"), RawReader, PACKED),
    "4, compressed": NetCDFCase(
        "NETCDF4",
        "f4",
        ("time", "level", "y", "x"),
        HDF5DatasetReader,
        options={"zlib": True, "chunksizes": (2, 1, 4, 4)},
    ),
    "4, compressed, packed": NetCDFCase(
        "NETCDF4", "i2", ("time", "y", "x"), HDF5DatasetReader, PACKED, {"zlib": True, "chunksizes": (2, 4, 4)}
    ),
    "4, unsigned by attribute": NetCDFCase("NETCDF4", "i1", ("y", "x"), RawReader, BYTES),
    "4, unsigned by attribute, compressed": NetCDFCase(
        "NETCDF4", "i1", ("y", "x"), HDF5DatasetReader, {"_Unsigned": "true"}, {"zlib": True, "fletcher32": True}
    ),
    "4, records": NetCDFCase("NETCDF4", "f4", ("time", "y", "x"), HDF5DatasetReader, records=True),
    "3, plain": NetCDFCase("NETCDF3_CLASSIC", "f4", ("time", "y", "x"), RawReader),
    "3, packed": NetCDFCase("NETCDF3_CLASSIC", "i2", ("time", "y", "x"), RawReader, PACKED),
    "3, records": NetCDFCase("NETCDF3_CLASSIC", "f8", ("time", "level", "y", "x"), RawReader, records=True),
    "3, packed records": NetCDFCase("NETCDF3_64BIT_OFFSET", "i2", ("time", "y", "x"), RawReader, PACKED, records=True),
    "3, two axes of records": NetCDFCase("NETCDF3_CLASSIC", "i1", ("time", "x"), RawReader, records=True),
    "3, the only records": NetCDFCase(
        "NETCDF3_CLASSIC", "i1", ("time", "y", "x"), RawReader, records=True, other=False
    ),
    "3, 64-bit offsets": NetCDFCase("NETCDF3_64BIT_OFFSET", "i4", ("y", "x"), RawReader),
    "3, CDF-5": NetCDFCase("NETCDF3_64BIT_DATA", "u2", ("time", "y", "x"), RawReader),
    "3, CDF-5 records": NetCDFCase("NETCDF3_64BIT_DATA", "i8", ("time", "y", "x"), RawReader, records=True),
}


def write(path: Path, case: NetCDFCase) -> None:
    random = np.random.default_rng(11)
    with netCDF4.Dataset(path, "w", format=case.kind) as file:
        for name, size in SIZES.items():
            file.createDimension(name, None if case.records and name == "time" else size)
        if case.other:
            file.createVariable("before", "i2", ("time",))[:] = np.arange(5)
        file.createVariable("words", "S1", ("x",))[:] = np.array(list("wordwords"), "S1")
        fill = case.attributes.get("_FillValue")
        variable = file.createVariable("data", case.stored, case.dims, fill_value=fill, **case.options)
        variable.setncatts({key: value for key, value in case.attributes.items() if key != "_FillValue"})
        variable.set_auto_maskandscale(False)
        shape = tuple(SIZES[name] for name in case.dims)
        values = random.integers(-100, 100, shape).astype(case.stored)
        for key in ("_FillValue", "missing_value"):
            if key in case.attributes:
                values.reshape(-1)[random.integers(0, values.size, 9)] = case.attributes[key]
        variable[:] = values
        if case.other:
            file.createVariable("after", "f8", ("time",))[:] = np.arange(5)


def by_netcdf4(path: Path, case: NetCDFCase) -> NDArray[Any]:
    """Pixels as netCDF4's library unpacks them, in the precision that ours have, and from the bottom row up."""
    with netCDF4.Dataset(path) as file:
        # Without a fill value, the library takes -1 for unwritten in unsigned integers.
        file["data"].set_auto_mask("_FillValue" in case.attributes)
        values = np.ma.asarray(file["data"][:])
    masked = np.ma.getmaskarray(values)
    assert masked.any() == ("_FillValue" in case.attributes)
    kind = values.dtype
    if set(case.attributes) - {"_Unsigned"}:
        kind = np.dtype("f4" if np.dtype(case.stored).itemsize <= 2 else "f8")
    pixels = np.array(values.data).astype(kind)
    if masked.any():
        pixels[masked] = np.nan
    return np.ascontiguousarray(pixels[..., ::-1, :]).astype(kind.newbyteorder("="))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """The table as files, opened by us and read by netCDF4's library."""
    folder = tmp_path_factory.mktemp("netcdf")
    found = {}
    for index, (name, case) in enumerate(CASES.items()):
        path = folder / f"{index}.nc"
        write(path, case)
        (layer,) = open_cube(path).layers
        found[name] = Source(path, layer.reader, by_netcdf4(path, case))
    return found


class TestNetCDFReaders(ReaderContract):
    @pytest.fixture(params=CASES)
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        (layer,) = open_cube(path).layers
        return layer.reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = source.reader
        assert isinstance(reader, OrientedReader)
        inner = reader.inner
        assert isinstance(inner, RawReader | HDF5DatasetReader)
        size = 1000 if isinstance(inner, HDF5DatasetReader) else inner.offset + source.pixels.size - 1
        os.truncate(path, size)
        with pytest.raises(UnreadableCube, match=path.name):
            open_cube(path)
        return dataclasses.replace(reader, inner=dataclasses.replace(inner, source=SourceFile.of(path)))


@pytest.mark.parametrize("name", CASES)
def test_each_is_read_in_the_fastest_way(sources: dict[str, Source], name: str) -> None:
    reader = sources[name].reader
    assert isinstance(reader, OrientedReader)
    assert isinstance(reader.inner, CASES[name].reader)
    if isinstance(reader.inner, RawReader):
        assert (reader.inner.distance is not None) == CASES[name].records
