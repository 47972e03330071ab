"""Workers that die, freeze, or are not there, while tiles are asked for."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.residency import State
from visiomatic_dask.errors import Unavailable
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

from ..processes import Started, dask_cluster
from .conftest import renderer_on

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

IN_FLIGHT = 8


def panning(path: Path, count: int = 200) -> list[TileRequest]:
    """Tiles of a view that moves: along a row, down, back, through the channels, with coarser levels in between."""
    layer = open_cube(path).layer()
    requests = []
    for number in range(count):
        row, column = number // 32 % 8, number % 32
        style = Style(Mono(number // 64 % 4, Cut(50, 150)), Look())
        if number % 10 == 9:
            style = Style(Mix((0, 1), (Cut(50, 150),) * 2, ((1, 0, 0), (0, 1, 1))), Look())
        level = 2 if number % 10 == 4 else 0
        requests.append(TileRequest(layer, level, row >> level, column >> level, style))
    return requests


async def ask_all(
    renderer: Renderer, requests: list[TileRequest], after: int, happen: Callable[[], None]
) -> tuple[list[bytes], float]:
    """Ask with a few in flight, and have something happen on the way; return the tiles and the slowest one's time."""
    waiting = iter(enumerate(requests))
    tiles: dict[int, bytes] = {}
    slowest = 0.0

    async def viewer() -> None:
        nonlocal slowest
        for number, request in waiting:
            if number == after:
                happen()
            start = time.monotonic()
            tiles[number] = (await renderer.tile(request)).data
            slowest = max(slowest, time.monotonic() - start)

    await asyncio.gather(*(viewer() for _ in range(IN_FLIGHT)))
    return [tiles[number] for number in range(len(requests))], slowest


def lose_one(path: Path, address: str, happen: Callable[[], None], after: int, warm: int) -> float:
    """Pan while something happens to a worker: no tile fails, and all are what they are without it."""
    requests = panning(path)

    async def main() -> float:
        async with renderer_on(address) as renderer:
            assert renderer.route == "direct"
            assert renderer.workers == 2
            expected, _ = await ask_all(renderer, requests[:warm], -1, lambda: None)
            tiles, slowest = await ask_all(renderer, requests, after, happen)
            assert tiles[:warm] == expected
            assert all(tile.startswith(b"\xff\xd8") for tile in tiles)
            return slowest

    return asyncio.run(main())


@pytest.mark.parametrize("victim", [0, 1])
def test_killed_worker_costs_no_tile(tmp_path: Path, wide_cube: Path, victim: int) -> None:
    with dask_cluster(tmp_path, 2) as (address, workers):
        start = time.monotonic()
        slowest = lose_one(wide_cube, address, lambda: workers[victim].process.kill(), after=60, warm=100)
        print(f"killed: slowest tile {slowest:.2f} s, all in {time.monotonic() - start:.1f} s")
        assert slowest < 10


def frozen(worker: Started) -> Callable[[], None]:
    return lambda: worker.process.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize("victim", [0, 1])
def test_frozen_worker_costs_no_tile(tmp_path: Path, wide_cube: Path, victim: int) -> None:
    # Some bricks are on the worker that freezes, some are still to be made when it does.
    with dask_cluster(tmp_path, 2) as (address, workers):
        start = time.monotonic()
        slowest = lose_one(wide_cube, address, frozen(workers[victim]), after=60, warm=100)
        print(f"frozen: slowest tile {slowest:.2f} s, all in {time.monotonic() - start:.1f} s")
        assert slowest < 15
        workers[victim].process.send_signal(signal.SIGCONT)


def test_frozen_before_any_brick_is_made(tmp_path: Path, wide_cube: Path) -> None:
    with dask_cluster(tmp_path, 2) as (address, workers):
        start = time.monotonic()
        slowest = lose_one(wide_cube, address, frozen(workers[0]), after=0, warm=0)
        print(f"frozen at once: slowest tile {slowest:.2f} s, all in {time.monotonic() - start:.1f} s")
        assert slowest < 15
        workers[0].process.send_signal(signal.SIGCONT)


def test_bricks_of_a_frozen_worker_are_made_elsewhere_though_nobody_waits(tmp_path: Path, wide_cube: Path) -> None:
    """Bricks that never come would take the places of those that could, of which there is a bounded number."""

    async def main(address: str, worker: Started) -> None:
        layer = open_cube(wide_cube).layer()
        styles = [Style(Mono(channel, Cut(50, 150)), Look()) for channel in range(4)]
        requests = [TileRequest(layer, 0, row, 0, style) for style in styles for row in range(8)]
        async with renderer_on(address, prefetch=0) as renderer:
            frozen(worker)()
            asked = [asyncio.ensure_future(renderer.tile(request)) for request in requests]
            await asyncio.sleep(0.3)
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            assert renderer._link is not None
            residency = renderer._link.dispatcher.keeper.residency
            begun = [plan.brick.key for plan in (renderer.planner.plan(one, 2) for one in requests)]
            begun = [key for key in begun if residency.state(key) is not None]
            assert State.ARRIVING in {residency.state(key) for key in begun}
            await asyncio.gather(*(renderer.tile(request) for request in requests[-8:]))
            async with asyncio.timeout(20):
                while {residency.state(key) for key in begun} != {State.RESIDENT}:
                    await asyncio.sleep(0.05)

    with dask_cluster(tmp_path, 2) as (address, workers):
        asyncio.run(main(address, workers[0]))
        workers[0].process.send_signal(signal.SIGCONT)


def test_without_workers_it_is_said_so_at_once(tmp_path: Path, wide_cube: Path) -> None:
    async def main(address: str, workers: list[Started]) -> None:
        requests = panning(wide_cube, 3)
        async with renderer_on(address) as renderer:
            await renderer.tile(requests[0])
            for worker in workers:
                worker.process.kill()
            async with asyncio.timeout(20):
                while renderer.workers:
                    await asyncio.sleep(0.1)
            for request in requests[:2]:
                start = time.monotonic()
                with pytest.raises(Unavailable, match="no workers") as caught:
                    await renderer.tile(request)
                assert caught.value.retry_after == 5
                assert time.monotonic() - start < 2
            with pytest.raises(Unavailable, match="no workers"):
                await renderer.measure.backgrounds(requests[0].layer)

    with dask_cluster(tmp_path, 1) as (address, workers):
        asyncio.run(main(address, workers))
