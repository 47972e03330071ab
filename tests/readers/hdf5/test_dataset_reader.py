"""The readers of HDF5 datasets keep the contract, over what DATA of an IDIA file can be; h5py is the oracle."""

from __future__ import annotations

import dataclasses
import os
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from tests.readers.hdf5.idia_files import pixels, write
from visiomatic_dask.cube import Reader, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.hdf5.dataset_reader import HDF5DatasetReader
from visiomatic_dask.readers.hdf5.idia_reader import IdiaReader
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.shared_cache import CHUNKS

CASES: dict[str, dict[str, Any]] = {
    "contiguous": {"shape": (2, 3, 17, 23)},
    "contiguous, big-endian": {"shape": (3, 17, 23), "dtype": ">f8"},
    "contiguous, rotated": {"shape": (2, 5, 9, 14), "rotated": True},
    "chunked": {"shape": (3, 17, 23), "chunks": (1, 8, 5)},
    "chunked, big-endian": {"shape": (3, 17, 23), "chunks": (2, 8, 5), "dtype": ">i2"},
    "gzip": {"shape": (5, 17, 23), "chunks": (2, 8, 5), "compression": "gzip"},
    "gzip, shuffle": {"shape": (17, 23), "chunks": (8, 8), "compression": "gzip", "shuffle": True, "dtype": "<i4"},
    "gzip, shuffle, checksum": {
        "shape": (17, 23),
        "chunks": (8, 8),
        "compression": "gzip",
        "shuffle": True,
        "fletcher32": True,
    },
    "lzf, float16": {"shape": (3, 17, 23), "chunks": (2, 8, 5), "compression": "lzf", "dtype": "<f2"},
    "szip-free scale-offset": {"shape": (3, 17, 23), "chunks": (2, 8, 5), "scaleoffset": 0, "dtype": "<i2"},
    "gzip, rotated": {"shape": (5, 17, 23), "chunks": (2, 8, 5), "compression": "gzip", "rotated": True},
    "gzip, rotated, Stokes": {"shape": (2, 5, 9, 7), "chunks": (1, 2, 8, 5), "compression": "gzip", "rotated": True},
    "int8": {"shape": (4, 5), "dtype": "i1"},
    "uint64": {"shape": (4, 5), "dtype": ">u8", "chunks": (3, 3)},
}


def with_source(reader: Reader, source: SourceFile) -> Reader:
    """The same reader of another version of its file."""
    if isinstance(reader, IdiaReader):
        rotated = with_source(reader.rotated, source)
        assert isinstance(rotated, OrientedReader)
        return dataclasses.replace(reader, main=with_source(reader.main, source), rotated=rotated)
    if isinstance(reader, OrientedReader):
        return dataclasses.replace(reader, inner=with_source(reader.inner, source))
    assert isinstance(reader, RawReader | HDF5DatasetReader)
    return dataclasses.replace(reader, source=source)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """The table as files, opened by us and read by h5py."""
    folder = tmp_path_factory.mktemp("hdf5")
    found = {}
    for index, (name, case) in enumerate(CASES.items()):
        path = folder / f"{index}.hdf5"
        how = {key: value for key, value in case.items() if key not in ("shape", "dtype")}
        write(path, pixels(case["shape"], case.get("dtype", "<f4")), **how)
        with h5py.File(path, "r") as file:
            found[name] = Source(path, open_cube(path).layers[0].reader, file["0/DATA"][()])
    return found


class TestHDF5Readers(ReaderContract):
    @pytest.fixture(params=CASES)
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        return open_cube(path).layers[0].reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(UnreadableCube, match=path.name):
            open_cube(path)
        # A raw reader does not see that HDF5's last record is not whole: its own pixels have to be cut into
        os.truncate(path, 1200)
        return with_source(source.reader, SourceFile.of(path))


def test_each_is_read_in_the_fastest_way(sources: dict[str, Source]) -> None:
    assert isinstance(sources["contiguous"].reader, RawReader)
    assert isinstance(sources["contiguous, big-endian"].reader, RawReader)
    assert isinstance(sources["chunked"].reader, HDF5DatasetReader)
    rotated = sources["contiguous, rotated"].reader
    assert isinstance(rotated, IdiaReader)
    assert isinstance(rotated.main, RawReader)
    assert isinstance(rotated.rotated.inner, RawReader)


@pytest.mark.parametrize("name", ["contiguous, rotated", "gzip, rotated", "gzip, rotated, Stokes"])
def test_rotated_dataset_gives_spectra(sources: dict[str, Source], name: str) -> None:
    reader = sources[name].reader
    assert isinstance(reader, IdiaReader)
    start = (0,) * len(reader.shape)
    plane = Window(start, (*(1 for _ in start[2:]), *reader.shape[-2:]))
    spectrum = Window(start, (*reader.shape[:-2], 1, 1))
    assert not reader.prefers_rotated(plane)
    assert reader.prefers_rotated(spectrum)
    assert not reader.prefers_rotated(Window.whole(reader.shape))
    for window in (plane, spectrum):
        np.testing.assert_array_equal(reader.main.read(window), reader.rotated.read(window))


def test_chunks_never_written_are_the_fill_value(tmp_path: Path) -> None:
    path = tmp_path / "partly.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("0/DATA", (10, 20), "<f4", chunks=(4, 8), fillvalue=7, compression="gzip")
        data[:4, :8] = 1
        file.create_dataset("1/DATA", (10, 20), "<f4", fillvalue=-2)
    first, second = (layer.reader for layer in open_cube(path).layers)
    expected = np.full((10, 20), 7, np.float32)
    expected[:4, :8] = 1
    np.testing.assert_array_equal(first.read(Window.whole((10, 20))), expected)
    np.testing.assert_array_equal(second.read(Window.whole((10, 20))), np.full((10, 20), -2, np.float32))


def test_filters_left_out_of_a_chunk_are_not_undone(tmp_path: Path) -> None:
    path = tmp_path / "masked.hdf5"
    values = np.arange(32, dtype="<i2").reshape(4, 8)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("0/DATA", (4, 8), "<i2", chunks=(4, 8), compression="gzip", shuffle=True)
        data.id.write_direct_chunk((0, 0), values.tobytes(), 0b11)
    np.testing.assert_array_equal(open_cube(path).layers[0].reader.read(Window.whole((4, 8))), values)


@pytest.mark.parametrize("raw", [b"no deflate stream", zlib.compress(bytes(63))])
def test_damaged_chunk_is_told(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "damaged.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("0/DATA", (4, 8), "<i2", chunks=(4, 8), compression="gzip")
        data.id.write_direct_chunk((0, 0), raw)
    reader = open_cube(path).layers[0].reader
    with pytest.raises(UnreadableCube, match=r"^damaged\.hdf5: reading it failed: a chunk "):
        reader.read(Window.whole((4, 8)))


def test_booleans_and_enumerations_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "bool.hdf5"
    kinds = h5py.enum_dtype({"sky": 1, "star": 2}, "i2")
    values = np.array([[1, 2, 2], [2, 1, 1]])
    with h5py.File(path, "w") as file:
        file["0/DATA"] = values == 2
        file.create_dataset("1/DATA", data=values.astype("i2"), dtype=kinds)
        file.create_dataset("2/DATA", data=values == 2, chunks=(1, 2), compression="gzip")
        file.create_dataset("3/DATA", data=values.astype("i2"), dtype=kinds, chunks=(1, 2), compression="lzf")
    readers = [layer.reader for layer in open_cube(path).layers]
    assert [str(reader.dtype) for reader in readers] == ["uint8", "int16", "uint8", "int16"]
    for reader, expected in zip(readers, (values == 2, values) * 2, strict=True):
        np.testing.assert_array_equal(reader.read(Window.whole((2, 3))), expected)


def test_numbers_with_unused_bits_are_decoded_by_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "12bit.hdf5"
    values = np.array([[1, -2, 2047], [-2048, 5, 6]], "<i2")
    kind = h5py.h5t.STD_I16LE.copy()
    kind.set_precision(12)
    kind.set_offset(2)
    with h5py.File(path, "w") as file:
        group = file.create_group("0")
        space = h5py.h5s.create_simple((2, 3))
        h5py.h5d.create(group.id, b"DATA", kind, space)
        group["DATA"][...] = values
    np.testing.assert_array_equal(open_cube(path).layers[0].reader.read(Window.whole((2, 3))), values)


def test_chunks_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "once.hdf5"
    write(path, pixels((8, 8)), chunks=(4, 4), compression="gzip")
    reader = open_cube(path).layers[0].reader
    made: list[tuple[int, ...]] = []
    decoded = HDF5DatasetReader._decoded

    def counted(self: HDF5DatasetReader, index: tuple[int, ...]) -> NDArray[Any]:
        made.append(index)
        return decoded(self, index)

    monkeypatch.setattr(HDF5DatasetReader, "_decoded", counted)
    for window in (Window((0, 0), (3, 8)), Window((1, 1), (2, 6)), Window((0, 0), (8, 3), (5, 1))):
        reader.read(window)
    assert made == [(0, 0), (0, 1), (1, 0)]
    CHUNKS.clear()
    reader.read(Window((0, 0), (1, 1)))
    assert made[-1] == (0, 0)
