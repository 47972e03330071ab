"""A spectral copy is built by the builder of pyramids, beside others, and is resumed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.engine.clusters import local_cluster
from visiomatic_dask.cube import Cube, Window
from visiomatic_dask.engine.build_news import BuildNews
from visiomatic_dask.engine.builder import Builder
from visiomatic_dask.engine.spectral import SpectralCopies, spectral_build
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.spectral_copy import SpectralCopy, create_spectral
from visiomatic_dask.pyramid.store.spectral_plan import SpectralLimits
from visiomatic_dask.pyramid.store.spectral_reader import SpectralReader
from visiomatic_dask.readers import open_cube

LIMITS = SpectralLimits(shard=200_000, chunk=40_000, small_chunk=10_000, deep=64, run=40)


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    pixels = np.random.default_rng(1).standard_normal((40, 90, 120)).astype(np.float32)
    pixels[:, 20:40, 30:50] = np.nan
    fits.writeto(tmp_path / "sky.fits", pixels)
    return open_cube(tmp_path / "sky.fits")


async def build(copy: SpectralCopy, cube: Cube, owner: str, builders: int = 1) -> list[BuildNews]:
    news: list[BuildNews] = []
    async with local_cluster("inproc", workers=2) as (client, workers):
        made = [
            Builder(lambda: client, lambda: [one.address for one in workers], f"{owner}{i}", news.append)
            for i in range(builders)
        ]
        for builder in made:
            builder.want(copy, cube.layer().reader, copy.pieces(), urgent=False)
        for builder in made:
            await builder.finish()
            await builder.close()
    return news


def files(copy: SpectralCopy) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(copy.address, "data").iterdir()}


@pytest.mark.parametrize("builders", [1, 2])
def test_is_built(cube: Cube, tmp_path: Path, builders: int) -> None:
    layer = cube.layer()
    copy = create_spectral(str(tmp_path / "store"), cube, layer, LIMITS)
    assert copy.plan.shard_count > 8
    news = asyncio.run(build(copy, cube, "a", builders))
    assert [one.failed for one in news if one.failed] == []
    assert news[-1].is_over
    assert news[-1].progress.done_bytes == news[-1].progress.total_bytes == copy.plan.nbytes
    state = Ledger.of(copy).look()
    assert state.is_whole
    assert not state.claims
    whole = Window.whole(copy.plan.shape)
    np.testing.assert_array_equal(SpectralReader.of(copy).read(whole), layer.reader.read(whole))


def test_is_resumed_where_it_ended(cube: Cube, tmp_path: Path) -> None:
    layer = cube.layer()
    undisturbed = create_spectral(str(tmp_path / "other"), cube, layer, LIMITS)
    asyncio.run(build(undisturbed, cube, "a"))
    copy = create_spectral(str(tmp_path / "store"), cube, layer, LIMITS)
    ledger = Ledger.of(copy)
    some = copy.pieces()[::3]
    granted = ledger.claim(some, "killed").granted
    ledger.commit("killed", [copy.build(layer.reader, piece) for piece in granted])
    before = {name: Path(copy.address, "data", name).stat().st_mtime_ns for name in files(copy)}
    asyncio.run(build(copy, cube, "b"))
    assert files(copy) == files(undisturbed)
    after = {name: Path(copy.address, "data", name).stat().st_mtime_ns for name in before}
    assert after == before  # nothing was built twice


def test_only_where_it_is_of_use(cube: Cube, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    found = spectral_build(store, cube, cube.layer())
    assert found is not None
    copy, pieces = found
    assert pieces == copy.pieces()
    assert spectral_build(store, cube, cube.layer()) == found
    fits.writeto(tmp_path / "plane.fits", np.zeros((90, 120), np.float32))
    plane = open_cube(tmp_path / "plane.fits")
    assert spectral_build(store, plane, plane.layer()) is None
    (tmp_path / "bip.hdr").write_text(
        "ENVI\nsamples = 30\nlines = 20\nbands = 200\ndata type = 4\ninterleave = bip\nbyte order = 0\n"
    )
    (tmp_path / "bip.img").write_bytes(bytes(30 * 20 * 200 * 4))
    by_pixels = open_cube(tmp_path / "bip.img")
    assert spectral_build(store, by_pixels, by_pixels.layer()) is None


def test_what_is_used_is_noted(cube: Cube, tmp_path: Path) -> None:
    layer = cube.layer()
    copy = create_spectral(str(tmp_path), cube, layer, LIMITS)
    for piece in copy.pieces():
        copy.build(layer.reader, piece)
    copies = SpectralCopies(lambda: str(tmp_path))
    assert asyncio.run(copies.reader_for(layer, None, (3, 3), (3, 3))) == SpectralReader.of(copy)
    assert Path(copy.address, "used").exists()
