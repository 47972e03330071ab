"""Pieces that are built and written: what is in the store is what was made, in whatever order and parts."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from tests.contracts.strategies import block_means
from visiomatic_dask.cube import Cube
from visiomatic_dask.errors import CubeChanged
from visiomatic_dask.pyramid import Box
from visiomatic_dask.pyramid.store import shards
from visiomatic_dask.pyramid.store.arrays import read_missing, read_pixels
from visiomatic_dask.pyramid.store.build import build_piece
from visiomatic_dask.pyramid.store.layout import create_pyramid
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, Pyramid
from visiomatic_dask.pyramid.store.statistics import Bins, merged
from visiomatic_dask.readers import open_cube


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces."""
    monkeypatch.setattr(shards, "SHARD_PIXELS", 6 * 32 * 32)
    monkeypatch.setattr(shards, "CHUNK", 32)


def cube_of(path: Path, array: NDArray[Any], wcs: WCS | None = None) -> Cube:
    fits.writeto(path, array, wcs.to_header() if wcs else None, overwrite=True)
    return open_cube(path)


def pyramid_of(store: Path, cube: Cube, tile: int = 16, mantissa: int = 23) -> Pyramid:
    return create_pyramid(str(store), cube, cube.layers[0], tile, Bins(5.0, 3.0), mantissa)


def build(pyramid: Pyramid, cube: Cube, most: int = 1 << 30) -> list[BuiltPiece]:
    """Build all of it, at most so many planes at a time."""
    built = []
    for grid in pyramid.plan.levels:
        for shard in pyramid.plan.shards(grid.level):
            start, stop = pyramid.plan.planes(shard)
            built += [
                build_piece(pyramid, cube.layers[0].reader, Piece(shard, first, min(first + most, stop)))
                for first in range(start, stop, most)
            ]
    return built


def whole(pyramid: Pyramid, level: int) -> NDArray[np.float32]:
    grid = pyramid.plan.grid(level)
    return read_pixels(pyramid, level, (0, pyramid.plan.count), Box(0, 0, grid.height, grid.width))


def noise(shape: tuple[int, ...], broken: float = 0.1) -> NDArray[np.float32]:
    random = np.random.default_rng(shape)
    array = random.normal(5, 3, shape).astype(np.float32)
    array[random.random(shape) < broken] = np.nan
    return array


@pytest.mark.parametrize("shape", [(301, 205), (5, 130, 77), (2, 3, 99, 100)])
def test_what_is_stored_is_the_nanmean_of_level_0(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = noise(shape)
    cube = cube_of(tmp_path / "cube.fits", array)
    pyramid = pyramid_of(tmp_path, cube)
    built = build(pyramid, cube)
    flat = array.reshape(-1, *shape[-2:])[:, ::-1]
    for grid in pyramid.plan.levels:
        wanted = np.stack([block_means(plane, grid.level) for plane in flat])
        np.testing.assert_allclose(whole(pyramid, grid.level), wanted, rtol=0, atol=grid.level * 1e-6)
        lost = read_missing(pyramid, grid.level, (0, len(flat)), Box(0, 0, grid.height, grid.width))
        assert lost is not None
        assert lost.sum() == np.isnan(array).sum()
    assert sum(one.read for one in built) == array.nbytes
    assert all(one.written > 0 for one in built)
    for plane, pixels in enumerate(flat):
        found = merged(s for one in built for s in one.statistics if (s.level, s.plane) == (0, plane))
        assert (found.pixels, found.finite) == (pixels.size, np.isfinite(pixels).sum())
        assert found.mean == pytest.approx(np.nanmean(pixels, dtype=np.float64))


def test_nothing_is_missing_where_all_is_finite(tmp_path: Path) -> None:
    cube = cube_of(tmp_path / "cube.fits", noise((200, 201), 0))
    pyramid = pyramid_of(tmp_path, cube)
    build(pyramid, cube)
    for grid in pyramid.plan.levels:
        assert read_missing(pyramid, grid.level, (0, 1), Box(0, 0, grid.height, grid.width)) is None


def test_fewer_bits_are_stored(tmp_path: Path) -> None:
    cube = cube_of(tmp_path / "cube.fits", noise((100, 100), 0))
    pyramid = pyramid_of(tmp_path, cube, mantissa=10)
    build(pyramid, cube)
    for grid in pyramid.plan.levels:
        assert not np.any(whole(pyramid, grid.level).view(np.uint32) & 0x1FFF)


def test_plane_by_plane_or_at_once_makes_the_same_bits(tmp_path: Path) -> None:
    """Pixels, and statistics."""
    cube = cube_of(tmp_path / "cube.fits", noise((7, 90, 131)))
    found = []
    for name, most in (("at once", 100), ("plane by plane", 1), ("by three", 3)):
        pyramid = pyramid_of(tmp_path / name, cube)
        built = build(pyramid, cube, most)
        digest = hashlib.sha256()
        for grid in pyramid.plan.levels:
            digest.update(whole(pyramid, grid.level).tobytes())
        statistics = sorted((s for one in built for s in one.statistics), key=repr)
        found.append((digest.hexdigest(), statistics))
    assert found[0] == found[1] == found[2]


def test_a_source_that_changed_is_refused(tmp_path: Path) -> None:
    cube = cube_of(tmp_path / "cube.fits", noise((64, 64)))
    pyramid = pyramid_of(tmp_path, cube)
    os.utime(tmp_path / "cube.fits", (1, 1))
    with pytest.raises(CubeChanged):
        build(pyramid, cube)


def test_a_gaussian_stays_where_it_is(tmp_path: Path) -> None:
    """By the coordinates, and by the WCS, that are stored with each level."""
    x0, y0, sigma = 251.3, 198.7, 30.0
    y, x = np.mgrid[0:411, 0:503]
    plane = (1000 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))).astype(np.float32)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [40.0, -30.0], [400.0, 700.0]
    wcs.wcs.cdelt = [-1e-4, 1e-4]
    cube = cube_of(tmp_path / "cube.fits", plane, wcs)
    pyramid = pyramid_of(tmp_path, cube, 32)
    build(pyramid, cube)
    assert len(pyramid.plan.levels) == 4
    for grid in pyramid.plan.levels:
        level = zarr.open_group(pyramid.address, mode="r")[str(grid.level)]
        assert isinstance(level, zarr.Group)
        pixels, mass_y, mass_x = (np.asarray(level[name]) for name in ("data", "y", "x"))
        weights = pixels * np.outer(sizes(411, grid.level), sizes(503, grid.level))
        assert (weights.sum(axis=0) * mass_x).sum() / weights.sum() == pytest.approx(x0, abs=0.01)
        assert (weights.sum(axis=1) * mass_y).sum() / weights.sum() == pytest.approx(y0, abs=0.01)
        row = (weights.sum(axis=1) * np.arange(grid.height)).sum() / weights.sum()
        column = (weights.sum(axis=0) * np.arange(grid.width)).sum() / weights.sum()
        here = WCS(fits.Header.fromstring(str(level.attrs["wcs"])))
        sky = here.wcs_pix2world(column, grid.height - 1 - row, 0)
        np.testing.assert_allclose(wcs.wcs_world2pix(*sky, 0), [x0, y0], atol=0.01)


def sizes(size: int, level: int) -> NDArray[np.int64]:
    """Level-0 pixels along each block of an axis: the last may be smaller."""
    return np.diff([*range(0, size, 1 << level), size])


def test_ramps_give_the_stored_coordinates(tmp_path: Path) -> None:
    """An image whose values are the coordinates of its pixels: a block's mean is where its center is.

    Coordinates are regular: those of blocks that are cropped at an edge are as if they were not.
    """
    y, x = np.mgrid[0:77, 0:131].astype(np.float32)
    for image, name in ((x, "x"), (y, "y")):
        cube = cube_of(tmp_path / f"{name}.fits", image)
        pyramid = pyramid_of(tmp_path, cube, 1)
        build(pyramid, cube)
        for grid in pyramid.plan.levels:
            level = zarr.open_group(pyramid.address, mode="r")[str(grid.level)]
            assert isinstance(level, zarr.Group)
            stored = np.asarray(level[name])
            (pixels,) = whole(pyramid, grid.level)
            means = pixels[:, 0] if name == "y" else pixels[0]
            assert np.ptp(pixels, axis=1 if name == "y" else 0).max() == 0
            np.testing.assert_allclose(means[:-1], stored[:-1], rtol=1e-6)
            assert abs(means[-1] - stored[-1]) < 2 ** (grid.level - 1)
