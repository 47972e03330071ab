"""Folders of a store: the same contract locally, in fsspec's memory, and on S3 (moto)."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.s3 import s3_bucket
from visiomatic_dask.errors import PyramidGone, StoreError, UnwritableStore
from visiomatic_dask.pyramid.store.folder import StoreFolder


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    with s3_bucket("pyramids") as fs:
        yield fs


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreFolder]:
    kind = request.param
    if kind == "local":
        address = str(tmp_path / "store")
    elif kind == "memory":
        address = f"memory://{tmp_path.name}/store"
    else:
        request.getfixturevalue("bucket")
        address = f"s3://pyramids/{tmp_path.name}/store"
    found = StoreFolder.of(address)
    found.make()
    yield found
    if kind == "memory":
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def test_nothing_there(folder: StoreFolder) -> None:
    assert folder.name == "store"
    assert folder.read("a.json") is None
    assert folder.stamp("a.json") is None
    assert folder.modified("a.json") is None
    assert folder.names() == []
    assert folder.usage() == (0, 0)
    assert not folder.delete_if("a.json", b"")
    assert not folder.remove_tree("a.zarr")
    folder.delete("a.json")


def test_written_and_read(folder: StoreFolder) -> None:
    folder.write("a.json", b"one")
    assert folder.read("a.json") == b"one"
    stamp = folder.stamp("a.json")
    assert stamp is not None
    assert folder.stamp("a.json") == stamp
    folder.write("a.json", b"two")
    assert folder.read("a.json") == b"two"
    assert folder.stamp("a.json") != stamp
    modified = folder.modified("a.json")
    assert modified is not None
    assert abs(modified - time.time()) < 5
    assert folder.names() == ["a.json"]  # nothing temporary
    assert folder.usage() == (1, 3)
    folder.delete("a.json")
    assert folder.read("a.json") is None


def test_created_once(folder: StoreFolder) -> None:
    assert folder.create("lock", b"mine")
    assert not folder.create("lock", b"theirs")
    assert folder.read("lock") == b"mine"
    assert not folder.delete_if("lock", b"theirs")
    assert folder.read("lock") == b"mine"
    assert folder.delete_if("lock", b"mine")
    assert folder.names() == []
    assert folder.create("lock", b"theirs")


def test_one_of_many_creates(folder: StoreFolder) -> None:
    with ThreadPoolExecutor(8) as pool:
        for turn in range(5):
            begin = threading.Barrier(8)

            def create(number: int, turn: int = turn, begin: threading.Barrier = begin) -> bool:
                begin.wait()
                return folder.create(f"lock{turn}", str(number).encode())

            found = list(pool.map(create, range(8)))
            assert found.count(True) == 1
            assert folder.read(f"lock{turn}") == str(found.index(True)).encode()


def test_trees(folder: StoreFolder) -> None:
    inner = StoreFolder.of(f"{folder.address}/a.zarr")  # type: ignore[attr-defined]
    inner.make()
    inner.write("zarr.json", b"{}")
    deeper = StoreFolder.of(f"{folder.address}/a.zarr/1")  # type: ignore[attr-defined]
    deeper.make()
    deeper.write("chunk", b"x" * 100)
    folder.write("note", b"y")
    assert folder.names() == ["a.zarr", "note"]
    assert folder.usage() == (3, 103)
    assert folder.usage("a.zarr") == (2, 102)
    modified = folder.modified("a.zarr")
    assert modified is not None
    assert abs(modified - time.time()) < 5
    assert folder.remove_tree("a.zarr")
    assert folder.names() == ["note"]
    assert inner.read("zarr.json") is None
    assert not folder.remove_tree("a.zarr")


def test_travels(folder: StoreFolder) -> None:
    folder.write("a", b"b")
    assert pickle.loads(pickle.dumps(folder)).read("a") == b"b"


def test_no_bucket(bucket: Any) -> None:
    folder = StoreFolder.of("s3://nobody/store")
    for write in (lambda: folder.write("a", b""), lambda: folder.create("a", b"")):
        with pytest.raises(
            UnwritableStore, match=r"store, of the store, cannot be written to: there is no such bucket"
        ):
            write()
    assert folder.read("a") is None


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {
        "endpoint_url": "http://127.0.0.1:9",
        "key": "a",
        "secret": "b",
        "config_kwargs": {"retries": {"max_attempts": 1}},
    }
    monkeypatch.setitem(fsspec.config.conf, "s3", options)
    fsspec.filesystem("s3").clear_instance_cache()
    folder = StoreFolder.of("s3://pyramids/deep/inside")
    with pytest.raises(StoreError, match=r"^inside, of the store, cannot be read: the server does not answer"):
        folder.read("a")
    with pytest.raises(UnwritableStore, match=r"^inside, of the store, cannot be written to: "):
        folder.write("a", b"")
    fsspec.filesystem("s3").clear_instance_cache()


def test_gone(tmp_path: Path) -> None:
    folder = StoreFolder.of(str(tmp_path / "a.zarr"))
    for write in (lambda: folder.write("a", b""), lambda: folder.create("a", b"")):
        with pytest.raises(PyramidGone, match=r"a\.zarr is no longer in the store"):
            write()
    assert not (tmp_path / "a.zarr").exists()


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = StoreFolder.of(str(tmp_path))
    folder.write("a", b"before")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnwritableStore, match=rf"{tmp_path.name}, of the store, cannot be written to: No space left"):
        folder.write("a", b"after")
    assert folder.read("a") == b"before"
    assert folder.names() == ["a"]


def test_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableStore, match="inside, of the store, cannot be made: "):
        StoreFolder.of(str(tmp_path / "file" / "inside")).make()


def test_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(StoreError, match=r"a\.json cannot be read: Is a directory"):
        StoreFolder.of(str(tmp_path)).read("a.json")


def test_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    folder = StoreFolder.of(str(tmp_path))
    assert folder.create("lock", b"mine")
    assert not folder.create("lock", b"theirs")
    assert folder.read("lock") == b"mine"
    assert folder.names() == ["lock"]


def test_not_exclusive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing is exclusive, of two that write at the same time one learns that it was not the last."""
    monkeypatch.setattr("visiomatic_dask.pyramid.store.url_folder._EXCLUSIVE", ())
    fs = fsspec.filesystem("memory")
    monkeypatch.setattr(type(fs), "pipe_file", _put)
    folder = StoreFolder.of(f"memory://{tmp_path.name}")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: folder.create("lock", str(number).encode()), range(4)))
    assert found.count(True) == 1
    assert folder.read("lock") == str(found.index(True)).encode()
    fs.rm(f"/{tmp_path.name}", recursive=True)


def _put(fs: Any, path: str, value: bytes, mode: str = "overwrite") -> None:
    with fs.open(path, "wb") as file:
        file.write(value)


def test_removed_by_two(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = StoreFolder.of(str(tmp_path))
    with ThreadPoolExecutor(4) as pool, caplog.at_level(logging.WARNING):
        for _ in range(10):
            for name in ("a.zarr", ".gone-0-a.zarr"):
                for number in range(20):
                    (tmp_path / name / str(number)).mkdir(parents=True)
                    (tmp_path / name / str(number) / "chunk").write_text("x")
            assert list(pool.map(folder.remove_tree, ["a.zarr"] * 4)).count(True) == 1
            list(pool.map(folder.remove_tree, [".gone-0-a.zarr"] * 4))
            assert folder.names() == []
