"""Joining a cluster: what is wrong with it is said plainly; TLS."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from pathlib import Path

import dask.config
import psutil
import pytest
from distributed.security import Security

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.cluster import ClusterAddress, embedded_shape, open_cluster, shared_cluster
from visiomatic_dask.engine.renderer import open_renderer
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.engine.worker import HANDLER
from visiomatic_dask.errors import ClusterError
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Cut, Look, Mono, Style

from ..processes import free_port, self_signed
from .clusters import local_cluster
from .made_up import MadeUp, layer_of

pytestmark = pytest.mark.timeout(90)
TILE = TileRequest(layer_of(MadeUp()), 0, 0, 0, Style(Mono(0, Cut(0, 90)), Look()))


def joining(target: ClusterAddress, version: str = __version__) -> None:
    async def main() -> None:
        async with open_cluster(target, version, load_settings()):
            pass

    asyncio.run(main())


def test_no_scheduler_at_the_address() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    start = time.monotonic()
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}"):
        joining(ClusterAddress(address))
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("address", ["nonsense://x:1", "tcp://", "tcp://127.0.0.1:notaport"])
def test_no_address_at_all(address: str) -> None:
    with pytest.raises(ClusterError, match="no Dask scheduler answers at"):
        joining(ClusterAddress(address))


def test_no_scheduler_file(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="does not exist"):
        joining(ClusterAddress(scheduler_file=tmp_path / "scheduler.json"))


def test_scheduler_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text("not json")
    with pytest.raises(ClusterError, match=r"scheduler\.json"):
        joining(ClusterAddress(scheduler_file=file))
    file.write_text("{}")
    with pytest.raises(ClusterError, match=r"scheduler\.json"):
        joining(ClusterAddress(scheduler_file=file))


def test_workers_of_another_version_are_named() -> None:
    async def main() -> None:
        async with local_cluster(workers=2, plugin=False) as (client, workers):
            target = ClusterAddress(client.scheduler.address)
            with pytest.raises(ClusterError) as caught:
                async with open_cluster(target, "99.1", load_settings()):
                    pass
            for worker in workers:
                assert f"worker {worker.address} has visiomatic_dask {__version__} (here 99.1)" in caught.value.message

    asyncio.run(main())


def test_a_joined_cluster_renders_and_is_left_running() -> None:
    async def main() -> None:
        async with local_cluster(workers=2, plugin=False) as (client, _):
            target = ClusterAddress(client.scheduler.address)
            for _ in range(2):
                async with open_renderer(target, __version__, load_settings()) as renderer:
                    assert (renderer.workers, renderer.route) == (2, "direct")
                    assert (await renderer.tile(TILE)).data
            assert await client.submit(lambda: 5) == 5

    asyncio.run(main())


def test_two_that_join_at_once_both_find_workers_prepared() -> None:
    """The second one's plugin is there already, sent by the first, but the kernels may still be being compiled."""

    async def main() -> None:
        async with local_cluster(workers=2, plugin=False) as (client, workers):

            async def join() -> None:
                async with open_cluster(ClusterAddress(client.scheduler.address), __version__, load_settings()):
                    assert all(HANDLER in worker.handlers for worker in workers)

            await asyncio.gather(join(), join())

    asyncio.run(main())


def test_an_embedded_cluster_for_several() -> None:
    async def main() -> None:
        async with shared_cluster(None, 2) as target:
            assert target.address is not None
            assert target.address.startswith("tcp://127.0.0.1:")
            async with open_renderer(target, __version__, load_settings()) as renderer:
                assert renderer.route == "direct"
                assert (await renderer.tile(TILE)).data
        host, _, port = target.address.removeprefix("tcp://").rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("cores", "front_ends", "workers", "threads", "reachable"),
    [
        (1, 1, 1, 1, False),
        (4, 1, 1, 4, False),
        (4, 2, 1, 4, True),
        (16, 1, 4, 3, True),
        (16, 2, 4, 3, True),
        (16, 7, 3, 3, True),
        (8, 8, 2, 3, True),
    ],
)
def test_embedded_shape(cores: int, front_ends: int, workers: int, threads: int, reachable: bool) -> None:
    shape = embedded_shape(cores, front_ends)
    assert (shape["n_workers"], shape["threads_per_worker"]) == (workers, threads)
    assert shape["processes"] == (cores > 4)
    assert ("host" in shape) == reachable


def test_embedded_cluster_listens_on_loopback_only() -> None:
    async def main() -> None:
        async with open_renderer(None, __version__, load_settings()) as renderer:
            assert (await renderer.tile(TILE)).data
            me = psutil.Process()
            processes = [me, *me.children(recursive=True)]
            listening = {
                connection.laddr.ip
                for process in processes
                for connection in process.net_connections(kind="inet")
                if connection.status == psutil.CONN_LISTEN
            }
            assert listening <= {"127.0.0.1", "::1"}

    asyncio.run(main())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_tls(tmp_path: Path) -> None:
    key, certificate = self_signed(tmp_path)
    tls = {"ca-file": str(certificate)}
    for role in ("scheduler", "worker", "client"):
        tls |= {f"{role}.cert": str(certificate), f"{role}.key": str(key)}

    async def main() -> None:
        with dask.config.set({f"distributed.comm.tls.{name}": value for name, value in tls.items()}):
            security = Security(require_encryption=True)
            async with local_cluster("tls", 2, security=security, plugin=False) as (client, workers):
                assert all(worker.address.startswith("tls://") for worker in workers)
                target = ClusterAddress(client.scheduler.address)
                async with open_renderer(target, __version__, load_settings(tile_route="direct")) as renderer:
                    assert (await renderer.tile(TILE)).data.startswith(b"\xff\xd8")
                    assert renderer.route == "direct"
                    region = RegionRequest(TILE.layer, 0, Box(0, 0, 60, 50), TILE.style)
                    assert (await renderer.regions.render(await renderer.regions.plan(region))).data.startswith(
                        b"\xff\xd8"
                    )
                stranger = dict.fromkeys(f"distributed.comm.tls.{name}" for name in tls)
                with dask.config.set(stranger), pytest.raises(ClusterError, match="no Dask scheduler answers"):
                    async with open_cluster(target, __version__, load_settings()):
                        pass

    asyncio.run(main())
