"""The reader of a spectral copy, by the contract of all readers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake
from tests.contracts.reader_contract import ReaderContract, Source
from tests.pyramid.store.test_spectral_copy import built
from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.pyramid.store.spectral_copy import open_spectral
from visiomatic_dask.pyramid.store.spectral_plan import SpectralLimits
from visiomatic_dask.pyramid.store.spectral_reader import SpectralReader

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], str]] = {
    "plane": ((37, 41), (1, 1), "f4"),
    "cube": ((13, 37, 41), (1, 1, 1), "f4"),
    "integers": ((13, 37, 41), (4, 8, 16), "i2"),
    "upwards": ((13, 37, 41), (1, 10, 41), "f8"),
    "Stokes": ((2, 9, 20, 30), (1, 1, 1, 1), "f4"),
    "deep": ((6, 5, 20, 30), (3, 2, 7, 11), "f4"),
}


def pixels_of(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    pixels = np.random.default_rng(4).integers(-999, 999, shape).astype(dtype)
    if pixels.dtype.kind == "f":
        pixels[..., 3:20, 5:12] = np.nan
        pixels[..., 0] = np.inf
    return pixels


class TestSpectralReader(ReaderContract):
    @pytest.fixture(params=SHAPES)
    def source(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
        shape, chunks, dtype = SHAPES[request.param]
        pixels = pixels_of(shape, dtype)
        copy = built(
            str(tmp_path_factory.mktemp("store")),
            ChunkedFake(pixels, chunks),
            SpectralLimits(shard=12_000, chunk=3000, small_chunk=1500, deep=8, run=20),
        )
        assert copy.plan.shard_count > 1 or len(shape) == 2
        return Source(Path(copy.address), SpectralReader.of(copy), pixels)

    def reopen(self, source: Source, path: Path) -> Reader:
        assert isinstance(source.reader, SpectralReader)
        return SpectralReader.of(open_spectral(str(path)))

    def on_truncated(self, source: Source, path: Path) -> Reader:
        (shard, *_) = sorted((path / "data").glob("c.*"))
        os.truncate(shard, shard.stat().st_size - 1)
        return self.reopen(source, path)

    def witness(self, copy: Source) -> Path:
        return copy.path / "zarr.json"

    @pytest.mark.parametrize("cut", [0, 5, 16, 60])
    def test_index_cut_short(self, copy: Source, cut: int) -> None:
        for shard in (copy.path / "data").glob("c.*"):
            os.truncate(shard, cut)
        with pytest.raises(UnreadableCube, match="damaged"):
            copy.reader.read(Window.whole(copy.reader.shape))

    def test_noise_is_not_taken_for_pixels(self, copy: Source) -> None:
        for shard in (copy.path / "data").glob("c.*"):
            shard.write_bytes(np.random.default_rng(8).bytes(shard.stat().st_size))
        with pytest.raises(UnreadableCube, match="damaged"):
            copy.reader.read(Window.whole(copy.reader.shape))
