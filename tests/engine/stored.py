"""Small cubes whose pyramids have several shards, and what is in a pyramid."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.pyramid.store import shards
from visiomatic_dask.pyramid.store.layout import create_pyramid
from visiomatic_dask.pyramid.store.pyramid import Pyramid
from visiomatic_dask.pyramid.store.statistics import Bins
from visiomatic_dask.readers import open_cube


def write_cube(path: Path, shape: tuple[int, int, int], seed: int = 1) -> NDArray[np.float32]:
    """Write noise with holes, and one plane without any pixel."""
    draw = np.random.default_rng(seed)
    pixels = draw.standard_normal(shape, np.float32)
    pixels[draw.random(shape, np.float32) < 0.1] = np.nan
    pixels[-1] = np.nan
    fits.writeto(path, pixels)
    return pixels


@contextmanager
def small_shards(pixels: int) -> Iterator[None]:
    """Plan shards of that many pixels, in this process: pyramids remember how they are cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_PIXELS", pixels)
        yield


def new_pyramid(store: Path, path: Path, shard_pixels: int = 2**15) -> tuple[Pyramid, Layer]:
    """Create the pyramid of a cube, empty, with shards of that size."""
    cube: Cube = open_cube(path)
    layer = cube.layer()
    store.mkdir(exist_ok=True)
    with small_shards(shard_pixels):
        return create_pyramid(str(store), cube, layer, 256, Bins(0.0, 1.0), 23), layer


def contents(pyramid: Pyramid) -> dict[str, NDArray[np.generic]]:
    """Every array, as zarr reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(pyramid.address, mode="r")
        return {name: np.asarray(one[...]) for name, one in root.members(max_depth=None) if isinstance(one, zarr.Array)}


def chunk_files(pyramid: Pyramid) -> dict[str, bytes]:
    """Every file that holds pixels or statistics; not those that somebody who was killed had begun."""
    root = Path(pyramid.address)
    found = {path.relative_to(root): path for path in root.rglob("*") if path.is_file()}
    return {
        str(name): path.read_bytes()
        for name, path in found.items()
        if "c" in name.parts and not path.name.startswith(".")
    }


def assert_same(one: Pyramid, other: Pyramid) -> None:
    """Two pyramids hold the same bits."""
    first, second = contents(one), contents(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert values.dtype == second[name].dtype
        assert values.tobytes() == second[name].tobytes(), name
    files, others = chunk_files(one), chunk_files(other)
    assert files.keys() == others.keys()
    assert not [name for name, content in files.items() if content != others[name]]


def reference(pixels: NDArray[np.float32], level: int) -> NDArray[np.float64]:
    """Mean over the finite pixels of each block, in raster orientation."""
    planes, height, width = pixels.shape
    raster = pixels[:, ::-1].astype(np.float64)
    size = 1 << level
    rows, columns = -(-height // size), -(-width // size)
    whole = np.full((planes, rows * size, columns * size), np.nan)
    whole[:, :height, :width] = raster
    blocks = whole.reshape(planes, rows, size, columns, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(blocks, axis=(2, 4)))
