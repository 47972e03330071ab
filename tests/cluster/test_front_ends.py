"""Several front ends on one port: real processes, of which some are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
from distributed import Client, Scheduler, Worker

from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.worker import TileStreamPlugin
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Cut, Look, Mono, Style

from ..processes import Started, dask_cluster, is_alive, process_tree, started, visiomatic, wait_until
from ..service import Response, Service, serving
from .conftest import renderer_on

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

TILES = [
    "/api?FIF=wide.fits&CHAN=1&JTL=5,0",
    "/api?FIF=wide.fits&CHAN=2&MINMAX=2:50,150&JTL=4,17",
    "/api?FIF=wide.fits&MIX=1:1,0,0&MIX=2:0,1,1&JTL=5,40",
    "/cubes/wide.fits/tiles/0/1/2.png?channel=3",
]


class FrontEnds:
    """A server of several front ends, and connections to each of them."""

    def __init__(self, server: Started) -> None:
        server.wait_for("Ctrl-C")
        found = re.search(r"http://[\d.]+:\d+/", server.text)
        assert found is not None
        self.server = server
        self.service = Service(found[0])
        self.connections: dict[int, HTTPConnection] = {}

    @property
    def pids(self) -> list[int]:
        """Front ends are those who listen on the port."""
        return sorted(one.pid for one in process_tree(self.server.pid) if self.service.port in listening(one))

    def connect(self, pid: int) -> None:
        """Connect until the kernel leads us to this one; any other connection is closed."""
        deadline = time.monotonic() + 20
        while True:
            connection = HTTPConnection(self.service.host, self.service.port, timeout=60)
            connection.request("GET", "/health")
            connection.getresponse().read()
            mine = connection.sock.getsockname()[1]
            if mine in [one.raddr[1] for one in psutil.Process(pid).net_connections("tcp") if len(one.raddr)]:
                self.connections[pid] = connection
                return
            connection.close()
            assert time.monotonic() < deadline, f"no connection leads to process {pid}"

    def ask(self, pid: int, path: str) -> Response:
        """Ask one of them."""
        if pid not in self.connections:
            self.connect(pid)
        connection = self.connections[pid]
        connection.request("GET", path)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()


def listening(process: psutil.Process) -> set[int]:
    """Ports that a process listens on."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return {one.laddr[1] for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    return set()


@contextlib.contextmanager
def front_ends(folder: Path, *arguments: object) -> Iterator[FrontEnds]:
    """Start a server of two front ends; whatever happens to its first process, none is left behind."""
    command = visiomatic("serve", "--port", 0, "--no-browser", "--front-ends", 2, *arguments)
    with started(command, folder / "serve.log") as server:
        family: list[psutil.Process] = []
        try:
            several = FrontEnds(server)
            family = process_tree(server.pid)
            assert len(several.pids) == 2
            assert server.pid not in several.pids
            with contextlib.closing(several):
                yield several
        finally:
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(visiomatic(*arguments), capture_output=True, text=True, timeout=60, check=False)


def held_bricks(dask_scheduler: Scheduler) -> dict[str, int]:
    """Bricks that are in memory, and the number of front ends that hold each."""
    tasks = dask_scheduler.tasks.items()
    return {key: len(task.who_wants) for key, task in tasks if key.startswith("load-brick") and task.state == "memory"}


def front_ends_of(dask_worker: Worker) -> int:
    """Front ends that are connected to a worker."""
    (plugin,) = (one for one in dask_worker.plugins.values() if isinstance(one, TileStreamPlugin))
    return plugin.connections


def connected(client: Client) -> set[int]:
    return set(client.run(front_ends_of).values())


def test_the_same_bytes_from_shared_bricks(tmp_path: Path, wide_cube: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_VISIOMATIC__PREFETCH", "0")  # each would expect something else
    with (
        serving(wide_cube) as alone,
        dask_cluster(tmp_path, 2) as (address, _),
        front_ends(tmp_path, wide_cube, "--scheduler", address) as several,
        Client(address, set_as_default=False) as client,
    ):
        expected = [alone.ok(path).compared for path in TILES]
        first, second = several.pids
        assert connected(client) == {2}  # all workers know of both, which share what may be held
        for pid in (first, second):
            assert several.ask(pid, "/health").json == {"status": "ok", "workers": 2, "route": "direct", "waiting": 0}
        assert [several.ask(first, path).compared for path in TILES] == expected
        loaded = client.run_on_scheduler(held_bricks)
        assert loaded
        assert set(loaded.values()) == {1}
        assert [several.ask(second, path).compared for path in TILES] == expected
        wait_until(lambda: client.run_on_scheduler(held_bricks) == dict.fromkeys(loaded, 2), 5)


def test_a_killed_one_costs_no_tile_and_comes_back(
    tmp_path: Path, wide_cube: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_VISIOMATIC__TILE_SIZE", "128")
    with front_ends(tmp_path, wide_cube) as several:
        before = several.pids
        for pid in before:  # what this process was configured with is what they have
            assert several.ask(pid, "/cubes/wide.fits").json["tile_size"] == 128
        expected = several.service.ok(TILES[0]).compared
        os.kill(before[0], signal.SIGKILL)
        asked = broken = 0
        deadline = time.monotonic() + 30
        while len(several.pids) < 2 or asked < 50:
            asked += 1
            try:
                response = several.service.get(TILES[0])
            except ConnectionError:  # the kernel had led it to the one that was dying
                broken += 1
                response = several.service.get(TILES[0])
            assert response.compared == expected
            assert time.monotonic() < deadline
        print(f"{broken} of {asked} connections were broken")
        (new,) = set(several.pids) - set(before)
        assert before[1] in several.pids
        assert several.ask(new, TILES[0]).compared == expected
        assert several.ask(before[1], TILES[0]).compared == expected
        assert f"process {before[0]} has ended with status -9; it is started again in 0.5 s" in several.server.text
        assert several.server.text.count("Ctrl-C") == 1


def test_the_brick_budget_is_shared_while_there_are_two(
    tmp_path: Path, wide_cube: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brick, most = 8 * 2**20, 4
    layer = open_cube(wide_cube).layer()
    bricks = layer.height // 256 * layer.channels

    async def main(address: str, other: Started) -> None:
        async with (
            renderer_on(address, brick_cache=most * brick) as renderer,
            Client(address, asynchronous=True, set_as_default=False) as client,
        ):

            async def held_after_a_pan() -> int:
                for number in range(bricks):
                    style = Style(Mono(number // 8, Cut(50, 150)), Look())
                    await renderer.tile(TileRequest(layer, 0, number % 8, 0, style))
                await asyncio.sleep(0.2)  # a release takes a moment to be carried out
                return len(await client.run_on_scheduler(held_bricks))

            async def wait_for(count: int) -> None:
                async with asyncio.timeout(20):
                    while set((await client.run(front_ends_of)).values()) != {count}:
                        await asyncio.sleep(0.05)

            await wait_for(2)
            assert await held_after_a_pan() == most // 2
            other.process.kill()
            await wait_for(1)
            assert await held_after_a_pan() == most

    assert bricks == 32
    command = visiomatic("serve", wide_cube, "--port", 0, "--no-browser", "--scheduler")
    with dask_cluster(tmp_path, 1) as (address, _), started([*command, address], tmp_path / "log") as other:
        other.wait_for("Ctrl-C")
        asyncio.run(main(address, other))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_all(tmp_path: Path, wide_cube: Path, number: signal.Signals) -> None:
    with front_ends(tmp_path, wide_cube) as several:
        family = process_tree(several.server.pid)
        for process in family if number == signal.SIGINT else family[:1]:  # Ctrl-C goes to all of a terminal
            process.send_signal(number)
        assert several.server.process.wait(20) == 0
        wait_until(lambda: not any(is_alive(one) for one in family), 10)
        for word in ("Traceback", "WARNING", "ERROR"):
            assert word not in several.server.text
        with pytest.raises(ConnectionRefusedError):
            several.service.get("/health")


def test_orphans_end_by_themselves(tmp_path: Path, wide_cube: Path) -> None:
    with front_ends(tmp_path, wide_cube) as several:
        family = process_tree(several.server.pid)
        several.server.process.kill()
        wait_until(lambda: not any(is_alive(one) for one in family), 20)


def test_nobody_else_gets_the_port(tmp_path: Path, wide_cube: Path) -> None:
    """Sockets of one user may share a port: a second server must not become a third front end of the first."""
    with front_ends(tmp_path, wide_cube) as several:
        port = several.service.port
        for count in (1, 2):
            refused = run("serve", wide_cube, "--no-browser", "--port", port, "--front-ends", count)
            assert refused.returncode == 1
            assert f"port {port} of 127.0.0.1 is in use already; choose another with --port" in refused.stderr
            assert "Traceback" not in refused.stderr
        assert len(several.pids) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{}/a/x.fits", "{}/b/x.fits"], "two cubes are called x.fits"),  # told before anything is started
        (["{}", "--scheduler-file", "{}/none.json"], "is the scheduler running?"),  # told by the front ends
    ],
)
def test_what_cannot_start_is_told_once(tmp_path: Path, arguments: list[str], words: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.fits").touch()
    filled = [argument.replace("{}", str(tmp_path)) for argument in arguments]
    finished = run("serve", "--port", 0, "--no-browser", "--front-ends", 2, *filled)
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: ")
    assert finished.stderr.count("\n") == 1
    assert words in finished.stderr
    assert finished.stdout == ""
