"""A file that is replaced while it is served: a new fingerprint, and never a mixture of the two."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from .. import reference
from ..processes import wait_until
from ..service import Service, serving


def value_of(data: bytes) -> int:
    """Value of all pixels of a tile, which are multiples of ten; the transfer table may err by one."""
    pixels = reference.decoded(data)
    (value,) = np.unique(np.round(pixels, -1))
    assert np.abs(pixels - value).max() <= 1
    return int(value)


def write(path: Path, value: float) -> None:
    """Put a cube of one value in the place of what is there, at once."""
    new = path.with_suffix(".new")
    fits.writeto(new, np.full((2, 600, 600), value, np.float32))
    new.replace(path)


def test_replaced_while_served(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    write(path, 10)
    tiles = [f"/cubes/a.fits/tiles/0/{row}/{column}.png?cuts=0,255&gamma=1" for row in range(3) for column in range(3)]
    with serving(tmp_path, tile_threads=1) as service, ThreadPoolExecutor(4) as pool:
        first = service.ok("/cubes/a.fits").json["fingerprint"]
        fixed = f"{tiles[0]}&v={first}"
        assert value_of(service.ok(fixed).body) == 10
        etags: dict[str, int] = {}
        now = [first]
        for value in (20, 30):
            answers = pool.map(service.get, tiles * 6)
            write(path, value)
            for answer in answers:
                assert answer.status in (200, 409)
                if answer.status == 200:
                    found = value_of(answer.body)
                    assert found in (value - 10, value)
                    assert etags.setdefault(answer.headers["ETag"], found) == found
            wait_until(lambda: service.get("/cubes/a.fits").json.get("fingerprint", now[0]) != now[0], 10)
            now.insert(0, service.ok("/cubes/a.fits").json["fingerprint"])
            wait_until(lambda: service.get(tiles[8]).status == 200, 10)
            assert value_of(service.ok(tiles[8]).body) == value
        assert len(set(now)) == 3
        changed = service.get(fixed)
        assert (changed.status, changed.parameter) == (409, "v")


def test_changed_in_place_is_noticed_before_a_pixel_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiomatic_dask.server.catalog._TRUSTED", 3600.0)  # however slow this machine is
    path = tmp_path / "a.fits"
    write(path, 10)
    with serving(tmp_path, tile_threads=1) as service:
        service.ok("/cubes/a.fits")
        with path.open("r+b") as file:  # same size, other pixels, other time
            file.seek(-4, os.SEEK_END)
            file.write(b"\x40\0\0\0")
        os.utime(path, ns=(1, 1))
        answer = service.get("/cubes/a.fits/tiles/0/0/0.png?cuts=0,255")
        # For a while the server takes the file for the one it opened; the reader does not.
        assert answer.status == 409
        assert "a.fits has changed" in answer.message
        assert str(tmp_path) not in answer.message
        wait_until(lambda: service.get("/cubes/a.fits/tiles/0/0/0.png?cuts=0,255").status == 200, 10)


@pytest.mark.parametrize("path", ["/cubes/a.fits", "/cubes/a.fits/tiles/0/0/0.png", "/api?FIF=a.fits&VAL=1,1"])
def test_removed_while_served(tmp_path: Path, path: str) -> None:
    write(tmp_path / "a.fits", 10)
    with serving(tmp_path, tile_threads=1) as service:
        service.ok(path)
        (tmp_path / "a.fits").unlink()
        wait_until(lambda: service.get(path).status == 404, 10)
        assert service.get(path).message


def put_beside(path: Path, data: bytes) -> None:
    """Another file in the place of this one."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


def rewrite(path: Path, data: bytes) -> None:
    """The same file, written over a few kilobytes at a time."""
    with path.open("r+b", buffering=0) as file:
        for start in range(0, len(data), 200_000):
            file.write(data[start : start + 200_000])


def truncate_first(path: Path, data: bytes) -> None:
    """The same file, cut off and written again."""
    os.truncate(path, len(data) // 2)
    time.sleep(0.02)
    path.write_bytes(data)


def make_again(path: Path, data: bytes) -> None:
    """No file for a moment, and then one of that name."""
    path.unlink()
    time.sleep(0.02)
    path.write_bytes(data)


@pytest.mark.parametrize("change", [put_beside, rewrite, truncate_first, make_again])
def test_no_tile_mixes_two_versions(tmp_path: Path, change: Callable[[Path, bytes], None]) -> None:
    """Versions of one value each, one after the other under a steady load: every tile has one value."""
    path = tmp_path / "a.fits"
    versions = []
    for value in (40, 80):
        write(path, value)
        versions.append(path.read_bytes())
    tiles = [f"/cubes/a.fits/tiles/{level}/{place}.png?cuts=0,255&gamma=1" for level, place in TILES]
    with serving(tmp_path, tile_threads=1) as service, ThreadPoolExecutor(4) as pool:
        stop = threading.Event()
        hammers = [pool.submit(hammer, service, tiles[number:], stop) for number in range(3)]
        for number in range(8):
            change(path, versions[number % 2])
            fingerprint = settled(service, (40, 80)[number % 2], tiles[0])
            assert value_of(service.ok(f"{tiles[0]}&v={fingerprint}").body) == (40, 80)[number % 2]
        stop.set()
        seen: dict[str, int] = {}
        for one in hammers:
            for etag, value in one.result():
                assert seen.setdefault(etag, value) == value
        assert set(seen.values()) == {40, 80}


TILES = [(0, f"{row}/{column}") for row in range(3) for column in range(3)] + [(1, "0/0"), (1, "1/1"), (2, "0/0")]


def hammer(service: Service, tiles: list[str], stop: threading.Event) -> list[tuple[str, int]]:
    """Ask for tiles until told to stop: the ETag and the one value of each."""
    found = []
    while not stop.is_set():
        for tile in tiles:
            answer = service.get(tile)
            assert answer.status in (200, 404, 409), answer.body
            if answer.status == 200:
                found.append((answer.headers["ETag"], value_of(answer.body)))
    return found


def settled(service: Service, value: int, tile: str) -> str:
    """Wait until the version of a value is served, and return its fingerprint."""

    def is_there() -> bool:
        answer = service.get(tile)
        return answer.status == 200 and value_of(answer.body) == value

    wait_until(is_there, 20)
    return str(service.ok("/cubes/a.fits").json["fingerprint"])


def test_who_meets_a_change_is_told_the_new_version_at_once(tmp_path: Path) -> None:
    """A reader has found the file changed: no look at it that was made before counts any more."""
    path = tmp_path / "a.fits"
    write(path, 10)
    with serving(tmp_path, tile_threads=1) as service:
        first = service.ok("/cubes/a.fits").json["fingerprint"]
        write(path, 20)
        answer = service.get("/cubes/a.fits/tiles/0/0/0.png?cuts=0,255&gamma=1")
        assert answer.status == 409 or value_of(answer.body) == 20
        assert service.ok("/cubes/a.fits").json["fingerprint"] != first
