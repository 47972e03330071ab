"""Viewers are told apart, take turns, and cost nothing once they have gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from distributed import Worker

from visiomatic_dask.engine.worker import TileStreamPlugin
from visiomatic_dask.server.viewers import new_viewer, viewer_of

from ..processes import wait_until
from ..service import Service, serving


def test_a_browser_is_one_viewer_over_all_its_connections() -> None:
    cookie = new_viewer(None)
    assert cookie is not None
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
    number = cookie.partition(";")[0].partition("=")[2]
    mine = f"visiomatic_viewer={number}"
    for header in (mine, f"a=b; {mine}; c=d", f"a=b;{mine}"):
        assert viewer_of(header, object()) == number
        assert new_viewer(header) is None
    assert new_viewer("a=b") != cookie


NO_NUMBER = (
    "",
    "visiomatic_viewer=",
    "visiomatic_viewer=zz",
    "x_viewer=0123456789abcdef",
    f"visiomatic_viewer={'0' * 17}",
)


@pytest.mark.parametrize("header", [None, *NO_NUMBER])
def test_without_a_number_each_connection_is_a_viewer(header: str | None) -> None:
    one, other = object(), object()
    assert viewer_of(header, one) == viewer_of(header, one) != viewer_of(header, other)
    assert new_viewer(header) is not None


def test_the_number_comes_with_the_page_and_with_what_a_cube_is_never_with_a_tile(service: Service) -> None:
    for path in ("/cubes/sky.fits", "/api?FIF=sky.fits&INFO"):
        given = service.ok(path).headers["Set-Cookie"]
        assert given.startswith("visiomatic_viewer=")
        assert service.ok(path, {"Cookie": given.partition(";")[0]}).headers["Set-Cookie"] is None
    assert service.ok("/cubes/sky.fits/tiles/2/0/0.jpg").headers["Set-Cookie"] is None


def test_every_tile_says_where_its_time_went(service: Service) -> None:
    path = "/cubes/sky.fits/tiles/0/1/2.jpg?channel=2&contrast=1.234"
    for again in (path, path.replace("1.234", "1.235")):  # by the handler, then by the lane
        stages = dict(one.split(";dur=") for one in service.ok(again).headers["Server-Timing"].split(", "))
        assert list(stages) == ["queue", "read", "render", "encode"]
        assert all(0 <= float(ms) < 60_000 for ms in stages.values())
        assert float(stages["encode"]) > 0
        assert service.ok(again).headers["Server-Timing"] == 'cache;desc="hit"'


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Service]:
    """A server on which a tile takes 3 ms at least, as WebP."""
    sky = np.random.default_rng(1).normal(size=(2048, 4096)).astype(np.float32)
    fits.writeto(tmp_path / "noise.fits", sky)
    with serving(tmp_path / "noise.fits", tile_threads=1, tile_cache=1, prefetch=0) as running:
        for row in range(8):
            running.ok(f"/cubes/noise.fits/tiles/0/{row}/0.webp?cuts=-3,3&contrast=2")
        yield running


def ask(service: Service, number: int, cookie: str) -> socket.socket:
    """Send a request for one of 128 tiles on a connection of its own, and do not wait for the answer."""
    connection = socket.create_connection((service.host, service.port))
    path = f"/cubes/noise.fits/tiles/0/{number % 8}/{number // 8}.webp?cuts=-3,3&contrast=2"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: visiomatic_viewer={cookie}\r\n\r\n".encode())
    return connection


def test_one_who_asks_for_much_does_not_keep_another_waiting(slow: Service) -> None:
    greedy = [ask(slow, number, "a" * 16) for number in range(8, 120)]
    before = rendered()
    for number in range(5):
        with ask(slow, 120 + number, "b" * 16) as modest:
            assert modest.recv(100).startswith(b"HTTP/1.1 200")
    others = rendered() - before - 5
    for one in greedy:
        with one:
            assert one.recv(100).startswith(b"HTTP/1.1 200")
    print(f"{others} of the other's 112 tiles were made until five of this one's were there")
    assert others < 60


def rendered() -> int:
    """Tiles that the embedded worker has answered so far."""
    plugins = [plugin for worker in Worker._instances for plugin in worker.plugins.values()]
    return sum(plugin.metrics.tiles for plugin in plugins if isinstance(plugin, TileStreamPlugin))


def test_who_has_gone_costs_nothing_more(slow: Service) -> None:
    before = rendered()
    for one in [ask(slow, number, "a" * 16) for number in range(8, 120)]:
        one.close()
    with ask(slow, 120, "a" * 16) as still_there:  # the same viewer: behind all of those, if they were made
        assert still_there.recv(100).startswith(b"HTTP/1.1 200")
    made = rendered() - before
    print(f"{made} tiles were made, of which one was waited for, and 112 given up")
    assert made < 56


def test_threads_that_wait_together_get_one_rendering(slow: Service) -> None:
    bodies: list[bytes] = []
    path = "/cubes/noise.fits/tiles/0/0/0.webp?cuts=-3,3&contrast=7"
    threads = [threading.Thread(target=lambda: bodies.append(slow.ok(path).body)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(bodies) == 8
    assert len(set(bodies)) == 1
    wait_until(lambda: slow.ok("/health").json["waiting"] == 0, 10)
