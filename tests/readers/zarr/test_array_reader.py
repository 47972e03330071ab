"""The Zarr reader keeps the contract, over a table of versions, codecs and dtypes; zarr is the oracle."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from tests.contracts.reader_contract import ReaderContract, Source
from tests.readers.zarr.zarr_stores import CASES, by_zarr
from visiomatic_dask.cube import Reader
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.shared_cache import CHUNKS as DECODED
from visiomatic_dask.readers.zarr.array_reader import ZarrReader
from visiomatic_dask.readers.zarr.folder_source import FolderSource, stamp_of


def zarr_reader(path: Path) -> ZarrReader:
    (layer,) = open_cube(path).layers
    reader = layer.reader.inner if isinstance(layer.reader, OrientedReader) else layer.reader
    assert isinstance(reader, ZarrReader)
    return reader


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """The table as stores, opened by us and read by zarr."""
    folder = tmp_path_factory.mktemp("zarr")
    found = {}
    for case in CASES:
        path = folder / f"{case.id}.zarr"
        case.write(path)
        found[case.id] = Source(path, zarr_reader(path), by_zarr(path, case))
    return found


class TestZarrReader(ReaderContract):
    @pytest.fixture(params=[case.id for case in CASES])
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        return zarr_reader(path)

    def witness(self, copy: Source) -> Path:
        folder = copy.path / "data"
        return folder / (".zarray" if (folder / ".zarray").exists() else "zarr.json")

    def on_truncated(self, source: Source, path: Path) -> Reader:
        chunks = (
            file for file in (path / "data").rglob("*") if file.is_file() and not file.name.startswith((".", "zarr"))
        )
        chunk = max(chunks, key=lambda file: file.stat().st_size)
        os.truncate(chunk, chunk.stat().st_size - 3)
        DECODED.clear()
        return zarr_reader(path)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    folder = tmp_path_factory.mktemp("zip")
    found = {}
    for case in CASES:
        if case.id in ("v2-blosc", "v3-sharded"):
            case.write(folder / case.id)
            path = Path(shutil.make_archive(str(folder / f"{case.id}.zarr"), "zip", folder / case.id))
            found[case.id] = Source(path, zarr_reader(path), by_zarr(folder / case.id, case))
    return found


class TestZippedZarr(ReaderContract):
    """The same in a zip file, as `zarr.storage.ZipStore` reads it."""

    @pytest.fixture(params=["v2-blosc", "v3-sharded"])
    def source(self, request: pytest.FixtureRequest, zipped: dict[str, Source]) -> Source:
        return zipped[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        return zarr_reader(path)

    def on_truncated(self, source: Source, path: Path) -> Reader:
        os.truncate(path, path.stat().st_size - 30)
        with pytest.raises(UnreadableCube, match="is damaged"):
            open_cube(path)
        assert isinstance(source.reader, ZarrReader)
        now = FolderSource.of(path, [("", stamp_of(path.stat()))])
        return dataclasses.replace(source.reader, source=now, address=str(path))
