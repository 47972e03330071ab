"""Values and profiles over the web API: the same with a spectral copy and without, and without one that breaks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.pyramid.store.spectral_copy import SpectralCopy, create_spectral
from visiomatic_dask.pyramid.store.spectral_plan import SpectralLimits
from visiomatic_dask.readers import open_cube

from ..service import Service, serving

ASKED = [
    "/api?FIF={name}&VAL={x},{y}",
    "/api?FIF={name}&CHAN=3&CHAN=20&CHAN=3&CHAN=99&VAL={x},{y}",
    "/api?FIF={name}&PFL=1,{y}:{x},7",
    "/api?FIF={name}&PFL=-3,2:{x},{y}&CHAN=7&CHAN=1",
]
LIMITS = SpectralLimits(shard=400_000, chunk=60_000, small_chunk=20_000, deep=16, run=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cubes")
    rng = np.random.default_rng(1)
    pixels = rng.standard_normal((40, 90, 120)).astype(np.float32)
    pixels[:, 20:40, 30:50] = np.nan
    fits.writeto(folder / "float.fits", pixels)
    stored = fits.PrimaryHDU(rng.integers(-99, 99, (40, 90, 120)).astype(np.int16))
    stored.header.update({"BSCALE": 0.1, "BZERO": 3.3, "BLANK": 7})
    stored.writeto(folder / "scaled.fits", output_verify="fix")
    fits.writeto(folder / "double.fits", rng.standard_normal((40, 90, 120)))
    fits.writeto(folder / "long.fits", rng.integers(-(2**50), 2**50, (40, 90, 120)))
    return folder


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    for path in folder.iterdir():
        build(path, store)
    return store


@pytest.fixture(scope="module")
def plain(folder: Path) -> Iterator[Service]:
    with serving(folder) as service:
        yield service


def build(path: Path, store: Path) -> SpectralCopy:
    cube = open_cube(path)
    copy = create_spectral(str(store), cube, cube.layer(), LIMITS)
    for piece in copy.pieces():
        copy.build(cube.layer().reader, piece)
    return copy


def answers(service: Service, name: str) -> list[bytes]:
    places = [(1, 1), (120, 90), (35, 25), (60, 45)]
    return [service.ok(one.format(name=name, x=x, y=y)).body for one in ASKED for x, y in places]


@pytest.mark.parametrize("name", ["float.fits", "scaled.fits", "double.fits", "long.fits"])
def test_the_same_as_without(folder: Path, store: Path, plain: Service, name: str) -> None:
    expected = answers(plain, name)
    with serving(folder, store=str(store)) as service:
        assert answers(service, name) == expected


def test_it_is_the_copy_that_is_read(folder: Path, tmp_path: Path, plain: Service) -> None:
    """Another file's pixels under its name: seen in a spectrum, and not in a single value."""
    copy = build(folder / "float.fits", tmp_path)
    other = build(folder / "scaled.fits", tmp_path)
    for shard in Path(other.address, "data").glob("c.*"):
        shutil.copy(shard, Path(copy.address, "data", shard.name))
    with serving(folder, store=str(tmp_path)) as service:
        spectrum = "/api?FIF={}&VAL=5,5"
        assert service.ok(spectrum.format("float.fits")).body == plain.ok(spectrum.format("scaled.fits")).body
        one = "/api?FIF=float.fits&CHAN=3&VAL=5,5"
        assert service.ok(one).body == plain.ok(one).body


def test_a_copy_that_goes_or_breaks(folder: Path, tmp_path: Path, plain: Service) -> None:
    copy, other = build(folder / "float.fits", tmp_path), build(folder / "scaled.fits", tmp_path)
    spectrum = "/api?FIF={}&VAL=5,5"
    with serving(folder, store=str(tmp_path)) as service:
        for name in ("float.fits", "scaled.fits"):
            assert service.ok(spectrum.format(name)).body == plain.ok(spectrum.format(name)).body
        shutil.rmtree(copy.address)
        for shard in Path(other.address, "data").glob("c.*"):
            shard.write_bytes(b"damaged")
        for name in ("float.fits", "scaled.fits"):
            where = "/api?FIF={}&VAL=6,5"
            assert service.ok(where.format(name)).body == plain.ok(where.format(name)).body
