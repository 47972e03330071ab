"""Stored levels keep the contract of readers; what is not in the store is an error, never NaN."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.reader_contract import ReaderContract, Source
from tests.pyramid.store.pyramids import SPECTRAL, STOKES, fill, new_pyramid, sparse_cube
from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.errors import PyramidGone, StoreError
from visiomatic_dask.pyramid import Box, Storage
from visiomatic_dask.pyramid.loading import load_block
from visiomatic_dask.pyramid.store.arrays import read_missing, read_pixels, write_piece
from visiomatic_dask.pyramid.store.layout import open_pyramid
from visiomatic_dask.pyramid.store.level_reader import LevelReader
from visiomatic_dask.pyramid.store.pyramid import Piece

pytestmark = pytest.mark.usefixtures("small_shards")


@dataclass(frozen=True)
class Case:
    shape: tuple[int, ...]
    level: int


CASES = {
    "plane": Case((150, 211), 1),
    "degenerate": Case((1, 1, 150, 211), 1),
    "channels": Case((7, 131, 150), 1),
    "top": Case((7, 131, 150), 2),
    "images": Case((3, 5, 131, 150), 1),
    "flattened": Case((20, 2, 70, 90), 1),
    "one between": Case((3, 1, 5, 70, 90), 1),
}


def reader_of(address: Path | str, case: Case) -> LevelReader:
    return LevelReader.of(open_pyramid(str(address)), case.level, case.shape)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, small_shards: None) -> dict[str, Source]:
    folder = tmp_path_factory.mktemp("levels")
    found = {}
    for name, case in CASES.items():
        cube = sparse_cube(folder / f"{name}.fits", case.shape, SPECTRAL | (STOKES if name == "images" else {}))
        pyramid = new_pyramid(str(folder / "store"), cube, tile_size=64)
        pixels = fill(pyramid)[case.level]
        expected = pixels[:, ::-1].reshape(*case.shape[:-2], *pixels.shape[1:])
        found[name] = Source(Path(pyramid.address), reader_of(pyramid.address, case), expected)
    return found


class TestLevelReader(ReaderContract):
    @pytest.fixture(params=list(CASES))
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        reader = source.reader
        assert isinstance(reader, LevelReader)
        return LevelReader.of(open_pyramid(str(path)), reader.level, reader.shape)

    def a_shard(self, path: Path, reader: Reader) -> Path:
        """The largest file of the level's pixels."""
        assert isinstance(reader, LevelReader)
        folders = path.glob(f"**/{reader.level}/data/c")
        return max((f for c in folders for f in c.rglob("*") if f.is_file()), key=lambda file: file.stat().st_size)

    def on_truncated(self, source: Source, path: Path) -> Reader:
        raise NotImplementedError("see test_truncated")

    # The version of the source is in the address: a pyramid does not change under its reader, it can only be gone.

    def test_replaced_between_two_reads(self, copy: Source) -> None:
        """The same pyramid, evicted and built again, is the same to its readers."""
        evicted = copy.path.with_name("evicted")
        copy.path.rename(evicted)
        with pytest.raises(PyramidGone):
            copy.reader.read(Window.whole(copy.reader.shape))
        shutil.copytree(evicted, copy.path)
        np.testing.assert_array_equal(copy.reader.read(Window.whole(copy.reader.shape)), copy.pixels)

    def test_grown_between_two_reads(self, copy: Source) -> None:
        """What lies behind the chunks is nobody's business."""
        with self.a_shard(copy.path, copy.reader).open("ab") as file:
            file.write(bytes(2880))
        np.testing.assert_array_equal(copy.reader.read(Window.whole(copy.reader.shape)), copy.pixels)

    @pytest.mark.parametrize("folder_too", [False, True])
    def test_removed(self, copy: Source, folder_too: bool) -> None:
        shard = self.a_shard(copy.path, copy.reader)
        shard.unlink()
        if folder_too:
            shutil.rmtree(copy.path)
            copy.path.touch()
        with pytest.raises(PyramidGone, match=f"^{copy.path.name}") as caught:
            copy.reader.read(Window.whole(copy.reader.shape))
        assert caught.value.status == 503
        assert str(copy.path.parent) not in str(caught.value)

    def test_truncated(self, copy: Source) -> None:
        shard = self.a_shard(copy.path, copy.reader)
        os.truncate(shard, shard.stat().st_size - 3)
        with pytest.raises(StoreError, match=f"^{copy.path.name}: a shard of .*data is damaged: it ends before"):
            copy.reader.read(Window.whole(copy.reader.shape))

    def test_emptied(self, copy: Source) -> None:
        os.truncate(self.a_shard(copy.path, copy.reader), 0)
        with pytest.raises(StoreError, match="is damaged"):
            copy.reader.read(Window.whole(copy.reader.shape))
        os.truncate(copy.path / "zarr.json", 0)
        with pytest.raises(StoreError, match="is no pyramid of this program, or damaged"):
            self.reopen(copy, copy.path)

    def test_permission_denied(self, copy: Source) -> None:
        shard = self.a_shard(copy.path, copy.reader)
        shard.chmod(0)
        if os.access(shard, os.R_OK):
            pytest.skip("root may read everything")
        with pytest.raises(StoreError, match="cannot be read: Permission denied"):
            copy.reader.read(Window.whole(copy.reader.shape))

    def test_chunks_are_counted_from_the_top(self, source: Source) -> None:
        storage = Storage.of(source.reader)
        assert storage.top == 0
        assert (storage.rows, storage.columns) == source.reader.chunks[-2:]
        assert (storage.depth, storage.beside) == (1, 1)
        assert source.reader.source_itemsize == 4

    def test_loaded_as_a_source(self, source: Source) -> None:
        """The loader's flip gives back what is in the store."""
        *leading, height, width = source.reader.shape
        count = int(np.prod(leading, dtype=int))
        out = np.empty((count, height, width), np.float32)
        load_block(source.reader, (0, count), 0, Box(0, 0, height, width), out)
        np.testing.assert_array_equal(out, source.pixels.reshape(out.shape)[:, ::-1])


def test_rasters(sources: dict[str, Source]) -> None:
    """Parts of several planes, shards and images at once, as they were written."""
    for source in sources.values():
        reader = source.reader
        assert isinstance(reader, LevelReader)
        pixels = source.pixels.reshape(-1, *source.pixels.shape[-2:])[:, ::-1]
        count, height, width = pixels.shape
        for planes, box in (
            ((0, count), Box(0, 0, height, width)),
            ((count // 2, count), Box(5, 7, height - 3, width - 1)),
            ((count - 1, count), Box(height - 1, width - 1, height, width)),
        ):
            expected = pixels[planes[0] : planes[1], box.top : box.bottom, box.left : box.right]
            np.testing.assert_array_equal(read_pixels(reader.pyramid, reader.level, planes, box), expected)
            missing = read_missing(reader.pyramid, reader.level, planes, box)
            if np.isnan(expected).any():
                assert missing is not None
                np.testing.assert_array_equal(missing, np.isnan(expected) * 4**reader.level)
            else:
                assert missing is None


def test_planes_one_by_one(tmp_path: Path) -> None:
    """What is not there yet is gone to whoever reads it, also beside planes that are; rewriting changes no other."""
    pyramid = new_pyramid(str(tmp_path / "store"), sparse_cube(tmp_path / "a.fits", (4, 60, 70), SPECTRAL), 32)
    shard = next(iter(pyramid.plan.shards(1)))
    grid, box = pyramid.plan.grid(1), pyramid.plan.box(shard)
    assert pyramid.plan.planes(shard) == (0, 4)
    pixels = np.arange(4 * 30 * 35, dtype=np.float32).reshape(4, 30, 35)
    assert (box.rows, box.columns, grid.planes) == (30, 35, 4)
    with pytest.raises(PyramidGone, match=r"planes 0 to 0 of level 1 are not in the store"):
        read_pixels(pyramid, 1, (0, 1), box)
    with pytest.raises(PyramidGone, match=r"planes 0 to 0 of level 1 are not in the store"):
        read_missing(pyramid, 1, (0, 1), box)
    for plane in (2, 0, 2, 1):
        piece = Piece(shard, plane, plane + 1)
        missing = np.full((1, 30, 35), plane, np.uint32) if plane else None
        size = write_piece(pyramid, piece, pixels[plane : plane + 1], missing)
        assert size == sum(f.stat().st_size for f in Path(pyramid.address).glob("1/[dm]*/c/**/*") if f.is_file())
    np.testing.assert_array_equal(read_pixels(pyramid, 1, (0, 3), box), pixels[:3])
    assert read_missing(pyramid, 1, (0, 1), box) is None
    found = read_missing(pyramid, 1, (0, 3), box)
    assert found is not None
    assert found.max(axis=(1, 2)).tolist() == [0, 1, 2]
    with pytest.raises(PyramidGone):
        read_pixels(pyramid, 1, (2, 4), box)
    write_piece(pyramid, Piece(shard, 1, 3), pixels[1:3], None)
    assert read_missing(pyramid, 1, (0, 3), box) is None


def test_what_is_missing_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels without their counts are not to be had, however the writer dies."""
    pyramid = new_pyramid(str(tmp_path / "store"), sparse_cube(tmp_path / "a.fits", (60, 70)), 32)
    shard = next(iter(pyramid.plan.shards(1)))
    names: list[str] = []
    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        names.append(Path(target).relative_to(pyramid.address).parts[1])
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replaced)
    write_piece(pyramid, Piece(shard, 0, 1), np.ones((1, 30, 35), np.float32), np.ones((1, 30, 35), np.uint32))
    assert names == ["missing", "data"]


def test_token_tells_versions_apart(tmp_path: Path) -> None:
    pyramid = new_pyramid(str(tmp_path / "store"), sparse_cube(tmp_path / "a.fits", (60, 70)), 32)
    reader = LevelReader.of(pyramid, 1, (60, 70))
    assert reader.token == f"store:{pyramid.token}:1:23"
    assert reader.fingerprint == pyramid.fingerprint
    assert len(pickle.dumps(reader)) < 1000
