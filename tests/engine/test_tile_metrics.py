"""What the dashboard learns of tiles."""

from __future__ import annotations

import asyncio
from typing import Any

import dask.config
import pytest

from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.tile_metrics import TileMetrics
from visiomatic_dask.rendering import Cut, Look, Mono, Style

from .made_up import MadeUp, layer_of
from .test_routes import on_cluster, renderer_of

pytestmark = pytest.mark.timeout(60)
LAYER = layer_of(MadeUp((1, 512, 1024)))


def tile(number: int, image_format: Any = "jpeg") -> TileRequest:
    style = Style(Mono(0, Cut(0, 90)), Look(contrast=1 + number / 100, format=image_format))
    return TileRequest(LAYER, 0, number % 2, number % 4, style)


def test_the_schedulers_table_of_workers_has_them() -> None:
    """The dashboard shows whatever number stands in a worker's metrics, under its name."""

    async def use(client: Any, _: Any) -> None:
        names = list(TileMetrics().by_name)
        assert names == ["tiles/s", "tile ms", "brick MiB"]
        async with renderer_of(client) as renderer, asyncio.timeout(20):
            metrics: dict[str, Any] = {}
            number = 0
            while not (metrics.get("tiles/s") and metrics.get("tile ms") and metrics.get("brick MiB")):
                await renderer.tile(tile(number))
                number += 1
                (state,) = (await client.scheduler.identity(n_workers=-1))["workers"].values()
                metrics = state["metrics"]
            assert metrics["brick MiB"] == 2.0
            assert 0 < metrics["tile ms"] < 1000
            assert metrics["tiles/s"] > 1

    on_cluster(use)


def test_the_profile_page_has_the_rendering_threads() -> None:
    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer, asyncio.timeout(30):
            number, samples = 0, 0
            while not samples:
                await asyncio.gather(*(renderer.tile(tile(number + k, "webp")) for k in range(8)))
                number += 8
                samples = (await client.profile(key="render-tile"))["count"]

    with dask.config.set({"distributed.worker.profile.interval": "5ms", "distributed.worker.profile.cycle": "100ms"}):
        on_cluster(use, profile=True)


def test_bricks_have_names_for_people() -> None:
    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            await renderer.tile(tile(0))

            def prefixes(dask_scheduler: Any) -> list[str]:
                return sorted(dask_scheduler.task_prefixes)

            assert await client.run_on_scheduler(prefixes) == ["load-brick"]

    on_cluster(use)
