"""Real HDF5 and NetCDF files: equal to what h5py and netCDF4's library read, and to the FITS files they are made of."""

from __future__ import annotations

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.cube import Layer, Window
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.hdf5.idia_reader import IdiaReader

NAN = float("nan")
IDIA: dict[str, dict[tuple[int, ...], float]] = {
    "M17_SWex_unit": {(0, 0, 0, 0): NAN, (0, 2, 3, 4): -0.011030725, (0, 4, 5, 5): -0.0017401585},
    "noise_10px_10px": {(0, 0): 1.0683887, (4, 7): 0.9436474, (9, 9): 0.8909663},
}


def layer_of(path: Path) -> Layer:
    (layer,) = open_cube(path).layers
    return layer


@pytest.mark.parametrize("name", IDIA)
def test_idia_equals_its_fits(real_files: Path, name: str) -> None:
    path = real_files / "carta-backend" / f"{name}.hdf5"
    layer, twin = layer_of(path), layer_of(path.with_suffix(".fits"))
    assert layer.warnings == ()
    assert (layer.shape, layer.dtype, layer.unit, layer.axes) == (twin.shape, twin.dtype, twin.unit, twin.axes)
    pixels = layer.reader.read(Window.whole(layer.shape))
    np.testing.assert_array_equal(pixels, fits.getdata(path.with_suffix(".fits")))
    with h5py.File(path, "r", locking=False) as file:
        np.testing.assert_array_equal(pixels, file["0/DATA"][()])
    for place, value in IDIA[name].items():
        np.testing.assert_allclose(pixels[place], value, rtol=1e-6)
    for key, value in twin.header.items():
        assert layer.header[key] == (pytest.approx(value) if isinstance(value, float) else value), key
    assert layer.wcs.full is not None
    assert twin.wcs.full is not None
    assert layer.wcs.full.wcs.compare(twin.wcs.full.wcs, tolerance=1e-9)


def test_idia_spectra_and_statistics(real_files: Path) -> None:
    layer = layer_of(real_files / "carta-backend" / "M17_SWex_unit.hdf5")
    reader = layer.reader
    assert isinstance(reader, IdiaReader)
    whole = Window.whole(layer.shape)
    pixels = reader.main.read(whole)
    np.testing.assert_array_equal(reader.rotated.read(whole), pixels)
    assert reader.prefers_rotated(Window((0, 0, 2, 3), (1, 5, 3, 4)))
    planes = pixels.reshape(5, 36).astype(np.float64)
    assert layer.statistics is not None
    np.testing.assert_array_equal(layer.statistics.minimum, np.nanmin(planes, axis=1))
    np.testing.assert_array_equal(layer.statistics.maximum, np.nanmax(planes, axis=1))
    np.testing.assert_allclose(layer.statistics.mean, np.nanmean(planes, axis=1), rtol=1e-5)


def test_temperatures(real_files: Path) -> None:
    path = real_files / "rioxarray" / "tmmx_20190121.nc"
    layer = layer_of(path)
    assert (layer.name, layer.shape, str(layer.dtype), layer.unit) == ("air_temperature", (585, 1386), "float32", "K")
    assert [(axis.name, axis.kind) for axis in layer.axes] == [("lat", "y"), ("lon", "x")]
    pixels = layer.reader.read(Window.whole(layer.shape))[::-1]  # the file has the north first
    with netCDF4.Dataset(path) as file:
        np.testing.assert_allclose(pixels, file["air_temperature"][:].filled(np.nan), rtol=1e-6)
    for place, value in {(0, 0): NAN, (100, 400): 272.6, (300, 700): 283.9, (500, 1000): NAN}.items():
        np.testing.assert_allclose(pixels[place], value, rtol=1e-6)
    assert layer.wcs.celestial is not None
    world = layer.wcs.celestial.wcs_pix2world([[1, 585]], 1)
    np.testing.assert_allclose(world, [[-124.76666663333334, 49.4]], atol=1e-6)


def test_basins(real_files: Path) -> None:
    path = real_files / "xarray-data" / "basin_mask.nc"
    layer = layer_of(path)
    assert (layer.name, layer.shape, str(layer.dtype), layer.unit) == ("basin", (33, 180, 360), "float32", "ids")
    assert [(axis.name, axis.kind) for axis in layer.axes] == [("Z", "other"), ("Y", "y"), ("X", "x")]
    pixels = layer.reader.read(Window.whole(layer.shape))
    with netCDF4.Dataset(path) as file:
        file["basin"].set_auto_mask(False)
        stored = file["basin"][:]
    np.testing.assert_array_equal(pixels, np.where(stored == -100, np.nan, stored))
    for place, value in {(0, 0, 0): NAN, (0, 100, 200): 2, (20, 120, 330): 1}.items():
        np.testing.assert_equal(pixels[place], value)
    assert layer.channel_label(1) == "10 m"
