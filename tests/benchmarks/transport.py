"""Transport alone: tile messages to workers that answer what they have, and HTTP with nothing behind it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from distributed import Client

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.routes import DirectRoute
from visiomatic_dask.engine.tile_job import Rendered, TileJob, render_job
from visiomatic_dask.engine.worker import TileStreamPlugin
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Cut, Look, Mono, Style

from .figures import Column, Measured, Row, Scale, Section, percentile
from .load import MeasurementError, Work, press
from .servers import CACHE, WORKERS, cluster_processes, http_floor
from .sky import cuts, sky
from .tree import Tree

IN_FLIGHT = 64
ROWS = (
    Row("CPU of a tile, all processes", "processor_ms", "ms"),
    Row("of that, the front end's", "front_end_ms", "ms"),
    Row(f"rate, {IN_FLIGHT} at a time", "tiles_per_second", "/s", "more"),
    Row(f"p50, {IN_FLIGHT} at a time", "p50", "ms"),
    Row(f"p99, {IN_FLIGHT} at a time", "p99", "ms"),
    Row("p50, one at a time", "alone_p50", "ms"),
    Row("bytes of a body", "nbytes", "B", None),
)


class Canned:
    """Renders the first tile, and answers all others with the same."""

    def __init__(self) -> None:
        self.result: Rendered | None = None

    def __call__(self, *arguments: Any) -> Rendered:
        """Answer a tile."""
        if self.result is None:
            self.result = render_job(*arguments)
        return self.result


def run(scale: Scale) -> Measured:
    """Send messages to a cluster of processes, and requests to plain Tornado."""
    cube = sky(CACHE / str(scale.size), scale.size)
    folder = Path(tempfile.mkdtemp(prefix="transport-", dir=CACHE))
    columns: dict[str, Column] = {}
    try:
        file = folder / "scheduler.json"
        with cluster_processes(file, folder, folder) as parts, asyncio.Runner(loop_factory=uvloop.new_event_loop) as r:
            tree = Tree(*(pid for name, pid in parts.items() if name.startswith("worker")))
            columns["tile stream"] = r.run(_stream(file, tree, _job(cube), scale.seconds))
        with http_floor(folder) as (address, tree):
            columns["HTTP alone"] = _http(address, tree, scale.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    notes = [f"{WORKERS} workers of one thread, and one process for HTTP; the front end here has no HTTP"]
    return Measured(columns, notes)


def _job(cube: Path) -> TileJob:
    """Message for a tile in the middle of a plane, as the front end sends it."""
    layer, planner = open_cube(cube).layer(), Planner(load_settings())
    columns, rows = planner.tiles(layer).count(0)
    style = Style(Mono(0, Cut(*cuts())), Look())
    return planner.plan(TileRequest(layer, 0, rows // 2, columns // 2, style), WORKERS).job(style)


async def _stream(file: Path, workers: Tree, job: TileJob, seconds: float) -> Column:
    """Ask over streams to all workers in turn."""

    def ignore(*_: Any) -> None:
        """Nobody keeps bricks here."""

    async with Client(scheduler_file=str(file), asynchronous=True, set_as_default=False) as client:
        await client.register_plugin(TileStreamPlugin(__version__, render=Canned()))
        route = DirectRoute(client, __version__, load_settings(), ignore, ignore)
        addresses = list((await client.scheduler.identity(n_workers=-1))["workers"])
        if complaint := await route.test(addresses):
            raise MeasurementError(complaint)
        nbytes = [len((await route.ask(address, job, "")).data) for address in addresses]  # renders the one tile, too
        alone = await _press(route, addresses, job, 1, seconds / 4)
        await _press(route, addresses, job, IN_FLIGHT, seconds / 4)
        before, own = workers.processor_seconds(), time.process_time()
        began = time.perf_counter()
        latencies = await _press(route, addresses, job, IN_FLIGHT, seconds)
        took = time.perf_counter() - began
        front_end = time.process_time() - own
        total = front_end + workers.processor_seconds() - before
        await route.close()
    return {
        "processor_ms": 1000 * total / len(latencies),
        "front_end_ms": 1000 * front_end / len(latencies),
        "tiles_per_second": len(latencies) / took,
        "p50": 1000 * percentile(latencies, 0.5),
        "p99": 1000 * percentile(latencies, 0.99),
        "alone_p50": 1000 * percentile(alone, 0.5),
        "nbytes": max(nbytes),
    }


async def _press(route: DirectRoute, workers: list[str], job: TileJob, in_flight: int, seconds: float) -> list[float]:
    """Seconds that each message took."""
    until = time.perf_counter() + seconds
    latencies = []

    async def ask_on_and_on(worker: str) -> None:
        while (began := time.perf_counter()) < until:
            await route.ask(worker, job, "")
            latencies.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for number in range(in_flight):
            group.create_task(ask_on_and_on(workers[number % len(workers)]))
    return latencies


def _http(address: str, tree: Tree, seconds: float) -> Column:
    work = Work("/tile?any", 0, 1, unique=True)
    alone = press(tree, address, work, 1, seconds / 4, 0)
    rate = press(tree, address, work, IN_FLIGHT, seconds, 0)
    return {
        "processor_ms": rate.processor_ms,
        "front_end_ms": rate.processor_ms,
        "tiles_per_second": rate.tiles_per_second,
        "p50": rate.p50,
        "p99": rate.p99,
        "alone_p50": alone.p50,
        "nbytes": rate.bytes_per_tile,
    }


SECTION = Section("transport", "Transport alone", ROWS, run)
