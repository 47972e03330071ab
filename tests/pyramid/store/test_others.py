"""Pyramids as others open them: xarray, zarr alone, our own reader of Zarr, ome-zarr-py and ngff-zarr.

The last two come with scikit-image, a WebAssembly runtime and a pydantic older than ours: they get an environment of
their own, .cache/ngff, which the first run makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from numpy.typing import NDArray

from tests.pyramid.store.ngff_readers import digest
from tests.pyramid.store.pyramids import SPECTRAL, STOKES, fill, new_pyramid, sparse_cube
from visiomatic_dask.cube import Window
from visiomatic_dask.pyramid.store.pyramid import Pyramid
from visiomatic_dask.readers import open_cube

ROOT = Path(__file__).parents[3]
ENVIRONMENT = ROOT / ".cache" / "ngff"
PACKAGES = ("ngff-zarr==0.50.0", "ome-zarr==0.18.0")

Filled = tuple[Pyramid, dict[int, NDArray[np.float32]]]


def filled(folder: Path, shape: tuple[int, ...]) -> Filled:
    pyramid = new_pyramid(str(folder / "store"), sparse_cube(folder / "a.fits", shape, SPECTRAL | STOKES))
    return pyramid, fill(pyramid)


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return filled(tmp_path_factory.mktemp("channels"), (5, 601, 700))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return filled(tmp_path_factory.mktemp("plane"), (601, 700))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return filled(tmp_path_factory.mktemp("images"), (3, 5, 300, 401))


@pytest.fixture(scope="session")
def ngff_python() -> Path:
    """Python with ome-zarr-py and ngff-zarr."""
    python = ENVIRONMENT / "bin" / "python"
    installed = ENVIRONMENT / ".installed"
    if not installed.exists() or installed.read_text() != str(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", ENVIRONMENT], check=True, timeout=120)
        # Most of what comes along is never imported: it need not be compiled.
        options = ("--quiet", "--disable-pip-version-check", "--no-compile")
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            pytest.skip(f"{' and '.join(PACKAGES)} cannot be installed: {done.stderr[-300:]}")
        installed.write_text(str(PACKAGES))
    return python


def test_xarray(channels: Filled) -> None:
    pyramid, levels = channels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = xr.open_datatree(pyramid.address, engine="zarr")
    assert set(tree.children) == {"1", "2", "statistics"}
    for level, pixels in levels.items():
        node = tree[str(level)]
        data = node["data"]
        assert data.dims == ("frequency", "y", "x")
        assert data.dtype == np.float32
        assert data.attrs["units"] == "Jy/beam"
        np.testing.assert_array_equal(data, pixels)
        np.testing.assert_array_equal(node["missing"], np.isnan(pixels) * 4**level)
        np.testing.assert_allclose(data.coords["frequency"], 1.4e9 + 1e6 * np.arange(5))
        assert data.coords["frequency"].attrs["units"] == "Hz"
        first = (2**level - 1) / 2
        np.testing.assert_array_equal(data.coords["x"], first + 2**level * np.arange(pixels.shape[2]))
        np.testing.assert_array_equal(data.coords["y"], 600 - first - 2**level * np.arange(pixels.shape[1]))
    near = tree["2"]["data"].sel(x=100, y=50, method="nearest")  # as a FITS pixel, from 0
    np.testing.assert_array_equal(near, levels[2][:, (600 - 50) // 4, 100 // 4])
    tree.close()


def test_xarray_of_several_images(images: Filled) -> None:
    pyramid, levels = images
    tree = xr.open_datatree(pyramid.address, engine="zarr")
    assert set(tree.children) == {"I", "Q", "U", "statistics"}
    for image, name in enumerate("IQU"):
        data = tree[f"{name}/1/data"]
        np.testing.assert_array_equal(data, levels[1][5 * image : 5 * image + 5])
        assert data.coords["frequency"].size == 5
    tree.close()


@pytest.mark.parametrize("consolidated", [True, False])
def test_zarr_alone(plane: Filled, consolidated: bool) -> None:
    pyramid, levels = plane
    group = zarr.open_group(pyramid.address, mode="r", use_consolidated=consolidated)
    ome: Any = group.attrs["ome"]
    (image,) = ome["multiscales"]
    for (level, pixels), dataset in zip(levels.items(), image["datasets"], strict=True):
        array: Any = group[dataset["path"]]
        np.testing.assert_array_equal(array[...], pixels[0])
        assert array.metadata.dimension_names == ("y", "x")
        np.testing.assert_array_equal(group[f"{level}/missing"][...], np.isnan(pixels[0]) * 4**level)  # type: ignore[index]
        np.testing.assert_array_equal(array[3:200:7, 100:4:1], pixels[0, 3:200:7, 100:4:1])


def test_our_own_reader(channels: Filled, images: Filled) -> None:
    """Level 1 is a layer, with the others as its levels; neither counts nor statistics are taken for images."""
    pyramid, levels = channels
    (layer,) = open_cube(pyramid.address).layers
    assert (layer.name, layer.warnings, layer.unit) == ("PRIMARY", (), "Jy/beam")
    assert [axis.name for axis in layer.axes] == ["frequency", "y", "x"]
    assert layer.axes[0].kind == "spectral"
    pixels = layer.reader.read(Window.whole(layer.shape))
    np.testing.assert_array_equal(pixels[:, ::-1], levels[1])
    assert [one.level for one in layer.levels] == [1]
    coarser = layer.levels[0].reader
    np.testing.assert_array_equal(coarser.read(Window.whole(coarser.shape))[:, ::-1], levels[2])
    layers = open_cube(images[0].address).layers
    assert [one.name for one in layers] == ["I", "Q", "U"]
    assert all(one.warnings == () for one in layers)


@pytest.mark.timeout(900)
def test_ome_zarr_and_ngff_zarr(ngff_python: Path, channels: Filled, plane: Filled, images: Filled) -> None:
    cases = [
        (channels[0].address, ["frequency", "y", "x"], channels[1]),
        (plane[0].address, ["y", "x"], {level: pixels[0] for level, pixels in plane[1].items()}),
        (f"{images[0].address}/Q", ["frequency", "y", "x"], {1: images[1][1][5:10]}),
    ]
    for address, axes, levels in cases:
        command = [str(ngff_python), str(ROOT / "tests/pyramid/store/ngff_readers.py"), address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={})
        assert done.returncode == 0, done.stderr
        for library, found in json.loads(done.stdout.splitlines()[-1]).items():
            assert len(found) == len(levels), library
            for one, (level, pixels) in zip(found, levels.items(), strict=True):
                assert one["axes"] == axes, library
                assert one["types"] == ["channel", "space", "space"][-len(axes) :]
                assert one["scale"] == [*[1.0] * (len(axes) - 2), 2.0**level, 2.0**level]
                shift = (2**level - 1) / 2
                assert one["translation"] == [*[0.0] * (len(axes) - 2), shift, shift]
                assert {key: one[key] for key in ("shape", "dtype", "nan", "sum")} == digest(pixels)
