"""A whole cluster that goes and comes back while a server stands on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from visiomatic_dask.engine.cluster import ClusterAddress

from ..processes import dask_cluster, free_port, wait_until
from ..service import Response, Service, serving

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as clusters:
        yield clusters


def tile(service: Service, contrast: float) -> Response:
    return service.get(f"/cubes/wide.fits/tiles/0/3/9.jpg?channel=1&cuts=50,150&contrast={contrast}")


@pytest.mark.parametrize("by_file", [False, True], ids=["address", "scheduler-file"])
def test_the_server_says_so_and_serves_again(tmp_path: Path, wide_cube: Path, stack: ExitStack, by_file: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    port = free_port()
    address, _ = stack.enter_context(dask_cluster(first, 2, port=port))
    file = tmp_path / "scheduler.json"
    file.write_bytes((first / "scheduler.json").read_bytes())
    target = ClusterAddress(scheduler_file=file) if by_file else ClusterAddress(address)
    with serving(wide_cube, cluster=target) as service:
        assert service.ok("/health").json["workers"] == 2
        before = tile(service, 1.0)
        assert before.status == 200

        gone = time.monotonic()
        stack.close()
        wait_until(lambda: service.get("/health").status == 503, 15)
        print(f"noticed after {time.monotonic() - gone:.1f} s")
        assert service.get("/health").headers["Retry-After"] == "5"
        answer = tile(service, 1.1)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "cluster" in answer.message
        assert tile(service, 1.0).compared == before.compared  # what is kept needs no cluster
        assert service.get("/cubes/wide.fits/values?x=1&y=1").status == 503
        assert service.get("/api?FIF=wide.fits&RGN=1,1:50,50").status == 503

        # Another scheduler: at the same address, or at one that the file tells
        stack.enter_context(dask_cluster(second, 2, port=None if by_file else port))
        file.write_bytes((second / "scheduler.json").read_bytes())
        back = time.monotonic()
        wait_until(lambda: service.get("/health").status == 200, 40)
        print(f"served again {time.monotonic() - back:.1f} s after the cluster was back")
        wait_until(lambda: service.get("/health").json["workers"] == 2, 20)
        assert service.ok("/health").json["route"] == "direct"
        assert tile(service, 1.1).status == 200
        assert service.ok("/cubes/wide.fits/values?x=1&y=1").json["values"]
        assert service.ok("/api?FIF=wide.fits&RGN=1,1:50,50").body.startswith(b"\xff\xd8")
