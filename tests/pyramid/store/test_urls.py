"""Stores at URLs: S3 (moto), and fsspec's memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr

from tests.pyramid.store.pyramids import SPECTRAL, STOKES, fill, new_pyramid, sparse_cube
from tests.pyramid.store.test_plane_statistics import made_up
from tests.s3 import s3_bucket
from visiomatic_dask.cube import Window
from visiomatic_dask.errors import PyramidGone
from visiomatic_dask.pyramid.store.arrays import read_missing, read_statistics, write_statistics
from visiomatic_dask.pyramid.store.layout import open_pyramid
from visiomatic_dask.pyramid.store.level_reader import LevelReader
from visiomatic_dask.pyramid.store.statistics import Bins


@pytest.fixture
def s3() -> Iterator[str]:
    """An S3 of moto."""
    with s3_bucket("pyramids"):
        yield "s3://pyramids/store"


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("s3")) if request.param == "s3" else f"memory://{os.urandom(4).hex()}"


@pytest.mark.usefixtures("small_shards")
def test_written_and_read(store: str, tmp_path: Path) -> None:
    shape = 2, 3, 101, 130
    pyramid = new_pyramid(store, sparse_cube(tmp_path / "a.fits", shape, SPECTRAL | STOKES), tile_size=64)
    levels = fill(pyramid)
    assert open_pyramid(pyramid.address) == pyramid
    for level, pixels in levels.items():
        reader = LevelReader.of(pyramid, level, shape)
        found = reader.read(Window.whole(reader.shape)).reshape(pixels.shape)
        np.testing.assert_array_equal(found[:, ::-1], pixels)
        missing = read_missing(pyramid, level, (0, 6), pyramid.plan.box(next(iter(pyramid.plan.shards(level)))))
        assert missing is not None
    write_statistics(pyramid, [made_up(1, 2)])
    assert read_statistics(pyramid, 1)[1:4] == [None, made_up(1, 2), None]
    fs, path = fsspec.core.url_to_fs(pyramid.address)
    fs.get(path, str(tmp_path / "copy.zarr"), recursive=True)
    with xr.open_datatree(tmp_path / "copy.zarr", engine="zarr") as tree:
        for image, name in enumerate("IQ"):
            np.testing.assert_array_equal(tree[f"{name}/1/data"], levels[1][3 * image : 3 * image + 3])
    fs.rm(path, recursive=True)
    reader = LevelReader.of(pyramid, 1, shape)
    with pytest.raises(PyramidGone):
        reader.read(Window.whole(reader.shape))
    with pytest.raises(PyramidGone):
        fill(pyramid)
    with pytest.raises(PyramidGone):
        write_statistics(pyramid, [made_up(1, 2)])
    assert fs.find(path, refresh=True) == [] if store.startswith("s3") else not fs.exists(path)


def test_created_at_once(s3: str, tmp_path: Path) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (3, 300, 400))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda turn: new_pyramid(s3, cube, bins=Bins(float(turn))), range(4)))
    assert len(set(found)) == 1
