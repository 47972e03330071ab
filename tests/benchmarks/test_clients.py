"""The clients that the benchmarks measure with: connections, viewers and the session that they play."""

from __future__ import annotations

import asyncio
import contextlib
import json
import mmap
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from . import page_cache
from .figures import medians, percentile, times_better
from .http_client import BrokenAnswer, Connection, fetch_all
from .memory_trend import MemoryTrend
from .replay import replay
from .served_cube import ServedCube, Show
from .session import LENGTH, SESSION, VIEWERS, View, make_session, read_session, views
from .stages import parse_timing
from .tree import Tree
from .viewer import Tally, Viewer

JPEG = b"\xff\xd8 picture \xff\xd9"
CUBE = ServedCube("sky.fits", "f00", 256, (2048, 2048), ((8, 8), (4, 4), (2, 2), (1, 1)), ((0.0, 1.0),) * 5)
Script = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def answer(status: str, body: bytes = JPEG, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve by a script that is called for each request; give the URL and a list of what happens."""
    events: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        events.append("open")
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                events.append(path)
                await script(path, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        events.append("closed")

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", events
    await until(lambda: events.count("closed") == events.count("open"))


async def good(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(answer("200 OK"))


def test_connections_are_kept_and_turns_are_taken() -> None:
    async def main() -> None:
        async with serving(good) as (url, events):
            connections = [Connection(url), Connection(url)]
            found = await fetch_all(connections, [f"/{number}" for number in range(6)])
            assert all(one.answer.is_picture and one.ended >= one.began for one in found)
            assert events.count("open") == 2
            assert sorted(event for event in events if event.startswith("/")) == [f"/{n}" for n in range(6)]
            for connection in connections:
                connection.close()

    asyncio.run(main())


def test_an_idle_connection_may_be_closed_but_not_an_answer_cut_short() -> None:
    async def main() -> None:
        async def close_afterwards(path: str, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("200 OK")[: -5 if path == "/cut" else None])
            writer.close()

        async with serving(close_afterwards) as (url, _):
            connection = Connection(url)
            assert (await connection.get("/1")).is_picture
            assert (await connection.get("/2")).is_picture
            assert connection.reopened == 1
            with pytest.raises(BrokenAnswer):
                await connection.get("/cut")
            connection.close()

    asyncio.run(main())


def view_of(channel: int) -> View:
    return View(0.5, 0.5, 0, (512, 512), Show(channel))


def test_a_viewer_aborts_what_is_no_longer_wanted() -> None:
    async def main() -> None:
        async def first_channel_hangs(path: str, writer: asyncio.StreamWriter) -> None:
            if "channel=0" not in path:
                await good(path, writer)

        async with serving(first_channel_hangs) as (url, events):
            tally = Tally()
            viewer = Viewer(url, CUBE, tally)
            viewer.start()
            await viewer.look(view_of(0))
            await until(lambda: sum("channel=0" in event for event in events) == 4)
            await viewer.look(view_of(1))
            await until(lambda: len(tally.settled) == 1)
            assert (tally.aborted, tally.failed, len(tally.latencies)) == (4, 0, 4)
            await until(lambda: events.count("closed") == 4)
            await viewer.look(view_of(1))  # what has come is kept
            await asyncio.sleep(0.05)
            assert sum("channel=1" in event for event in events) == 4
            await viewer.close()

    asyncio.run(main())


def test_a_viewer_comes_back_to_a_busy_server_and_counts_failures() -> None:
    async def main() -> None:
        busy = ["503 Service Unavailable"]

        async def busy_once(path: str, writer: asyncio.StreamWriter) -> None:
            if "/3/3.jpg" in path:
                writer.write(answer("500 Internal Server Error", b"no"))
            elif busy:
                writer.write(answer(busy.pop(), b"", "Retry-After: 0.01\r\n"))
            else:
                await good(path, writer)

        async with serving(busy_once) as (url, _):
            tally = Tally()
            viewer = Viewer(url, CUBE, tally)
            viewer.start()
            await viewer.look(view_of(0))
            await until(lambda: tally.settled)
            assert (tally.refused, tally.failed, len(tally.latencies)) == (1, 1, 3)
            assert "500" in tally.failures[0]
            await viewer.close()

    asyncio.run(main())


def test_a_replay_counts_and_does_what_it_is_told_meanwhile() -> None:
    described = {
        "fingerprint": CUBE.fingerprint,
        "tile_size": CUBE.tile_size,
        "width": CUBE.size[0],
        "height": CUBE.size[1],
        "levels": [{"columns": columns, "rows": rows} for columns, rows in CUBE.levels],
        "cuts": CUBE.cuts,
    }

    async def describe(path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/cubes":
            writer.write(answer("200 OK", json.dumps({"cubes": [{"name": CUBE.name}]}).encode()))
        elif "tiles" in path:
            await good(path, writer)
        else:
            writer.write(answer("200 OK", json.dumps(described).encode()))

    async def main() -> None:
        done: list[str] = []

        async def act() -> None:
            done.append("later")

        async with serving(describe) as (url, events):
            watch = MemoryTrend(Tree(os.getpid()), 0.1, 0.0)
            actions = [(0.0, lambda: done.append("at once")), (0.5, act)]
            result = await replay(url, read_session(), 1.0, watch=watch, actions=actions)
        assert done == ["at once", "later"]
        assert result.tiles == sum("tiles" in event for event in events) > 20
        assert (result.failed, result.refused, result.failures) == (0, 0, [])
        assert 1 <= result.seconds < 3
        assert 0 < result.p50 <= result.p95 <= result.p99 <= result.longest
        assert result.processor_ms is not None
        assert [trend.last > 0 for trend in result.memory] == [True]
        assert result.figures["tiles_per_second"] == result.tiles_per_second

    asyncio.run(main())


def test_the_session_is_what_it_was_made_from() -> None:
    assert read_session() == make_session()
    assert len(SESSION.read_text().splitlines()) == len(make_session())


def test_the_session_has_everything_in_it() -> None:
    script = read_session()
    assert {gesture.do for gesture in script} == {"open", "pan", "zoom", "contrast", "channels"}
    for number in range(VIEWERS):
        seen = list(views([gesture for gesture in script if gesture.viewer == number], CUBE))
        assert [at for at, _ in seen] == sorted(at for at, _ in seen)
        assert 0 <= seen[0][0] < seen[-1][0] < LENGTH + 4
        assert all(0 <= view.show.channel < 5 and 0 <= view.level < 4 for _, view in seen)
        assert all(view.tiles(CUBE) for _, view in seen)
        again = list(views([gesture for gesture in script if gesture.viewer == number], CUBE, turn=1))
        assert again[0][1].show.contrast != seen[0][1].show.contrast


def test_tiles_come_from_the_centre_outwards() -> None:
    tiles = View(0.5, 0.5, 1, (700, 300), Show()).tiles(CUBE)
    assert set(tiles) == {(1, row, column) for row in (1, 2) for column in (0, 1, 2, 3)}
    assert {column for _, _, column in tiles[:4]} == {1, 2}


def test_paths_say_all_that_our_client_says() -> None:
    assert CUBE.path((0, 1, 2), Show(3, 1.25)) == (
        "/cubes/sky.fits/tiles/0/1/2.jpg?channel=3&cuts=0,1&brightness=0&contrast=1.25&gamma=2.2&colormap=grey"
        "&invert=false&quality=90&v=f00"
    )
    mixed = CUBE.path((0, 1, 2), Show(4, mixed=True))
    assert mixed.count("mix=") == mixed.count("cuts=") == 3
    assert "channel" not in mixed


def test_server_timing() -> None:
    header = 'queue;dur=0.41, read;dur=0.00, render;desc="cut, style";dur=0.07,encode;dur=0.16, cache;desc="hit"'
    assert parse_timing(header) == {"queue": 0.41, "read": 0.0, "render": 0.07, "encode": 0.16, "cache": 0.0}
    assert parse_timing("") == {}


def test_page_cache_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(64 * page_cache.PAGE + 1))
    page_cache.load(path)
    assert page_cache.resident(path).shape == (65,)
    assert page_cache.resident(path).all()
    stayed = page_cache.drop(path)  # nothing leaves on a filesystem that lives in memory
    assert stayed in (0.0, 1.0)
    assert page_cache.resident(path).mean() == stayed


def test_memory_that_grows() -> None:
    held = []
    with MemoryTrend(Tree(os.getpid()), 0.02, 0.1, {os.getpid(): "this"}) as trend:
        for _ in range(10):
            # Pages of their own: an allocator may hand out what earlier tests have left, which is resident already.
            held.append(mmap.mmap(-1, 2**20))
            held[-1].write(b"x" * 2**20)
            time.sleep(0.05)
    (mine,) = [one for one in trend.trends if one.name == "this"]
    assert mine.samples > 5
    assert mine.most >= mine.last >= mine.first + 5
    assert mine.per_minute > 0
    assert trend.total.last >= mine.last
    assert len(held) == 10


def test_a_tree_counts_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3_000_000))
    tree = Tree(os.getpid())
    before = psutil.Process().io_counters().read_chars
    path.read_bytes()
    assert tree.reads().called - before >= 3_000_000


def test_numbers() -> None:
    assert medians({"a": [{"x": 1.0}, {"x": 3.0, "y": 5.0}, {"x": 2.0}]}) == {"a": {"x": 2.0, "y": 5.0}}
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([], 0.5) != percentile([], 0.5)
    assert times_better(2.0, 6.0, "less") == times_better(6.0, 2.0, "more") == 3.0
    assert times_better(0.0, 6.0, "less") is None
    assert times_better(1.0, 6.0, None) is None
