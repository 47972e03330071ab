"""Routes: direct and by the scheduler, the same bytes; and what happens where workers cannot be reached directly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from distributed import Client, Worker
from distributed.diagnostics.plugin import WorkerPlugin

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.worker import HANDLER, TileStreamPlugin
from visiomatic_dask.errors import ClusterError, CubeChanged
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

from .clusters import local_cluster
from .made_up import MadeUp, layer_of

pytestmark = pytest.mark.timeout(90)
READER = MadeUp()
LAYER = layer_of(READER)
PNG = Look(format="png")
MIX = Mix((0, 2), (Cut(0, 90), Cut(200, 290)), ((1, 0.5, 0), (0, 0.5, 1)))


def requests() -> list[TileRequest]:
    styles = [Style(Mono(1, Cut(100, 189)), Look()), Style(Mono(2, Cut(200, 289)), PNG), Style(MIX, PNG)]
    places = [(0, row, column) for row in range(3) for column in range(4)] + [(1, 1, 1), (2, 0, 0)]
    return [TileRequest(LAYER, *place, style) for style in styles for place in places]


class WithoutHandler(WorkerPlugin):
    """Takes the handler of the tile plugin away, as a worker of another make would not have it."""

    name = "without-handler"

    def setup(self, worker: Worker) -> None:
        worker.handlers.pop(HANDLER)


@asynccontextmanager
async def renderer_of(client: Client, **settings: Any) -> AsyncIterator[Renderer]:
    loaded = load_settings(**settings)
    link = ClusterLink(client, __version__, loaded)
    renderer = Renderer(loaded)
    try:
        await link.start()
        renderer.use(link)
        yield renderer
    finally:
        await link.close()


def on_cluster(use: Callable[[Client, list[Worker]], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with local_cluster(**options) as (client, workers), asyncio.timeout(60):
            await use(client, workers)

    asyncio.run(main())


@pytest.mark.parametrize("protocol", ["tcp", "inproc"])
def test_both_routes_give_the_same_bytes(protocol: str) -> None:
    async def use(client: Client, _: list[Worker]) -> None:
        pictures = {}
        for route in ("direct", "scheduler"):
            async with renderer_of(client, tile_route=route) as renderer:
                assert renderer.route == route
                pictures[route] = await asyncio.gather(*map(renderer.tile, requests()))
        assert pictures["direct"] == pictures["scheduler"]
        assert len({one.data for one in pictures["direct"]}) == len(requests())

    on_cluster(use, protocol=protocol, workers=2)


@pytest.mark.parametrize("route", ["direct", "scheduler"])
def test_errors_are_the_same_on_both_routes(route: str) -> None:
    changed = layer_of(MadeUp(fingerprint="1", error=CubeChanged("cube.fits has changed")))

    async def use(client: Client, _: list[Worker]) -> None:
        async with renderer_of(client, tile_route=route) as renderer:
            for request in requests()[::7]:
                broken = TileRequest(changed, request.level, request.row, request.column, request.style)
                with pytest.raises(CubeChanged, match=r"cube\.fits has changed"):
                    await renderer.tile(broken)

    on_cluster(use)


def test_auto_falls_back_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async def use(client: Client, workers: list[Worker]) -> None:
        await client.register_plugin(WithoutHandler())
        with caplog.at_level(logging.WARNING, "visiomatic_dask"):
            async with renderer_of(client) as renderer:
                assert renderer.route == "scheduler"
                assert (await renderer.tile(requests()[0])).data.startswith(b"\xff\xd8")
        (record,) = [one for one in caplog.records if one.name.startswith("visiomatic_dask")]
        assert "slower" in record.message
        assert workers[0].address in record.message
        assert "does not answer tiles" in record.message

    on_cluster(use)


def test_direct_refuses_to_start_without_the_handler() -> None:
    async def use(client: Client, _: list[Worker]) -> None:
        await client.register_plugin(WithoutHandler())
        with pytest.raises(ClusterError, match=r"tile-route is direct, but worker .* does not answer tiles"):
            async with renderer_of(client, tile_route="direct"):
                pass

    on_cluster(use)


def test_a_worker_that_has_just_come_is_waited_for() -> None:
    """It is a member before its plugins are set up: that must not send every tile through the scheduler for good."""

    async def use(client: Client, _: list[Worker]) -> None:
        async def set_up() -> None:
            await asyncio.sleep(1)
            await client.register_plugin(TileStreamPlugin(__version__))

        coming = asyncio.create_task(set_up())
        async with renderer_of(client) as renderer:
            assert renderer.route == "direct"
            assert (await renderer.tile(requests()[0])).data.startswith(b"\xff\xd8")
        await coming

    on_cluster(use, plugin=False)


def test_a_stream_that_closes_is_opened_again() -> None:
    async def use(client: Client, workers: list[Worker]) -> None:
        async with renderer_of(client, avoid=0.1) as renderer:
            first = await renderer.tile(requests()[0])
            plugin = plugin_of(workers[0])
            (comm,) = [one for one, task in workers[0]._comms.items() if task == HANDLER]
            comm.abort()
            async with asyncio.timeout(10):
                while plugin.connections:
                    await asyncio.sleep(0.01)
            assert await renderer.tile(requests()[0]) == first
            assert plugin_of(workers[0]).connections == 1

    on_cluster(use)


def test_two_front_ends_share_one_task_and_leave_each_other_alone() -> None:
    async def use(client: Client, workers: list[Worker]) -> None:
        other = Client(client.scheduler.address, asynchronous=True, set_as_default=False)
        async with other, renderer_of(client) as first:
            alone = await asyncio.gather(*map(first.tile, requests()))
            plugin = plugin_of(workers[0])
            await other.register_plugin(TileStreamPlugin(__version__))  # as a second front end does when it joins
            assert plugin_of(workers[0]) is plugin
            assert plugin.connections == 1
            assert workers[0].handlers[HANDLER] == plugin.serve
            async with renderer_of(other) as second:
                assert await asyncio.gather(*map(second.tile, requests())) == alone
                assert plugin_of(workers[0]).connections == 2
                keys = await bricks_of(client)
                assert len(keys) == len(set(keys)) == 6  # planes and mixes, at three levels
            assert await asyncio.gather(*map(first.tile, requests())) == alone
            async with asyncio.timeout(10):
                while plugin_of(workers[0]).connections != 1:
                    await asyncio.sleep(0.01)
            assert await bricks_of(client) == keys  # what the first holds outlives the second

    on_cluster(use)


def plugin_of(worker: Worker) -> TileStreamPlugin:
    (plugin,) = [one for one in worker.plugins.values() if isinstance(one, TileStreamPlugin)]
    return plugin


async def bricks_of(client: Client) -> list[str]:
    held = await client.scheduler.who_has()
    return sorted(key for key in held if key.startswith(("load-brick", "mix-partial")))
