"""Real schedulers and workers in the test's own process, over TCP or without a network."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dask.config
from distributed import Client, LocalCluster, Worker

from visiomatic_dask import __version__
from visiomatic_dask.engine.bricks import Brick, BrickRecipe
from visiomatic_dask.engine.cluster import RECOMMENDED_CONFIG
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.tile_job import TileJob
from visiomatic_dask.engine.worker import TileStreamPlugin
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Look

from .made_up import MadeUp

WEB = "127.0.0.1:0"


@asynccontextmanager
async def local_cluster(
    protocol: str = "tcp", workers: int = 1, plugin: bool = True, profile: bool = False, **options: Any
) -> AsyncIterator[tuple[Client, list[Worker]]]:
    """Give a client and the workers; each has two threads if nothing else is said."""
    options |= {"protocol": protocol, "n_workers": workers, "processes": False} | {
        "threads_per_worker": options.get("threads_per_worker", 2)
    }
    web = {"dashboard_address": WEB, "worker_dashboard_address": WEB, "scheduler_kwargs": {"dashboard": False}}
    if protocol != "inproc":
        options["host"] = "127.0.0.1"
    with dask.config.set(RECOMMENDED_CONFIG | {"distributed.worker.profile.enabled": profile}):
        async with (
            LocalCluster(**options, **web, asynchronous=True, silence_logs=logging.ERROR) as cluster,
            Client(cluster, asynchronous=True, set_as_default=False) as client,
        ):
            if plugin:
                await client.register_plugin(TileStreamPlugin(__version__))
            yield client, list(cluster.workers.values())


def a_recipe(channel: int = 0, delay: float = 0.0, error: Exception | None = None) -> PlaneBrick:
    """Recipe of a small brick that takes its time, or fails."""
    return PlaneBrick(MadeUp((99, 64, 64), delay=delay, error=error), 0, (channel, channel + 1), Box(0, 0, 64, 64))


def a_job(recipe: BrickRecipe | None = None, image_format: str = "png") -> TileJob:
    """The whole brick as a tile, values 0 to 9999 from black to white."""
    brick = Brick(recipe or a_recipe())
    look = Look(gamma=1.0, format="png" if image_format == "png" else "jpeg")
    return TileJob(brick.key, brick.pickled, 0, 0, 0, 64, 64, 0.0, (1 / 9999,), (0.0,), look.fields)
