"""Compressed cubes over HTTP: nobody waits long, everybody learns how far it is, and nothing else stands still.

Another process that unpacks the same file, which is how one of several front ends looks to the others, is played by its
lock: the server waits until it is freed, and then does the work itself.
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.readers.packed.packed_files import bomb
from visiomatic_dask.cube import SourceFile
from visiomatic_dask.readers.packed.progress_lock import ProgressLock

from .. import reference
from ..processes import wait_until
from ..service import Service, serving

TILE = "/cubes/a.fits.gz/tiles/0/0/0.png?cuts=0,255&gamma=1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A compressed cube and a plain one."""
    folder = tmp_path / "cubes"
    folder.mkdir()
    plain = folder / "plain.fits"
    fits.writeto(plain, np.full((2, 300, 300), 40, np.float32))
    (folder / "a.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@contextmanager
def served(folder: Path, cache: Path, **settings: Any) -> Iterator[Service]:
    with serving(folder, tile_threads=1, cache_folder=str(cache), **settings) as service:
        yield service


def content(cache: Path, path: Path, suffix: str = "") -> Path:
    return cache / "unpacked" / f"{SourceFile.of(path).fingerprint}{suffix}"


@contextmanager
def held(cache: Path, path: Path, done: float) -> Iterator[ProgressLock]:
    (cache / "unpacked").mkdir(parents=True, exist_ok=True)
    lock = ProgressLock.take(content(cache, path, ".lock"))
    assert lock is not None
    lock.report(round(done * path.stat().st_size))
    try:
        yield lock
    finally:
        lock.release()


def test_compressed_cubes_are_listed_and_served(folder: Path, cache: Path) -> None:
    with served(folder, cache) as service:
        listed = {cube["name"] for cube in service.ok("/cubes").json["cubes"]}
        assert listed == {"a.fits.gz", "plain.fits"}
        assert not (cache / "unpacked").exists()  # to list is not to unpack
        assert service.ok("/cubes/a.fits.gz").json["shape"] == [2, 300, 300]
        assert service.ok("/cubes/a.fits.gz/values?x=1&y=1").json["values"] == [40, 40]
        np.testing.assert_allclose(reference.decoded(service.ok(TILE).body), 40, atol=1)


@pytest.mark.parametrize(
    "path", ["/cubes/a.fits.gz", TILE, "/api?FIF=a.fits.gz&INFO", "/cubes/a.fits.gz/values?x=1&y=1"]
)
def test_progress_is_told(folder: Path, cache: Path, path: str) -> None:
    packed = folder / "a.fits.gz"
    with served(folder, cache) as service, ThreadPoolExecutor(16) as pool:
        with held(cache, packed, 0.34) as lock:
            # Many more than there are threads: and the others are answered all the same
            for answer in pool.map(service.get, [path] * 16):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
                assert answer.headers["Cache-Control"] == "no-store"
                assert answer.message == "a.fits.gz is being unpacked: 34 % done"
                assert answer.json["detail"][0]["progress"] == pytest.approx(0.34, abs=0.01)
            assert service.ok("/cubes/plain.fits").json["shape"] == [2, 300, 300]
            lock.report(packed.stat().st_size // 2)
            wait_until(lambda: "50 % done" in service.get(path).message, 10)
        wait_until(lambda: service.get(path).status == 200, 20)


def test_it_goes_on_when_the_browser_goes(folder: Path, cache: Path) -> None:
    packed = folder / "a.fits.gz"
    with served(folder, cache) as service:
        with held(cache, packed, 0.1), socket.create_connection((service.host, service.port)) as connection:
            connection.sendall(b"GET /cubes/a.fits.gz HTTP/1.1\r\nHost: here\r\n\r\n")
            assert service.get("/cubes/a.fits.gz").status == 503
        wait_until(content(cache, packed).exists, 20)
        assert service.get("/cubes/a.fits.gz").status == 200


def test_failure_is_told_to_all_and_not_repeated_until_the_file_changes(folder: Path, cache: Path) -> None:
    packed = folder / "a.fits.gz"
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-100])
    (folder / "bomb.fits.gz").write_bytes(bomb(10**8))
    with served(folder, cache, unpack_limit="20 MB") as service:
        with held(cache, packed, 0.1):
            assert service.get("/cubes/a.fits.gz").status == 503
        for _ in range(3):
            wait_until(lambda: service.get("/cubes/a.fits.gz").status == 404, 20)
            assert service.get(TILE).message == "a.fits.gz is truncated: its gzip data end too early"
            with held(cache, packed, 0.1):  # another try would wait for this
                assert service.get("/cubes/a.fits.gz").status == 404
        packed.write_bytes(whole)
        wait_until(lambda: service.get("/cubes/a.fits.gz").status == 200, 20)
        wait_until(lambda: service.get("/cubes/bomb.fits.gz").status == 413, 20)
        assert "visiomatic.unpack-limit" in service.get("/cubes/bomb.fits.gz").message
        assert [path.name for path in (cache / "unpacked").iterdir()] == [content(cache, packed).name]


def test_evicted_while_served(folder: Path, cache: Path) -> None:
    """A tile that cannot be read for now is worth another try: the cube comes back as it was."""
    packed = folder / "a.fits.gz"
    with served(folder, cache) as service:
        fingerprint = service.ok("/cubes/a.fits.gz").json["fingerprint"]
        content(cache, packed).unlink()
        tile = f"{TILE}&v={fingerprint}"
        first = service.get(tile)
        assert first.status in (200, 503)  # 200 where a second had passed, and the file was looked at before
        if first.status == 503:
            assert first.headers["Retry-After"] == "1"
            assert first.message == "a.fits.gz is no longer unpacked in the cache; open it again"
        wait_until(lambda: service.get(tile).status == 200, 20)
        np.testing.assert_allclose(reference.decoded(service.ok(tile).body), 40, atol=1)
        wait_until(lambda: service.get("/cubes/a.fits.gz").status == 200, 20)
        assert service.ok("/cubes/a.fits.gz").json["fingerprint"] == fingerprint


def test_server_is_stopped_meanwhile(folder: Path, cache: Path) -> None:
    with held(cache, folder / "a.fits.gz", 0.1):
        with served(folder, cache) as service:
            assert service.get("/cubes/a.fits.gz").status == 503
        assert [path.suffix for path in (cache / "unpacked").iterdir()] == [".lock"]
