"""Compressed files as cubes: the contract of readers, real files, and what happens when the cache loses them."""

from __future__ import annotations

import dataclasses
import gzip
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import visiomatic_dask
from tests.contracts.reader_contract import ReaderContract, Source
from tests.readers.packed.packed_files import PACKINGS, noise, plain
from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import ByteSource, Reader, SourceFile, Window
from visiomatic_dask.errors import CubeChanged, NotUnpacked, UnreadableCube
from visiomatic_dask.readers import UnpackCache, open_cube
from visiomatic_dask.readers.packed.unpacked_file import UnpackedFile
from visiomatic_dask.readers.raw_reader import RawReader

SHAPE = (2, 30, 40)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """One cube in every packing."""
    folder = tmp_path_factory.mktemp("packed")
    found = {}
    for index, (packing, pack) in enumerate(PACKINGS.items()):
        path = folder / f"{index}.fits.gz"
        path.write_bytes(pack(plain(*SHAPE)))
        found[packing] = Source(path, open_cube(path).layers[0].reader, noise(*SHAPE))
    return found


class TestPacked(ReaderContract):
    @pytest.fixture(params=PACKINGS)
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        return open_cube(path).layers[0].reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        """The compressed file is whole here; what was unpacked of it is not."""
        reader = source.reader
        assert isinstance(reader, RawReader)
        assert isinstance(reader.source, UnpackedFile)
        short = path.with_name("short")
        shutil.copy(reader.source.content.path, short)
        os.truncate(short, 5000)
        content = SourceFile.of(short)
        return dataclasses.replace(reader, source=UnpackedFile(SourceFile.of(path), content))


@pytest.fixture
def cache(tmp_path: Path) -> UnpackCache:
    return UnpackCache(tmp_path / "cache", 10**8, 10**9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "noise.fits.gz"
    path.write_bytes(gzip.compress(plain(*SHAPE)))
    return path


def test_cube_is_of_the_compressed_file(path: Path, cache: UnpackCache) -> None:
    cube = open_cube(path, name="folder/noise", cache=cache)
    assert (cube.name, cube.format, cube.layers[0].header["OBJECT"]) == ("folder/noise", "FITS", "Noise")
    assert cube.fingerprint == SourceFile.of(path).fingerprint == cube.layers[0].reader.fingerprint
    assert isinstance(cube.source, ByteSource)
    assert cube.source.name == "noise.fits.gz"
    assert cube.source.size == len(plain(*SHAPE))
    cube.source.check()
    path.write_bytes(gzip.compress(plain(2, 3)))
    assert not cube.is_current


def test_cache_is_where_the_settings_say(path: Path, cache_folder: Path) -> None:
    source = open_cube(path).source
    assert isinstance(source, UnpackedFile)
    assert Path(source.content.path).parent == UnpackCache.of(load_settings()).folder == cache_folder / "unpacked"


def test_as_an_xarray_object(path: Path) -> None:
    told: list[int] = []
    array = visiomatic_dask.open_cube(path, chunks={}, progress=lambda done, _total: told.append(done))
    assert told
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)).values, noise(*SHAPE))
    with xr.open_dataset(path) as dataset:  # guessed by its content
        assert dataset.sizes == {"axis3": 2, "y": 30, "x": 40}


def test_truncated_inside(path: Path, cache: UnpackCache) -> None:
    path.write_bytes(gzip.compress(plain(*SHAPE)[:5000]))
    with pytest.raises(UnreadableCube, match=r"noise\.fits\.gz is truncated: PRIMARY needs"):
        open_cube(path, cache=cache)


def test_evicted_then_opened_again(path: Path, cache: UnpackCache) -> None:
    """A reader says that its file has left the cache; once that is back, the same reader goes on."""
    cube = open_cube(path, cache=cache)
    reader, whole = cube.layers[0].reader, Window.whole(SHAPE)
    shutil.rmtree(cache.folder)
    with pytest.raises(NotUnpacked, match=r"^noise\.fits\.gz is no longer unpacked in the cache; open it again$"):
        reader.read(whole)
    assert isinstance(NotUnpacked("x"), CubeChanged)
    with pytest.raises(NotUnpacked):
        cube.source.check()
    assert not cache.folder.exists()  # reading unpacks nothing
    again = open_cube(path, cache=cache)
    assert (again.source, again.layers[0].reader) == (cube.source, reader)
    assert again.layers[0].reader.token == reader.token
    assert cube.is_current
    np.testing.assert_array_equal(reader.read(whole), noise(*SHAPE))


def test_other_content_in_the_cache_is_not_served(path: Path, cache: UnpackCache) -> None:
    cube = open_cube(path, cache=cache)
    assert isinstance(cube.source, UnpackedFile)
    Path(cube.source.content.path).write_bytes(plain(*SHAPE))  # at another time
    with pytest.raises(NotUnpacked):
        cube.layers[0].reader.read(Window.whole(SHAPE))


REAL: dict[str, list[tuple[int, ...]]] = {
    "maskmoment/NGC4047.co.smo7msk.fits.gz": [(1, 44, 128, 128)],
    "obs_lsst/itl_spot.fits.gz": [(2048, 576)] * 16,
    "obs_lsst/itl_expected_assembled.fits.gz": [(4000, 4072)],
}


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
@pytest.mark.parametrize("name", REAL)
def test_real_files_equal_astropys(real_files: Path, name: str) -> None:
    path = real_files / name
    cube = open_cube(path)
    layers = [layer for layer in cube.layers if layer.shape in REAL[name]]
    assert [layer.shape for layer in layers] == REAL[name]
    assert cube.fingerprint == SourceFile.of(path).fingerprint
    with fits.open(path, memmap=False) as hdus:
        images = [hdu for hdu in hdus if isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU) and len(hdu.shape) >= 2]
        for hdu, layer in zip(images, layers, strict=True):
            np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), hdu.data)


def test_gzip_under_a_plain_name(real_files: Path) -> None:
    """What is in this one is tile-compressed: whether it opens is for the reader of FITS to say, not for us."""
    path = real_files / "obs_lsst" / "CC_S_20240404_000780_R22_S01.fits"
    cache = UnpackCache.of(load_settings())
    try:
        open_cube(path)
    except UnreadableCube as error:
        assert "tile-compressed" in error.message  # noqa: PT017
    content = cache.find(SourceFile.of(path))
    assert content is not None
    found = np.empty(content.size, np.uint8)
    content.read_ranges([0], [content.size], found.data)
    assert found.tobytes() == gzip.decompress(path.read_bytes())
