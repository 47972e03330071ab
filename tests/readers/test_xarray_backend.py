"""Cubes as xarray objects: lazy, labelled, and indexed as numpy would."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import visiomatic_dask
from tests.contracts.fake_reader import FakeReader
from tests.readers.fits.fits_files import empty_primary, image
from tests.readers.fits.test_fits import RADIO
from visiomatic_dask.cube import Axis, Cube, LayerWCS, SourceFile
from visiomatic_dask.cube.cube import Layer
from visiomatic_dask.errors import CubeChanged, CubeNotFound, InvalidRequest, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.xarray_backend import VisiomaticBackend, layer_to_xarray, open_cube

SHAPE = (2, 3, 4, 5)
PIXELS = np.arange(120, dtype=np.float32).reshape(SHAPE)
STAT = PIXELS[0, 0] + 1000


def counted(array: NDArray[Any]) -> tuple[xr.DataArray, FakeReader]:
    """A layer of an array in memory, as xarray, and the reader that counts."""
    reader = FakeReader(array)
    names = ["a", "b", "c", "d", "y", "x"][-array.ndim :]
    axes = tuple(Axis(name, "other", "", "", size) for name, size in zip(names, array.shape, strict=True))
    layer = Layer("L", reader, axes, "", {}, "", LayerWCS(None, None))
    return layer_to_xarray(Cube("fake", "FITS", SourceFile("/nowhere", 0, 0), (layer,)), layer), reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cube.fits"
    path.write_bytes(image(PIXELS, -32, RADIO) + image(STAT, -64, {"EXTNAME": "STAT"}, extension=True))
    return path


def test_dims_coordinates_and_units(path: Path) -> None:
    array = open_cube(path)
    assert array.dims == ("stokes", "frequency", "y", "x")
    assert array.shape == SHAPE
    assert array.dtype == np.float32
    assert array.name == "PRIMARY"
    assert array.attrs["units"] == "Jy/beam"
    assert array.attrs["object"] == "Orion"
    assert array.attrs["layer"] == "PRIMARY"
    np.testing.assert_array_equal(array.x, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(array.y, [1, 2, 3, 4])
    assert array.x.attrs["units"] == "pixel"
    np.testing.assert_allclose(array.frequency, [9.9999e10, 1e11, 1.00001e11], rtol=1e-12)
    assert array.frequency.attrs == {"units": "Hz", "ctype": "FREQ"}
    np.testing.assert_array_equal(array.stokes, [1, 2])
    np.testing.assert_array_equal(array, PIXELS)


def test_selection_by_world_coordinate(path: Path) -> None:
    array = open_cube(path)
    np.testing.assert_array_equal(array.sel(frequency=1.00001e11, stokes=2, method="nearest"), PIXELS[1, 2])


def test_nothing_is_read_before_it_is_asked_for(path: Path) -> None:
    array = open_cube(path)
    part = array.isel(stokes=1, frequency=slice(None, None, -1), y=slice(1, 3))
    chunked = open_cube(path, chunks={})
    dataset = xr.open_dataset(path, engine="visiomatic")
    path.unlink()
    assert part.shape == (3, 2, 5)
    assert "frequency" in repr(dataset)
    for lazy in (part, chunked, dataset["STAT"]):
        with pytest.raises(CubeChanged):
            lazy.load()


def test_only_what_is_asked_for_is_read() -> None:
    array, reader = counted(PIXELS)
    part = array[1, :, 2:4][:, :, ::2]
    assert reader.windows == []
    np.testing.assert_array_equal(part, PIXELS[1, :, 2:4, ::2])
    assert len(reader.windows) == 1
    assert reader.windows[0].shape == (1, 3, 2, 3)
    np.testing.assert_array_equal(array[0, 0].transpose("x", "y"), PIXELS[0, 0].T)


INDEX = st.one_of(
    st.integers(-4, 3),
    # Empty ones that run backwards raise within xarray itself (2026.9), before a reader is asked.
    st.slices(4).filter(lambda one: len(range(*one.indices(4))) > 0 or (one.step or 1) > 0),
    st.lists(st.integers(-4, 3), max_size=5).map(lambda one: np.array(one, dtype=np.int64)),
    st.lists(st.booleans(), min_size=4, max_size=4).map(np.array),
)


@given(st.tuples(INDEX, INDEX, INDEX))
def test_indexing_equals_numpy(key: tuple[Any, ...]) -> None:
    """Integers, slices of any step, lists and masks, orthogonally, as xarray indexes."""
    values = np.arange(64, dtype=np.int32).reshape(4, 4, 4)
    array, _ = counted(values)
    expected = values
    for axis in (2, 1, 0):
        expected = expected[(slice(None),) * axis + (key[axis],)]
    np.testing.assert_array_equal(array[key], expected)


def test_items_that_lie_far_apart_are_read_apart() -> None:
    """A list of channels costs those channels, not everything between the first and the last."""
    values = np.arange(9 * 4 * 4, dtype=np.int32).reshape(9, 4, 4)
    array, reader = counted(values)
    np.testing.assert_array_equal(array[[0, 8, 3]], values[[0, 8, 3]])
    assert reader.bytes_read == 3 * values[0].nbytes


def test_pointwise_indexing_equals_numpy(path: Path) -> None:
    points = xr.DataArray([3, 0, 2], dims="point")
    values = open_cube(path).isel(y=points, x=points)
    np.testing.assert_array_equal(values.transpose("point", ...), np.moveaxis(PIXELS[:, :, [3, 0, 2], [3, 0, 2]], 2, 0))


def test_chunks_are_those_of_the_source(path: Path) -> None:
    assert open_cube(path).chunks is None
    array = open_cube(path, chunks={})
    assert isinstance(array.data, da.Array)
    assert array.chunks == ((1, 1), (1, 1, 1), (4,), (5,))
    np.testing.assert_array_equal(array, PIXELS)
    assert open_cube(path, chunks={"x": 2}).chunks == ((2,), (3,), (4,), (2, 2, 1))
    assert xr.open_dataset(path, engine="visiomatic", chunks={})["PRIMARY"].chunks == array.chunks


def test_preferred_chunks_are_whole_rows_of_8_mib() -> None:
    array, _ = counted(np.broadcast_to(np.float32(0), (7, 5000, 3000)))
    assert array.encoding["preferred_chunks"] == {"d": 1, "y": 8 * 2**20 // 12000, "x": 3000}
    array, _ = counted(np.broadcast_to(np.float64(0), (2, 3_000_000)))
    assert array.encoding["preferred_chunks"] == {"y": 1, "x": 3_000_000}


def test_pickled_lazily(path: Path) -> None:
    for array in (open_cube(path), open_cube(path, chunks={})):
        data = pickle.dumps(array.isel(stokes=0))
        np.testing.assert_array_equal(pickle.loads(data), PIXELS[0])
    text = pickle.dumps(open_cube(path))
    assert PIXELS.tobytes()[:64] not in text


def test_dataset_has_every_layer(path: Path) -> None:
    dataset = xr.open_dataset(path, engine="visiomatic")
    assert list(dataset.data_vars) == ["PRIMARY", "STAT"]
    assert dataset["STAT"].dims == ("y", "x")
    assert dataset.attrs["fingerprint"] == open_cube(path).attrs["fingerprint"]
    np.testing.assert_array_equal(dataset["STAT"], STAT)
    assert list(xr.open_dataset(path, engine="visiomatic", layer="STAT").data_vars) == ["STAT"]
    assert list(xr.open_dataset(path, engine="visiomatic", drop_variables="STAT").data_vars) == ["PRIMARY"]
    assert list(xr.open_dataset(path, engine="visiomatic", drop_variables=["PRIMARY"]).data_vars) == ["STAT"]


def test_dimensions_of_other_sizes_are_renamed(path: Path) -> None:
    parts = [({"EXTNAME": "A"}, (4, 5)), ({"EXTNAME": "B"}, (4, 6)), ({"EXTNAME": "C"}, (3, 6))]
    images = [image(np.zeros(shape), -64, cards, extension=True) for cards, shape in parts]
    path.write_bytes(b"".join([empty_primary(), *images]))
    dataset = xr.open_dataset(path, engine="visiomatic")
    assert {name: one.dims for name, one in dataset.items()} == {
        "A": ("y", "x"),
        "B": ("y", "x_B"),
        "C": ("y_C", "x_C"),
    }
    assert {name: one.shape for name, one in dataset.items()} == {"A": (4, 5), "B": (4, 6), "C": (3, 6)}
    chunked = xr.open_dataset(path, engine="visiomatic", chunks={})
    assert {name: one.chunks for name, one in chunked.items()} == {
        "A": ((4,), (5,)),
        "B": ((4,), (6,)),
        "C": ((3,), (6,)),
    }


@pytest.mark.parametrize("name", ["x", "Y", "y", "frequency"])
def test_layer_called_like_a_dimension(path: Path, name: str) -> None:
    path.write_bytes(image(STAT, -64, {"EXTNAME": name}))
    dataset = xr.open_dataset(path, engine="visiomatic")
    ((found, variable),) = dataset.data_vars.items()
    assert found == (f"layer_{name}" if name in ("x", "y") else name)
    np.testing.assert_array_equal(variable, STAT)


def test_layer_by_name(path: Path) -> None:
    np.testing.assert_array_equal(open_cube(path, layer="STAT"), STAT)
    with pytest.raises(InvalidRequest, match="layer is 'NONE'; allowed: PRIMARY, STAT"):
        open_cube(path, layer="NONE")


def test_accessor_gives_wcs_and_header(path: Path) -> None:
    array = open_cube(path)
    assert array.visiomatic.header["CRVAL3"] == 1e11
    wcs = array.visiomatic.wcs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = WCS(fits.getheader(path))
    pixel = (3.0, 1.0, 2.0, 0.0)
    np.testing.assert_array_equal(wcs.pixel_to_world_values(*pixel), oracle.pixel_to_world_values(*pixel))
    assert (array * 2).isel(x=0).name == "PRIMARY"
    with xr.set_options(keep_attrs=True):
        assert (array * 2).isel(x=0).visiomatic.header["OBJECT"] == "Orion"


def test_backend_is_registered_and_guesses_by_content(path: Path, tmp_path: Path) -> None:
    assert isinstance(xr.backends.list_engines()["visiomatic"], VisiomaticBackend)
    other = tmp_path / "text.fits"
    other.write_text("no FITS")
    backend = VisiomaticBackend()
    assert backend.guess_can_open(path)
    assert backend.guess_can_open(str(path))
    assert not any(map(backend.guess_can_open, (other, tmp_path / "none.fits", tmp_path, b"SIMPLE  =", None)))
    np.testing.assert_array_equal(xr.open_dataset(path)["STAT"], STAT)


def test_errors_are_the_packages(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CubeNotFound):
        open_cube(tmp_path / "none.fits")
    (tmp_path / "empty.fits").touch()
    with pytest.raises(UnreadableCube):
        xr.open_dataset(tmp_path / "empty.fits", engine="visiomatic")
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(UnsupportedFormat):
        visiomatic_dask.open_cube(tmp_path / "text.fits")
