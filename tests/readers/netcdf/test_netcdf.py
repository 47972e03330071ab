"""What NetCDF files are as cubes: which variables are layers, and what is known of their axes and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

from visiomatic_dask.cube import SourceFile, Window
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube

Kind = Literal["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]
KINDS: tuple[Kind, ...] = ("NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


def write_weather(path: Path, kind: Kind) -> None:
    """A file as weather services write them: coordinates, bounds, an auxiliary longitude, latitudes that fall."""
    with netCDF4.Dataset(path, "w", format=kind) as file:
        for name, size in {"time": None, "lat": 4, "lon": 6, "nv": 2}.items():
            file.createDimension(name, size)
        time = file.createVariable("time", "i4", ("time",))
        time.setncatts({"units": "days since 1970-01-01", "calendar": "standard"})
        lat = file.createVariable("lat", "f4", ("lat",))
        lat.setncatts({"units": "degrees_north", "bounds": "lat_bnds"})
        lon = file.createVariable("lon", "f8", ("lon",))
        lon.setncatts({"units": "degrees_east"})
        file.createVariable("lat_bnds", "f4", ("lat", "nv"))[:] = 0
        crs = file.createVariable("crs", "i4", ())
        crs.grid_mapping_name = "latitude_longitude"
        file.createVariable("xlon", "f4", ("lat", "lon"))[:] = 5
        wind = file.createVariable("wind", "f4", ("time", "lat", "lon"), fill_value=np.float32(-1))
        wind.setncatts({"units": "m s-1", "coordinates": "xlon", "grid_mapping": "crs", "FILTER": "10 m"})
        wind.missing_value = np.array([-2, -3], "f4")
        temperature = file.createVariable("temp", "i2", ("time", "lat", "lon"))
        temperature.setncatts({"scale_factor": 0.01, "add_offset": 273.15, "valid_range": np.array([0, 3], "i2")})
        time[:] = [0, 31]
        lat[:] = [60, 50, 40, 30]
        lon[:] = np.arange(6) * 0.5
        wind.set_auto_mask(False)
        wind[:] = np.arange(-3, 45, dtype="f4").reshape(2, 4, 6)
        temperature.set_auto_scale(False)
        temperature[:] = np.arange(48, dtype="i2").reshape(2, 4, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_weather(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "weather.nc"
    write_weather(path, kind)
    cube = open_cube(path)
    assert cube.format == "NetCDF"
    assert [layer.name for layer in cube.layers] == ["wind", "temp"]
    wind, temperature = cube.layers
    assert (wind.unit, wind.header["FILTER"], wind.warnings) == ("m s-1", "10 m", ())
    assert [(axis.name, axis.kind) for axis in wind.axes] == [("time", "time"), ("lat", "y"), ("lon", "x")]
    assert wind.channel_label(1) == "1970-02-01"
    assert wind.axes[1].coordinates == (30.0, 40.0, 50.0, 60.0)  # y upwards
    assert wind.wcs.celestial is not None
    np.testing.assert_allclose(wind.wcs.celestial.wcs_pix2world([[3, 2]], 1), [[1, 40]])
    pixels = wind.reader.read(Window.whole(wind.shape))
    expected = np.arange(-3, 45, dtype="f4").reshape(2, 4, 6)[:, ::-1]
    np.testing.assert_array_equal(pixels, np.where(expected < 0, np.nan, expected))
    assert temperature.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_xarray(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "weather.nc"
    write_weather(path, kind)
    with (
        xr.open_dataset(path, engine="netcdf4", drop_variables="wind") as theirs,
        xr.open_dataset(path, engine="visiomatic") as ours,
    ):
        assert ours["temp"].dims == theirs["temp"].dims
        np.testing.assert_allclose(ours["temp"], theirs["temp"], rtol=1e-6)
        np.testing.assert_array_equal(xr.decode_cf(ours)["time"], theirs["time"])
        np.testing.assert_array_equal(ours["lat"], theirs["lat"])


def test_groups(tmp_path: Path) -> None:
    path = tmp_path / "groups.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 3)
        file.createVariable("y", "f8", ("y",))[:] = [1, 2, 3]
        group = file.createGroup("PRODUCT")
        group.createDimension("x", 4)
        for name in ("no2", "lat2d"):
            group.createVariable(name, "f4", ("y", "x"))[:] = 1
        group["no2"].coordinates = "lat2d"
        group.createGroup("DETAIL").createVariable("qa", "u1", ("y", "x"))[:] = 2
    layers = open_cube(path).layers
    assert sorted(layer.name for layer in layers) == ["PRODUCT/DETAIL/qa", "PRODUCT/no2"]
    assert all([axis.name for axis in layer.axes] == ["y", "x"] for layer in layers)
    assert all(layer.axes[0].coordinates == (1, 2, 3) for layer in layers)


def test_other_calendars_are_not_dated(tmp_path: Path) -> None:
    path = tmp_path / "noleap.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name in ("time", "y", "x"):
            file.createDimension(name, 2)
        time = file.createVariable("time", "f8", ("time",))
        time.setncatts({"units": "days since 2000-01-01", "calendar": "noleap"})
        time[:] = [0, 60]
        file.createVariable("v", "f4", ("time", "y", "x"))[:] = 0
    (layer,) = open_cube(path).layers
    assert layer.axes[0].kind == "time"
    assert layer.channel_label(1) == "60 days since 2000-01-01 (noleap)"


def test_what_was_never_written_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "part.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 2)
        file.createDimension("x", 3)
        for kind in ("f4", "f8"):
            file.createVariable(kind, kind, ("y", "x"))[0] = 5
    for layer in open_cube(path).layers:
        pixels = layer.reader.read(Window.whole((2, 3)))
        np.testing.assert_array_equal(pixels, [[np.nan] * 3, [5] * 3])  # y upwards


def test_attributes_that_make_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "odd.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 2)
        file.createDimension("x", 3)
        variable = file.createVariable("v", "u1", ("y", "x"))
        variable.setncatts({"scale_factor": "much", "missing_value": "none", "add_offset": np.float64("inf")})
    (layer,) = open_cube(path).layers
    assert layer.dtype == np.uint8
    assert [warning.split(" is ignored")[0] for warning in layer.warnings] == [
        "scale_factor = 'much'",
        "add_offset = np.float64(inf)",
        "missing_value = 'none'",
    ]


def test_variable_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mixed.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 2)
        file.createDimension("x", 3)
        file.createVariable("good", "f4", ("y", "x"))[:] = 0
    with h5py.File(path, "r+") as file:
        path.with_name("raw").write_bytes(bytes(24))
        bad = file.create_dataset("bad", (2, 3), "f4", external=[(str(path.with_name("raw")), 0, 24)])
        bad.dims[0].attach_scale(file["y"])
    (layer,) = open_cube(path).layers
    assert layer.name == "good"
    assert layer.warnings == ("bad has its data in other files, which are not followed",)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_show(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "series.nc"
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.createDimension("time", 3)
        file.createVariable("time", "f8", ("time",))[:] = 0
        file.createVariable("flux", "f4", ("time",))[:] = 0
    with pytest.raises(UnsupportedFormat, match=r"^series\.nc: no variable .* can be shown: .*flux \(3,\)"):
        open_cube(path)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_cut_of_the_header_is_unreadable(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "whole.nc"
    write_weather(path, kind)
    content = path.read_bytes()
    cut = tmp_path / "cut.nc"
    for size in range(4, 1000, 7):
        cut.write_bytes(content[:size])
        with pytest.raises(UnreadableCube, match=r"^cut\.nc") as caught:
            open_cube(cut)
        assert str(tmp_path) not in str(caught.value)


def test_damaged_headers_never_raise_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "whole.nc"
    write_weather(path, "NETCDF3_CLASSIC")
    content, damaged = path.read_bytes(), tmp_path / "damaged.nc"
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        other = bytearray(content)
        other[int(random.integers(4, 1100))] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF]))
        damaged.write_bytes(other)
        try:
            open_cube(damaged)
        except UnreadableCube:
            refused += 1
    assert refused > 20


def test_unfinished_records_are_counted_from_the_size(tmp_path: Path) -> None:
    path = tmp_path / "streaming.nc"
    write_weather(path, "NETCDF3_CLASSIC")
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    assert [layer.shape for layer in open_cube(path).layers] == [(2, 4, 6), (2, 4, 6)]


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_64BIT_OFFSET"])
def test_opening_reads_metadata_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    path = tmp_path / "large.nc"
    with netCDF4.Dataset(path, "w", format=kind) as file:
        for name, size in {"time": 20, "y": 500, "x": 600}.items():
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[:] = np.arange(size)
        for index in range(4):
            file.createVariable(f"v{index}", "f4", ("time", "y", "x"))[:] = 1
    read: list[int] = []
    read_ranges = SourceFile.read_ranges

    def counted(self: SourceFile, offsets: Any, sizes: Any, out: memoryview) -> None:
        read.extend(sizes)
        read_ranges(self, offsets, sizes, out)

    monkeypatch.setattr(SourceFile, "read_ranges", counted)
    assert len(open_cube(path).layers) == 4
    assert 0 < sum(read) < 300_000
