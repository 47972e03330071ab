"""A cube of 1 TB (sparse: the disk holds kilobytes of it), served by ``serve`` as a user would."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from .. import reference
from ..processes import Started, memory_of, process_tree, started, visiomatic
from ..service import Service
from ..terabyte import CHANNELS, MOST_BYTES, MOST_READS, SIDE, View, sparse_cube, views

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

CONNECTIONS = 6
OTHERS = 1e6, 1000
"""Bytes and calls that are not reads of the file: of sockets, and between threads."""


def read_by(pid: int) -> tuple[int, int]:
    """Count the bytes and the calls of all reads of a process tree so far, those of sockets included."""
    counters = [one.io_counters() for one in process_tree(pid)]
    return sum(one.read_chars for one in counters), sum(one.read_count for one in counters)


def serving(cube: Path, log: Path, **settings: str) -> Iterator[tuple[Started, Service]]:
    """Run a server with settings of its own."""
    command = visiomatic("serve", cube, "--port", 0, "--no-browser")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"DASK_VISIOMATIC__{name}", value)
        with started(command, log) as one:
            one.wait_for("Ctrl-C")
            url = re.search(r"http://[\d.]+:\d+/", one.text)
            assert url is not None
            service = Service(url[0])
            service.ok("/health")
            yield one, service
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(20) == 0


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "tera.fits"
    sparse_cube(path)
    assert path.stat().st_size > 10**12
    assert path.stat().st_blocks * 512 < 10**8
    return path


@pytest.fixture(scope="module")
def server(cube: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, Service]]:
    folder = tmp_path_factory.mktemp("log")
    yield from serving(cube, folder / "serve.log", STORE=str(folder / "store"))


@pytest.fixture(scope="module")
def frugal(cube: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, Service]]:
    """A server that builds nothing and reads nothing ahead, so that what it reads is what it shows.

    Without a store, what reads up to read-limit is exact; so small a limit leaves levels 4 to 8 to previews.
    """
    log = tmp_path_factory.mktemp("log") / "serve.log"
    yield from serving(cube, log, PYRAMID="memory", PREFETCH="0", READ_LIMIT="64 MB")


def test_opens_and_shows_a_tile_within_a_second(server: tuple[Started, Service]) -> None:
    process, service = server
    start = time.monotonic()
    tile = service.ok("/cubes/tera.fits/tiles/0/0/0.png?channel=7&cuts=0,255&gamma=1")
    elapsed = time.monotonic() - start
    expected = np.repeat(np.arange(256)[:, None], 256, axis=1)
    reference.assert_close(tile.body, expected, 1)
    assert "X-Visiomatic-Quality" not in tile.headers
    print(f"first tile after {elapsed:.3f} s, {memory_of(process.pid) / 1e6:.0f} MB")
    assert elapsed < 1


def test_default_cuts_are_found_in_a_bounded_sample(server: tuple[Started, Service]) -> None:
    _, service = server
    start = time.monotonic()
    info = service.ok("/api?FIF=tera.fits&INFO").json
    elapsed = time.monotonic() - start
    assert info["full_size"] == [SIDE, SIDE]
    assert info["tile_levels"] == 9
    assert len(info["images"][0]["min_max"]) == CHANNELS
    print(f"INFO after {elapsed:.3f} s")
    assert elapsed < 2


def test_coarsest_tile_is_a_preview(server: tuple[Started, Service]) -> None:
    process, service = server
    start = time.monotonic()
    tile = service.ok("/cubes/tera.fits/tiles/8/0/0.jpg?channel=7&cuts=0,255")
    elapsed = time.monotonic() - start
    assert tile.headers["X-Visiomatic-Quality"] == "preview"
    assert reference.decoded(tile.body).shape == (196, 196)
    print(f"preview after {elapsed:.3f} s, {memory_of(process.pid) / 1e6:.0f} MB")
    assert elapsed < 10


def test_memory_stays_bounded_while_panning(server: tuple[Started, Service]) -> None:
    process, service = server
    most = 0
    for number in range(60):
        level, channel = number % 7, number % CHANNELS
        last = -(-SIDE // (256 << level)) - 1
        place = f"{level}/{min(3 * number, last)}/{min(2 * number, last)}"
        service.ok(f"/cubes/tera.fits/tiles/{place}.jpg?channel={channel}&cuts=0,1")
        most = max(most, memory_of(process.pid))
    colour = service.ok("/api?FIF=tera.fits&JTL=8,9000&" + "&".join(f"MINMAX={c}:0,1" for c in range(1, CHANNELS + 1)))
    assert reference.decoded(colour.body).shape == (256, 256, 3)
    region = service.get("/api?FIF=tera.fits&CHAN=1&RGN=1,1:50000,50000")
    assert region.status == 413
    assert "1024 tiles" in region.message
    values = service.ok("/api?FIF=tera.fits&VAL=1,50000").json["values"]
    assert len(values) == CHANNELS
    most = max(most, memory_of(process.pid))
    print(f"at most {most / 1e6:.0f} MB")
    assert most < 1.5e9


@pytest.mark.parametrize("region", ["1,1:50000,5", "1,1:5,50000", "1,1:50000,50000&BIN=16"])
def test_regions_within_the_limit(server: tuple[Started, Service], region: str) -> None:
    _, service = server
    response = service.ok(f"/api?FIF=tera.fits&CHAN=1&MINMAX=1:0,1&RGN={region}")
    assert response.headers["Content-Type"] == "image/jpeg"


def look(service: Service, view: View, channel: int) -> tuple[float, set[str | None]]:
    """Ask for the tiles of a view as a browser does; seconds until all are there, and how good they are."""

    def tile(place: str) -> str | None:
        return service.ok(f"/cubes/tera.fits/tiles/{place}.jpg?channel={channel}&cuts=0,1").headers[
            "X-Visiomatic-Quality"
        ]

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        qualities = set(threads.map(tile, view.tiles))
    return time.monotonic() - began, qualities


def test_any_view_of_any_plane_comes_soon(server: tuple[Started, Service]) -> None:
    """Previews, while the pyramid of what was looked at before is being built."""
    _, service = server
    worst = 0.0
    for channel, level in [(0, 8), (50, 7), (99, 6), (31, 5), (32, 4), (33, 3), (34, 2), (35, 1), (36, 0)]:
        seconds = max(look(service, view, channel)[0] for view in views(level))
        print(f"level {level}: all tiles after {seconds:.2f} s at most")
        worst = max(worst, seconds)
    assert worst < 10


@pytest.mark.parametrize("level", [0, 4, 5, 6, 7, 8])
def test_views_read_little(frugal: tuple[Started, Service], level: int) -> None:
    """Every view is of a plane of its own, so that nothing of it was there before."""
    process, service = frugal
    for number, view in enumerate(views(level)):
        channel = 10 * level + number
        before = read_by(process.pid)
        seconds, qualities = look(service, view, channel)
        nbytes, calls = (now - then for now, then in zip(read_by(process.pid), before, strict=True))
        print(f"{view}: {len(view.tiles)} tiles, {seconds:.2f} s, {nbytes / 1e6:.1f} MB in {calls} calls")
        assert qualities == {"preview" if level else None}
        assert nbytes <= MOST_BYTES + OTHERS[0]
        assert calls <= MOST_READS + OTHERS[1]
        assert seconds < 10
