"""ENVI: the contract over interleaves, types and byte orders; coordinates; and what the header gets wrong."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from visiomatic_dask.cube import Reader, SourceFile, Window
from visiomatic_dask.errors import CubeChanged, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.raw.paired_file import PairedFile
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.xarray_backend import open_cube as open_array

RANDOM = np.random.default_rng(3)
BANDS, ROWS, COLUMNS = 4, 6, 9
TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
ORDERS = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}


def write(
    path: Path, cube: NDArray[Any], interleave: str = "bsq", fields: Mapping[str, Any] | None = None, offset: int = 0
) -> None:
    """Write a cube of (bands, rows, columns)."""
    number = next(key for key, value in TYPES.items() if np.dtype(value) == cube.dtype.newbyteorder("="))
    order = int(cube.dtype.byteorder == ">")
    path.write_bytes(bytes(offset) + cube.transpose(ORDERS[interleave]).tobytes())
    header: dict[str, Any] = {
        "description": "{\n  made for a test}",
        "samples": cube.shape[2],
        "lines": cube.shape[1],
        "bands": cube.shape[0],
        "header offset": offset,
        "file type": "ENVI Standard",
        "data type": number,
        "interleave": interleave,
        "byte order": order,
    }
    lines = [f"{key} = {value}" for key, value in (header | dict(fields or {})).items()]
    path.with_suffix(".hdr").write_text("\n".join(["ENVI", *lines]) + "\n")


def numbers(dtype: str) -> NDArray[Any]:
    values = RANDOM.integers(0, 200, (BANDS, ROWS, COLUMNS)).astype(dtype)
    return values + values.dtype.type(0.25) if values.dtype.kind == "f" else values


CASES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    **{f"{interleave}": (interleave, "<i2", {}, 0) for interleave in ORDERS},
    **{f"data type {number}": ("bil", f"<{dtype}", {}, 0) for number, dtype in TYPES.items()},
    "big-endian": ("bip", ">f4", {}, 0),
    "offset": ("bsq", "<f4", {}, 321),
    "ignored value": ("bsq", "<i2", {"data ignore value": 7}, 0),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    folder = tmp_path_factory.mktemp("envi")
    found = {}
    for number, (key, (interleave, dtype, fields, offset)) in enumerate(CASES.items()):
        cube = numbers(dtype)
        path = folder / f"cube{number}.img"
        if fields:
            cube.reshape(-1)[5:40:7] = 7
        write(path, cube, interleave, fields, offset)
        pixels = cube[:, ::-1]
        if fields:
            pixels = np.where(pixels == 7, np.float32(np.nan), pixels.astype(np.float32))
        found[key] = Source(path, open_cube(path).layers[0].reader, pixels)
    return found


class TestENVI(ReaderContract):
    @pytest.fixture(params=list(CASES))
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def copy_files(self, source: Source, folder: Path) -> Path:
        shutil.copy(source.path.with_suffix(".hdr"), folder)
        return super().copy_files(source, folder)

    def reopen(self, source: Source, path: Path) -> Reader:
        return open_cube(path).layers[0].reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = self.reopen(source, path)
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(UnreadableCube, match="is truncated"):
            open_cube(path)
        assert isinstance(reader, OrientedReader)
        assert isinstance(reader.inner, RawReader)
        now = PairedFile(SourceFile.of(path), SourceFile.of(path.with_suffix(".hdr")))
        return dataclasses.replace(reader, inner=dataclasses.replace(reader.inner, source=now))


def test_a_header_that_changes_is_another_version(tmp_path: Path) -> None:
    path = tmp_path / "cube.img"
    write(path, numbers("<i2"))
    cube = open_cube(path)
    path.with_suffix(".hdr").write_text(path.with_suffix(".hdr").read_text() + "sensor type = other\n")
    with pytest.raises(CubeChanged, match=r"cube\.hdr has changed"):
        cube.layers[0].reader.read(Window.whole((BANDS, ROWS, COLUMNS)))
    assert open_cube(path).fingerprint != cube.fingerprint


def test_wavelengths(tmp_path: Path) -> None:
    path = tmp_path / "cube"
    write(path, numbers("<f4"), fields={"wavelength": "{400.5, 500,\n 600, 700}", "wavelength units": "Nanometers"})
    layer = open_cube(path).layers[0]
    axis = layer.axes[0]
    assert (axis.name, axis.kind, axis.unit, axis.coordinates) == (
        "wavelength",
        "spectral",
        "nm",
        (400.5, 500, 600, 700),
    )
    assert layer.warnings == ()
    write(path, numbers("<f4"), fields={"wavelength": "{0.4, 0.5, 0.6, 0.7}", "wavelength units": "Unknown"})
    layer = open_cube(path).layers[0]
    assert layer.axes[0].unit == "um"
    assert "they are taken for micrometers" in layer.warnings[0]
    write(path, numbers("<f4"), fields={"wavelength": "{1, 2}"})
    layer = open_cube(path).layers[0]
    assert layer.axes[0].name == "band"
    assert layer.warnings == ("2 wavelengths are given for 4 bands: they are left out",)


def test_map_info(tmp_path: Path) -> None:
    path = tmp_path / "cube.dat"
    write(path, numbers("<f4"), fields={"map info": "{UTM, 1, 1, 500000, 7000000, 30, 20, 33, South, WGS-84}"})
    array = open_array(path)
    assert array.dims == ("band", "y", "x")
    assert array.x.values[:2].tolist() == [500015, 500045]  # centres; the reference is a corner
    assert array.y.values[:2].tolist() == [6999990, 6999970]
    write(path, numbers("<f4"), fields={"map info": "{Geographic Lat/Lon, 1.5, 1.5, 10, 50, 0.1, 0.1, WGS-84}"})
    layer = open_cube(path).layers[0]
    sky = layer.wcs.sky(1, ROWS)
    assert sky is not None
    assert (sky.lon, sky.lat) == pytest.approx((10, 50))
    write(path, numbers("<f4"), fields={"map info": "{UTM, 1, 1, 5, 7, 30, 20, 33, South, rotation=12.5}"})
    assert "rotation" in open_cube(path).layers[0].warnings[0]
    write(path, numbers("<f4"), fields={"map info": "{UTM, one}"})
    assert "map info cannot be read" in open_cube(path).layers[0].warnings[0]


def test_one_band_is_a_plane(tmp_path: Path) -> None:
    path = tmp_path / "plane.img"
    cube = numbers("<f4")[:1]
    write(path, cube, "bip")
    layer = open_cube(path).layers[0]
    assert layer.shape == (ROWS, COLUMNS)
    np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), cube[0, ::-1])


def test_header_name_may_be_appended(tmp_path: Path) -> None:
    path = tmp_path / "cube.img"
    write(path, numbers("<f4"))
    path.with_suffix(".hdr").rename(tmp_path / "cube.img.hdr")
    assert open_cube(path).format == "ENVI"


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({"data type": 6}, UnsupportedFormat, "it holds complex numbers"),
        ({"data type": 99}, UnreadableCube, "data type 99, byte order 0, interleave bsq"),
        ({"interleave": "bsx"}, UnreadableCube, "interleave bsx"),
        ({"samples": "many"}, UnreadableCube, "samples = many; allowed: an integer"),
        ({"lines": 0}, UnreadableCube, "0 lines"),
        ({"lines": 1000}, UnreadableCube, "is truncated: it needs"),
        ({"file compression": 1}, UnsupportedFormat, "it is compressed"),
    ],
)
def test_what_a_header_gets_wrong(tmp_path: Path, fields: dict[str, Any], error: type[Exception], reason: str) -> None:
    path = tmp_path / "cube.img"
    write(path, numbers("<f4"), fields=fields)
    with pytest.raises(error, match=reason) as caught:
        open_cube(path)
    assert str(caught.value).startswith("cube.img")


def test_the_header_itself_says_what_to_open(tmp_path: Path) -> None:
    path = tmp_path / "cube.img"
    write(path, numbers("<f4"))
    with pytest.raises(UnsupportedFormat, match=r"cube\.hdr: it is the header of cube\.img: open that"):
        open_cube(path.with_suffix(".hdr"))
    path.unlink()
    with pytest.raises(UnsupportedFormat, match="an ENVI header without a file that it describes"):
        open_cube(path.with_suffix(".hdr"))


def test_real_image(real_files: Path) -> None:
    path = real_files / "enmap/cubus_gamsberg_subset"
    layer = open_cube(path).layers[0]
    pixels = np.fromfile(path, "<f4").reshape(189, 25, 10)
    assert layer.shape == (189, 25, 10)
    assert layer.axes[0].coordinates is not None
    assert layer.axes[0].coordinates[0] == 426.820007
    assert layer.channel_label(0) == "426.82 nm"
    np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), pixels[:, ::-1])
