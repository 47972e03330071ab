"""NumPy files: the contract, which axis is which, and what cannot be shown."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from visiomatic_dask.cube import Reader, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.xarray_backend import open_cube as open_array

RANDOM = np.random.default_rng(11)


def oriented(array: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    """The layer that an array is: axes in that order, rows from the bottom up."""
    return array.transpose(order)[..., ::-1, :]


CASES: dict[str, tuple[NDArray[Any], tuple[int, ...]]] = {
    "plane": (RANDOM.normal(size=(6, 9)).astype(np.float32), (0, 1)),
    "big-endian": (RANDOM.normal(size=(6, 9)).astype(">f8"), (0, 1)),
    "half": (RANDOM.normal(size=(6, 9)).astype(np.float16), (0, 1)),
    "unsigned": (RANDOM.integers(0, 2**32, (6, 9), np.uint32), (0, 1)),
    "spectral last": (RANDOM.integers(-99, 99, (6, 7, 20), np.int16), (2, 0, 1)),
    "spectral first": (RANDOM.integers(-99, 99, (20, 6, 7), np.int64), (0, 1, 2)),
    "a draw": (RANDOM.integers(-99, 99, (6, 6, 6), np.int8), (0, 1, 2)),
    "four axes": (RANDOM.normal(size=(2, 3, 4, 5)), (0, 1, 2, 3)),
    "Fortran": (np.asfortranarray(RANDOM.normal(size=(6, 7, 20))), (2, 0, 1)),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    folder = tmp_path_factory.mktemp("npy")
    found = {}
    for number, (key, (array, order)) in enumerate(CASES.items()):
        path = folder / f"{number}.npy"
        np.save(path, array)
        found[key] = Source(path, open_cube(path).layers[0].reader, oriented(array, order))
    return found


class TestNumPy(ReaderContract):
    @pytest.fixture(params=list(CASES))
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        return open_cube(path).layers[0].reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = open_cube(path).layers[0].reader
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(UnreadableCube, match="is truncated"):
            open_cube(path)
        assert isinstance(reader, OrientedReader)
        assert isinstance(reader.inner, RawReader)
        return dataclasses.replace(reader, inner=dataclasses.replace(reader.inner, source=SourceFile.of(path)))


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("plane", ["y", "x"]),
        ("spectral last", ["channel", "y", "x"]),
        ("spectral first", ["channel", "y", "x"]),
        ("Fortran", ["channel", "y", "x"]),
        ("four axes", ["axis0", "channel", "y", "x"]),
    ],
)
def test_axes(sources: dict[str, Source], key: str, names: list[str]) -> None:
    layer = open_cube(sources[key].path).layers[0]
    assert [axis.name for axis in layer.axes] == names
    assert bool(layer.warnings) == (len(names) > 2)  # what is a guess is called one


def test_chunks_tell_what_runs_faster_than_x(sources: dict[str, Source]) -> None:
    assert sources["spectral last"].reader.chunks == (20, 1, 1)
    assert sources["spectral first"].reader.chunks == (1, 1, 1)
    assert sources["Fortran"].reader.chunks == (1, 6, 1)


def test_xarray_has_the_order_of_the_file(sources: dict[str, Source]) -> None:
    array = open_array(sources["spectral last"].path)
    assert array.dims == ("y", "x", "channel")
    np.testing.assert_array_equal(array.values, CASES["spectral last"][0])
    assert array.y.values.tolist() == [6, 5, 4, 3, 2, 1]  # FITS pixels: the first row is the top


def test_booleans_are_bytes(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 2, (5, 6)).astype(bool)
    np.save(tmp_path / "mask.npy", array)
    layer = open_cube(tmp_path / "mask.npy").layers[0]
    assert layer.dtype == np.uint8
    np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), array[::-1])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 4), complex), "it holds complex128; integers and floats"),
        (np.zeros((3, 4), "S5"), r"it holds \|S5"),
        (np.zeros(7), r"it holds an array of shape \(7,\); 2 to 5 axes"),
        (np.zeros((0, 7)), r"it holds an array of shape \(0, 7\)"),
        (np.zeros((1,) * 6), "2 to 5 axes"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path: Path, array: NDArray[Any], reason: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UnsupportedFormat, match=reason):
        open_cube(tmp_path / "a.npy")


def test_damaged_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00\x46\x00{'descr': rubbish" + b" " * 60)
    with pytest.raises(UnreadableCube, match=r"a\.npy: its NumPy header cannot be read"):
        open_cube(path)
    path.write_bytes(b"\x93NUMPY\x09\x00" + bytes(60))
    with pytest.raises(UnsupportedFormat, match=r"version 9\.0; known: 1 to 3"):
        open_cube(path)
    path.write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(UnreadableCube, match="header cannot be read"):
        open_cube(path)


def test_real_hyperspectral_cube(real_files: Path) -> None:
    path = real_files / "tensorly/Indian_pines_corrected.npy"
    layer = open_cube(path).layers[0]
    array = np.load(path)
    assert layer.shape == (200, 145, 145)
    np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), oriented(array, (2, 0, 1)))
