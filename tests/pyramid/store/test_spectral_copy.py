"""Spectral copies: the pixels of the layer, bit for bit, each byte of the source read once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.fake_reader import FakeReader
from tests.contracts.strategies import windows
from tests.pyramid.store.test_spectral_plan import is_aligned
from visiomatic_dask.cube import Axis, Cube, Layer, LayerWCS, Reader, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.pyramid.store.spectral_copy import (
    SpectralCopy,
    create_spectral,
    find_spectral,
    open_spectral,
)
from visiomatic_dask.pyramid.store.spectral_plan import SpectralLimits
from visiomatic_dask.pyramid.store.spectral_reader import SpectralReader
from visiomatic_dask.readers import open_cube

TINY = SpectralLimits(shard=20_000, chunk=2000, small_chunk=500, deep=16, run=30)
NAMES = ("stokes", "frequency", "y", "x")


def cube_of(reader: Reader) -> tuple[Cube, Layer]:
    names = NAMES[-len(reader.shape) :]
    axes = tuple(
        Axis(name, name if name in "xy" else "other", "", "", size)  # type: ignore[arg-type]
        for name, size in zip(names, reader.shape, strict=True)
    )
    layer = Layer("DATA", reader, axes, "Jy", {}, "", LayerWCS(None, None))
    return Cube("sky.fits", "FITS", SourceFile("/nowhere", 1, 1), (layer,)), layer


def built(store: str, reader: Reader, limits: SpectralLimits = TINY) -> SpectralCopy:
    copy = create_spectral(store, *cube_of(reader), limits)
    for piece in copy.pieces():
        copy.build(reader, piece)
    return copy


def bits(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).tobytes()


@given(chunked_fakes(most_side=40), st.data())
def test_equals_the_source_whose_chunks_are_read_once(source: ChunkedFake, data: st.DataObject) -> None:
    with TemporaryDirectory() as store:
        copy = built(store, source)
        reader = SpectralReader.of(copy)
        assert bits(reader.read(Window.whole(source.shape))) == bits(source.array)
        window = data.draw(windows(source.shape))
        assert bits(reader.read(window)) == bits(source.array[window.slices])
    if is_aligned(copy.plan, source.chunks):
        assert source.most_often == 1


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "i8", "u8", "f2", "f4", "f8"])
def test_keeps_every_bit(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(3)
    array = np.frombuffer(rng.bytes(5 * 37 * 41 * np.dtype(dtype).itemsize), dtype).reshape(5, 37, 41).copy()
    if array.dtype.kind == "f":
        array[:, :20] = np.nan
        array[1, 25, :9] = [np.inf, -np.inf, 0.0, -0.0, np.nan, 1, 2, 3, 4]
    else:
        array[:, :20] = 0
    source = FakeReader(array)
    copy = built(str(tmp_path), source)
    assert source.bytes_read == array.nbytes
    reader = SpectralReader.of(copy)
    assert reader.dtype == array.dtype
    pixels = reader.read(Window.whole(array.shape))
    assert pixels.dtype == array.dtype
    is_nan = array != array
    np.testing.assert_array_equal(pixels != pixels, is_nan)
    assert bits(pixels[~is_nan]) == bits(array[~is_nan])


def test_what_is_empty_is_written_too(tmp_path: Path) -> None:
    source = FakeReader(np.full((5, 40, 40), np.nan, np.float32))
    copy = built(str(tmp_path), source)
    sizes = {Path(copy.address, copy.path(piece.shard)).stat().st_size for piece in copy.pieces()}
    high, wide = copy.plan.chunks_within
    assert sizes == {16 * high * wide}
    assert np.isnan(SpectralReader.of(copy).read(Window.whole(source.shape))).all()


def test_what_is_not_built_cannot_be_read(tmp_path: Path) -> None:
    source = FakeReader(np.arange(5 * 60 * 50, dtype=np.float32).reshape(5, 60, 50))
    copy = create_spectral(str(tmp_path), *cube_of(source), TINY)
    first, *others = copy.pieces()
    assert len(others) >= 2
    copy.build(source, first)
    reader = SpectralReader.of(copy)
    window = copy.plan.window(first.shard)
    np.testing.assert_array_equal(reader.read(window), source.array[window.slices])
    with pytest.raises(UnreadableCube, match="is not built"):
        reader.read(Window.whole(source.shape))
    for piece in others:
        copy.build(source, piece)
    np.testing.assert_array_equal(reader.read(Window.whole(source.shape)), source.array)


def test_built_again_is_the_same(tmp_path: Path) -> None:
    source = FakeReader(np.random.default_rng(1).standard_normal((7, 50, 60)).astype(np.float32))
    one, other = built(str(tmp_path / "a"), source), built(str(tmp_path / "b"), source)
    other.build(source, other.pieces()[1])
    files = [
        {path.relative_to(copy.address): path.read_bytes() for path in Path(copy.address).rglob("*") if path.is_file()}
        for copy in (one, other)
    ]
    assert files[0] == files[1]


def test_is_created_once_and_found(tmp_path: Path) -> None:
    source = ChunkedFake(np.zeros((3, 20, 20), np.float32), (1, 5, 5))
    store = str(tmp_path / "new" / "store")
    assert find_spectral(store, source.token) is None
    copy = create_spectral(store, *cube_of(source), TINY)
    assert create_spectral(store, *cube_of(source)) == copy  # as it was cut
    assert find_spectral(store, source.token) == open_spectral(copy.address) == copy
    assert find_spectral(store, "another") is None
    root = Path(copy.address, "zarr.json")
    root.write_text(root.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(UnreadableCube, match="version 0; allowed: 1"):
        open_spectral(copy.address)
    root.write_text("{")
    with pytest.raises(UnreadableCube, match="damaged"):
        open_spectral(copy.address)


@pytest.mark.parametrize("upwards", [False, True])
def test_other_programs_read_it(tmp_path: Path, upwards: bool) -> None:
    rng = np.random.default_rng(2)
    pixels = rng.standard_normal((12, 90, 70)).astype(np.float32)
    pixels[:, :40, :30] = np.nan
    header = fits.Header()
    header.update(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "FREQ", "CUNIT3": "Hz", "BUNIT": "Jy/beam"}
        | {"CRVAL1": 83.8, "CRVAL2": -5.4, "CRVAL3": 1e9, "CRPIX1": 35.0, "CRPIX2": 45.0, "CRPIX3": 1.0}
        | {"CDELT1": -1e-3, "CDELT2": 1e-3, "CDELT3": 1e6}
    )
    path = tmp_path / "cube.fits"
    if upwards:
        hdu = fits.CompImageHDU(pixels, header, compression_type="GZIP_2", tile_shape=(1, 32, 70), quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    else:
        fits.writeto(path, pixels, header)
    cube = open_cube(path)
    layer = cube.layer()
    copy = create_spectral(str(tmp_path / "store"), cube, layer, SpectralLimits(60_000, 9000, 3000, 16, 30))
    assert copy.plan.upwards == upwards
    assert copy.plan.shard_count > 4
    for piece in copy.pieces():
        copy.build(layer.reader, piece)
    with xr.open_dataset(copy.address, engine="zarr") as dataset, xr.open_datatree(copy.address, engine="zarr") as tree:
        for data in (dataset.data, tree["data"]):
            assert data.dims == ("frequency", "y", "x")
            assert data.attrs["units"] == "Jy / beam" or data.attrs["units"] == "Jy/beam"
            by_rows = data.sortby("y")
            np.testing.assert_array_equal(by_rows.y, np.arange(90))
            np.testing.assert_array_equal(by_rows, pixels)
            np.testing.assert_array_equal(data.frequency, 1e9 + 1e6 * np.arange(12))
        wcs = fits.Header.fromstring(dataset.attrs["wcs"])
        assert (wcs["CRPIX1"], wcs["CRPIX2"], wcs["CTYPE3"]) == (35.0, 45.0, "FREQ")
    stored = np.asarray(zarr.open_array(f"{copy.address}/data", mode="r")[:])
    np.testing.assert_array_equal(stored if upwards else stored[:, ::-1], pixels)
