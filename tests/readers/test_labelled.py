"""Arrays with named dimensions as layers: which axis is which, which way is up, and where on Earth a pixel is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.cube import Cube, Layer, SourceFile, Window
from visiomatic_dask.readers.labelled import Dim, labelled_layer
from visiomatic_dask.readers.xarray_backend import layer_to_xarray

ARRAY = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)


def layer_of(*dims: Dim, **kwargs: Any) -> Layer:
    return labelled_layer("a", FakeReader(ARRAY), dims, **kwargs)


def along(first: float, step: float, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(first + step * np.arange(count), np.float64)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("time", "y", "x"), ["time", "y", "x"]),
        (("y", "x", "band"), ["band", "y", "x"]),
        (("lon", "lat", "level"), ["level", "lat", "lon"]),
        (("x", "time", "y"), ["time", "y", "x"]),
        (("a", "b", "c"), ["a", "b", "c"]),
        (("x", "b", "c"), ["x", "b", "c"]),
    ],
)
def test_axes_by_name_else_by_position(names: tuple[str, ...], order: list[str]) -> None:
    layer = layer_of(*(Dim(name, size) for name, size in zip(names, ARRAY.shape, strict=True)))
    assert [axis.name for axis in layer.axes] == order
    assert [axis.kind for axis in layer.axes[-2:]] == ["y", "x"]
    assert layer.shape == tuple(ARRAY.shape[names.index(name)] for name in order)


def test_axes_by_what_the_cf_conventions_say() -> None:
    layer = layer_of(
        Dim("i", 3, attributes={"axis": "X"}),
        Dim("j", 4, unit="degrees_north"),
        Dim("k", 5, unit="days since 2000-01-01"),
    )
    assert [(axis.name, axis.kind) for axis in layer.axes] == [("k", "time"), ("j", "y"), ("i", "x")]
    layer = layer_of(
        Dim("u", 3, attributes={"standard_name": "projection_y_coordinate"}),
        Dim("wl", 4, unit="nm"),
        Dim("v", 5, attributes={"standard_name": "longitude"}),
    )
    assert [(axis.name, axis.kind) for axis in layer.axes] == [("wl", "spectral"), ("u", "y"), ("v", "x")]


@pytest.mark.parametrize(("coordinates", "y_down"), [(along(50, -1, 4), True), (along(47, 1, 4), False), (None, True)])
def test_up_is_where_the_coordinates_rise(coordinates: Any, y_down: bool) -> None:
    layer = layer_of(Dim("t", 3), Dim("lat", 4, coordinates, "degrees_north"), Dim("lon", 5))
    pixels = layer.reader.read(Window.whole(layer.shape))
    np.testing.assert_array_equal(pixels, ARRAY[:, ::-1] if y_down else ARRAY)
    if coordinates is not None:
        assert layer.axes[1].coordinates == (47, 48, 49, 50)  # along the layer, not the file


def test_latitudes_and_longitudes_are_a_wcs() -> None:
    lat, lon = along(50, -0.5, 4), along(-10, 0.25, 5)
    layer = layer_of(Dim("t", 3), Dim("lat", 4, lat, "degrees_north"), Dim("lon", 5, lon, "degrees_east"))
    for row in range(4):
        for column in range(5):
            sky = layer.wcs.sky(column + 1, 4 - row)  # FITS pixels count from the bottom
            assert sky is not None
            assert (sky.lon + 180) % 360 - 180 == pytest.approx(lon[column])
            assert sky.lat == pytest.approx(lat[row])
            assert sky.frame == "itrs"


@pytest.mark.parametrize("first", [0.5, -179.5, 100.5])
def test_the_whole_earth_has_longitudes(first: float) -> None:
    lon = along(first, 1, 360)
    array = FakeReader(np.zeros((4, 360), np.float32))
    dims = [Dim("lat", 4, along(-1.5, 1, 4), "degrees_north"), Dim("lon", 360, lon, "degrees_east")]
    layer = labelled_layer("a", array, dims)
    for column in (0, 1, 179, 203, 359):
        sky = layer.wcs.sky(column + 1, 2)
        assert sky is not None
        assert (sky.lon - lon[column] + 180) % 360 - 180 == pytest.approx(0, abs=1e-9)


def test_uneven_coordinates_are_no_wcs() -> None:
    lat = along(50, -0.5, 4) ** 2
    layer = layer_of(Dim("t", 3), Dim("lat", 4, lat, "degrees_north"), Dim("lon", 5, along(0, 1, 5), "degrees_east"))
    assert layer.wcs.celestial is None
    assert layer.warnings == ()
    assert layer.axes[1].coordinates == tuple(lat[::-1].tolist())


def test_attributes_become_a_header_where_fits_can_hold_them() -> None:
    layer = layer_of(
        *(Dim(name, size) for name, size in zip("tyx", ARRAY.shape, strict=True)),
        unit="K",
        attributes={
            "object": "M 31",
            "gain": np.float32(2.5),
            "bad": float("nan"),
            "long_attribute_name": "left out",
            "accent": "é",
            "text": "x" * 100,
            "numbers": [1, 2],
        },
    )
    assert layer.unit == "K"
    assert {key: layer.header[key] for key in ("OBJECT", "GAIN", "BUNIT")} == {
        "OBJECT": "M 31",
        "GAIN": 2.5,
        "BUNIT": "K",
    }
    assert not {"BAD", "ACCENT", "TEXT", "NUMBERS"} & set(layer.header)
    assert layer.header["NAXIS1"] == 5


def test_levels_are_turned_like_the_layer() -> None:
    coarse = FakeReader(ARRAY[:, ::2, ::2].copy())
    dims = [Dim(name, size) for name, size in zip(("y", "time", "x"), (4, 3, 5), strict=True)]
    layer = labelled_layer(
        "a",
        FakeReader(ARRAY.transpose(1, 0, 2).copy()),
        dims,
        levels=[(1, FakeReader(coarse.array.transpose(1, 0, 2).copy()))],
    )
    (level,) = layer.levels
    assert level.level == 1
    assert level.reader.shape == (3, 2, 3)
    np.testing.assert_array_equal(level.reader.read(Window.whole((3, 2, 3))), coarse.array[:, ::-1])


def test_a_copied_fits_header_is_no_wcs_of_this_array() -> None:
    """It may be of one with its rows the other way round, or of another part of it."""
    copied = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 5.0, "CRVAL1": 10.0}
    copied |= {"END": 1, "NAXIS1": 77, "TELESCOP": "X"}
    layer = layer_of(*(Dim(name, size) for name, size in zip("tyx", ARRAY.shape, strict=True)), attributes=copied)
    assert layer.wcs.celestial is None
    assert (layer.header["NAXIS1"], layer.header["TELESCOP"]) == (5, "X")


@pytest.mark.parametrize("names", [("t", "lat", "lon"), ("lon", "t", "lat"), ("lat", "lon", "t")])
@pytest.mark.parametrize("step", [-1.0, 1.0])
def test_the_wcs_of_an_xarray_object_is_of_its_own_order(names: tuple[str, ...], step: float) -> None:
    coordinates = {"lat": along(40, step, 4), "lon": along(10, 2, 5), "t": None}
    units = {"lat": "degrees_north", "lon": "degrees_east", "t": ""}
    array = np.zeros([{"lat": 4, "lon": 5, "t": 3}[name] for name in names], np.float32)
    dims = [Dim(name, size, coordinates[name], units[name]) for name, size in zip(names, array.shape, strict=True)]
    layer = labelled_layer("a", FakeReader(array), dims)
    found = layer_to_xarray(Cube("a", "Zarr", SourceFile("/nowhere", 0, 0), (layer,)), layer)
    assert found.dims == names
    wcs = found.visiomatic.wcs
    for index in ((1, 2, 1), (2, 1, 2)):
        world = wcs.wcs_pix2world([index[::-1]], 0)[0][::-1]
        for axis, name in enumerate(names):
            if name != "t":
                values = coordinates[name]
                assert values is not None
                assert world[axis] == pytest.approx(values[index[axis]])
