"""The compressed reader keeps the contract, over a table of ways to compress; astropy's public API is the oracle."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from tests.readers.fits.compressed_files import CASES
from visiomatic_dask.cube import Reader, SourceFile
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.fits.compressed_reader import CompressedReader


def by_astropy(path: Path) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            assert isinstance(hdus[1], fits.CompImageHDU)
            return np.array(hdus[1].data)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """The table as files, opened by us and read by astropy."""
    folder = tmp_path_factory.mktemp("compressed")
    found = {}
    for index, case in enumerate(CASES):
        path = folder / f"{index}.fits"
        case.write(path)
        found[case.id] = Source(path, open_cube(path).layer("SCI").reader, by_astropy(path))
    return found


class TestCompressedReader(ReaderContract):
    @pytest.fixture(params=[case.id for case in CASES])
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        (layer,) = open_cube(path).layers
        return layer.reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = source.reader
        assert isinstance(reader, CompressedReader)
        os.truncate(path, reader.table.heap + reader.table.heap_size - 1)
        with pytest.raises(UnreadableCube, match="is truncated"):
            open_cube(path)
        return dataclasses.replace(reader, source=SourceFile.of(path))


def test_table_has_what_it_says(sources: dict[str, Source]) -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    for case in CASES:
        reader, pixels = sources[case.id].reader, sources[case.id].pixels
        assert isinstance(reader, CompressedReader)
        assert reader.chunks == (case.tile or (*(1,) * (len(case.shape) - 1), case.shape[-1]))
        missing = np.dtype(case.dtype).kind == "f" and case.algorithm != "HCOMPRESS_1"
        assert bool(np.isnan(pixels).any()) == (missing or "BLANK" in case.id), case.id
        assert case.cards or np.count_nonzero(pixels == pixels.flat[0]) < pixels.size
