"""What a layer of the IDIA schema knows: header, axes, mipmaps, statistics; and which HDF5 files are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits

from tests.readers.hdf5.idia_files import block_means, pixels, statistics, write
from visiomatic_dask.cube import Layer, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.hdf5.idia_reader import IdiaReader

HEADER: dict[str, Any] = {
    "CTYPE1": np.bytes_("RA---SIN"),
    "CTYPE2": np.bytes_("DEC--SIN"),
    "CTYPE3": "FREQ",
    "CUNIT3": np.bytes_("Hz"),
    "CRVAL3": np.float64(1.42e9),
    "CDELT3": np.float64(1e6),
    "CRPIX3": np.float64(1),
    "CDELT1": -1e-3,
    "CDELT2": 1e-3,
    "CRVAL1": 30.0,
    "CRVAL2": -20.0,
    "BUNIT": np.bytes_("Jy/beam"),
    "EXTEND": np.uint8(1),
    "VELREF": np.int64(257),
    "HDF5_CONVERTER": np.bytes_("fits2idia"),
}


def layer_of(path: Path) -> Layer:
    (layer,) = open_cube(path).layers
    return layer


def test_header_and_axes(tmp_path: Path) -> None:
    path = tmp_path / "cube.hdf5"
    write(path, pixels((3, 8, 10)), header={**HEADER, "NAXIS1": np.int64(10), "BLANKED": np.float64("nan")})
    layer = layer_of(path)
    assert (layer.name, layer.unit, layer.warnings) == ("DATA", "Jy/beam", ())
    assert [(axis.name, axis.kind) for axis in layer.axes] == [("frequency", "spectral"), ("y", "y"), ("x", "x")]
    assert layer.axes[0].coordinates == pytest.approx((1.42e9, 1.421e9, 1.422e9))
    assert layer.wcs.celestial is not None
    assert layer.header["EXTEND"] is True
    assert layer.header["VELREF"] == 257
    assert layer.header["HDF5_CONVERTER"] == "fits2idia"
    assert "BLANKED" not in layer.header
    assert [layer.header[f"NAXIS{i}"] for i in (1, 2, 3)] == [10, 8, 3]
    assert fits.Header.fromstring(layer.header_text)["CRVAL3"] == 1.42e9


def test_what_the_header_gets_wrong(tmp_path: Path) -> None:
    path = tmp_path / "cube.hdf5"
    write(path, pixels((8, 10)), header={"NAXIS1": np.int64(11), "BRÖKEN": np.int64(1), "TEXT": "line\nline"})
    layer = layer_of(path)
    assert layer.header["NAXIS1"] == 10
    assert "TEXT" not in layer.header
    first, second = layer.warnings
    assert first == "NAXIS1 is not the size of DATA, 10, which counts"
    assert "BRÖKEN is left out" in second


@pytest.mark.parametrize(("height", "levels"), [(16, [1, 2, 3]), (12, [1, 2]), (15, [])])
def test_mipmaps_are_levels_where_the_blocks_are_the_same(tmp_path: Path, height: int, levels: list[int]) -> None:
    path = tmp_path / "cube.hdf5"
    values = pixels((2, height, 21))
    write(path, values, mipmaps=(2, 4, 8))
    layer = layer_of(path)
    assert [one.level for one in layer.levels] == levels
    for one in layer.levels:
        side = 2**one.level
        top_down = block_means(values[:, ::-1], side)[:, ::-1]  # as levels are: from the top
        assert one.reader.shape == (2, -(-height // side), -(-21 // side))
        np.testing.assert_array_equal(one.reader.read(Window.whole(one.reader.shape)), top_down)
    skewed = [warning for warning in layer.warnings if "blocks start at the bottom" in warning]
    assert len(skewed) == (len(levels) < 3)
    for level in {1, 2, 3} - set(levels):
        assert f"DATA_XY_{2**level}" in skewed[0]


def test_mipmap_of_another_shape_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "cube.hdf5"
    write(path, pixels((8, 10)))
    with h5py.File(path, "r+") as file:
        file["0/MipMaps/DATA/DATA_XY_2"] = np.zeros((4, 4), np.float32)
    layer = layer_of(path)
    assert layer.levels == ()
    assert layer.warnings == ("the mipmap DATA_XY_2 is not used: it is not an array of (4, 5) floats",)


@pytest.mark.parametrize("shape", [(8, 10), (3, 8, 10), (2, 3, 8, 10)])
def test_statistics(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "cube.hdf5"
    values = pixels(shape)
    write(path, values, with_statistics=True)
    found = layer_of(path).statistics
    assert found is not None
    planes = values.reshape(-1, 80).astype(np.float64)
    for channel, plane in enumerate(planes):
        finite = plane[np.isfinite(plane)]
        expected = (finite.min(), finite.max(), finite.mean()) if finite.size else (np.nan,) * 3
        got = (found.minimum[channel], found.maximum[channel], found.mean[channel])
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert len(found.minimum) == len(planes)


def test_statistics_that_are_not_whole_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "cube.hdf5"
    values = pixels((3, 8, 10))
    write(path, values)
    with h5py.File(path, "r+") as file:
        file["0/Statistics/XY/MIN"] = statistics(values)["MIN"]
    layer = layer_of(path)
    assert layer.statistics is None
    assert layer.warnings == ("the statistics of planes are not used: some are missing, or have other axes than DATA",)


def test_rotated_dataset_of_other_pixels_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "cube.hdf5"
    write(path, pixels((3, 8, 10)))
    with h5py.File(path, "r+") as file:
        file["0/SwizzledData/ZYX"] = np.zeros((10, 3, 8), np.float32)
    layer = layer_of(path)
    assert not isinstance(layer.reader, IdiaReader)
    assert "SwizzledData/ZYX is not used" in layer.warnings[0]


def _external(path: Path) -> None:
    with h5py.File(path.with_name("other.hdf5"), "w") as file:
        file["DATA"] = np.zeros((4, 5))
    with h5py.File(path, "w") as file:
        file.create_group("0")["DATA"] = h5py.ExternalLink("other.hdf5", "/DATA")


def _virtual(path: Path) -> None:
    with h5py.File(path.with_name("other.hdf5"), "w") as file:
        file["DATA"] = np.zeros((4, 5))
    layout = h5py.VirtualLayout((4, 5), "f8")
    layout[...] = h5py.VirtualSource("other.hdf5", "DATA", (4, 5))
    with h5py.File(path, "w") as file:
        file.create_group("0").create_virtual_dataset("DATA", layout)


def _external_storage(path: Path) -> None:
    path.with_name("raw").write_bytes(bytes(160))
    with h5py.File(path, "w") as file:
        file.create_dataset("0/DATA", (4, 5), "f8", external=[("raw", 0, 160)])


def _soft(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["real"] = np.zeros((4, 5))
        file.create_group("0")["DATA"] = h5py.SoftLink("/real")


def _generic(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for index in range(8):
            file[f"entry/data{index}"] = np.zeros((index + 1, 3), np.int16)


def _dataset(path: Path, **how: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("0/DATA", **how)


REFUSED = {
    "external link": (_external, "it is HDF5 that holds no dataset, neither in the IDIA schema"),
    "virtual": (_virtual, "0/DATA has its data in other files, which are not followed"),
    "external storage": (_external_storage, "0/DATA has its data in other files, which are not followed"),
    "soft link": (_soft, r"it is HDF5 that holds /real \(4, 5\) float64, neither"),
    "generic": (
        _generic,
        r"holds /entry/data0 \(1, 3\) int16, /entry/data1 .*, /entry/data4 \(5, 3\) int16 and 3 more, neither in",
    ),
    "complex": (lambda path: _dataset(path, data=np.zeros((2, 3), complex)), "0/DATA holds complex128, not real"),
    "text": (lambda path: _dataset(path, data=np.array([[b"a", b"b"]])), r"0/DATA holds \|S1, not real numbers"),
    "table": (
        lambda path: _dataset(path, data=np.zeros((2, 3), [("a", "i4"), ("b", "f8")])),
        "0/DATA holds .*, not real numbers",
    ),
    "one axis": (lambda path: _dataset(path, data=np.zeros(7)), r"0/DATA has shape \(7,\), not 2 to 5 axes"),
    "no pixels": (lambda path: _dataset(path, data=np.zeros((0, 7))), r"0/DATA has shape \(0, 7\), not 2 to 5 axes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    make, reason = REFUSED[name]
    path = tmp_path / "file.hdf5"
    make(path)
    with pytest.raises(UnsupportedFormat, match=reason) as caught:
        open_cube(path)
    assert str(caught.value).startswith("file.hdf5: ")
    assert str(tmp_path) not in str(caught.value)


def test_groups_in_circles_are_walked_once(tmp_path: Path) -> None:
    path = tmp_path / "circle.hdf5"
    with h5py.File(path, "w") as file:
        first, second = file.create_group("a"), file.create_group("b")
        for index in range(4):
            first[f"to{index}"], second[f"to{index}"], first[f"self{index}"] = second, first, first
        first["root"] = file["/"]
        second["data"] = np.zeros(3)
        second["again"] = second["data"]
    with pytest.raises(UnsupportedFormat, match=r"it is HDF5 that holds /b/again \(3,\) float64, neither"):
        open_cube(path)


def test_filter_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sz.hdf5"
    write(path, pixels((8, 8)), chunks=(4, 4), compression="lzf")
    content = path.read_bytes()
    place = content.index(b"lzf\0") - 8  # HDF5 writes no filter that it has not: its number is put in afterwards
    assert content[place : place + 2] == (32000).to_bytes(2, "little")
    path.write_bytes(content[:place] + (32017).to_bytes(2, "little") + content[place + 2 :])
    with pytest.raises(UnsupportedFormat, match=r"0/DATA is compressed with sz \(filter 32017\)"):
        open_cube(path)


@pytest.mark.parametrize("size", [8, 100, 700])
def test_truncated_file_is_unreadable(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.hdf5"
    write(path, pixels((8, 10)))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UnreadableCube, match=r"^cut\.hdf5: reading it failed") as caught:
        open_cube(path)
    assert str(tmp_path) not in str(caught.value)


def test_opening_reads_metadata_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cube of 32 MiB, by planes and by spectra, with mipmaps and statistics: its headers are found by seeking."""
    path = tmp_path / "large.hdf5"
    values = np.zeros((32, 512, 512), np.float32)
    write(path, values, rotated=True, chunks=(1, 64, 64), with_statistics=True, header=HEADER)
    read: list[int] = []
    read_ranges = SourceFile.read_ranges

    def counted(self: SourceFile, offsets: Any, sizes: Any, out: memoryview) -> None:
        read.extend(sizes)
        read_ranges(self, offsets, sizes, out)

    monkeypatch.setattr(SourceFile, "read_ranges", counted)
    reader = layer_of(path).reader
    assert 0 < sum(read) < 200_000
    read.clear()
    reader.read(Window((3, 0, 0), (4, 64, 64)))
    assert 64 * 64 * 4 <= sum(read) < 64 * 64 * 4 + 100_000
