"""Troubles: the replayed session while workers die and freeze, and beside tasks that have nothing to do with tiles."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import uvloop
from distributed import Client

from visiomatic_dask.engine.brick_tasks import BrickTask, make_brick
from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.results import finished
from visiomatic_dask.pyramid import Box
from visiomatic_dask.readers import open_cube

from .figures import Bar, Column, Measured, Row, Scale, Section
from .replay import Action, ReplayResult, replay
from .servers import CACHE, Running, running
from .session import read_session
from .sky import sky
from .viewport import PLANES

WORKERS = 3
BUSY = 2.0  # seconds of a task that holds the interpreter's lock
ROWS = (
    Row("tiles", "tiles", "", None),
    Row("tile: p50", "p50", "ms"),
    Row("tile: p99", "p99", "ms"),
    Row("tile: longest", "longest", "ms"),
    Row("503 with Retry-After, asked again", "refused", "", None),
    Row("failed", "failed", "", None),
)
QUIET, LOST, BUSY_TASKS = "undisturbed", "kill -9 of one, kill -STOP of another", f"beside {BUSY:g} s tasks and a build"


def run(scale: Scale) -> Measured:
    """Replay the session three times, each on a fresh server with three workers."""
    seconds = max(2.0, scale.endurance / 3)
    cube = sky(CACHE / f"viewport-{scale.large}", scale.large, PLANES)
    folder = Path(tempfile.mkdtemp(prefix="troubles-", dir=CACHE))
    columns: dict[str, Column] = {}
    details = {}
    try:
        for number, name in enumerate((QUIET, LOST, BUSY_TASKS)):
            print(f"troubles, {name}: {seconds:.0f} s", file=sys.stderr)
            with running("ours-cluster", cube.parent, folder / str(number), workers=WORKERS) as server:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    result = runner.run(_replayed(server, cube, seconds, name))
                _thaw(server)
            columns[name], details[name] = result.figures, asdict(result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    notes = [f"{WORKERS} workers of one thread each, eight viewers for {seconds:g} s"]
    return Measured(columns, notes, bars(columns), details)


async def _replayed(server: Running, cube: Path, seconds: float, name: str) -> ReplayResult:
    if name != BUSY_TASKS:
        actions = losses(server.parts, seconds) if name == LOST else ()
        return await replay(server.address, read_session(), seconds, cube=cube.name, actions=actions)
    async with disturbed(server, cube):
        return await replay(server.address, read_session(), seconds, cube=cube.name)


def losses(parts: dict[str, int], seconds: float) -> Sequence[Action]:
    """Kill the first worker after a quarter of the time, and freeze the second one after half of it."""

    def send(worker: str, number: signal.Signals) -> Callable[[], None]:
        return lambda: os.kill(parts[worker], number)

    return ((seconds / 4, send("worker 0", signal.SIGKILL)), (seconds / 2, send("worker 1", signal.SIGSTOP)))


def _thaw(server: Running) -> None:
    """Let the frozen worker go on, so that it can be ended like the others."""
    os.kill(server.parts["worker 1"], signal.SIGCONT)


def hold_the_lock(seconds: float) -> None:
    """Compute something in plain Python."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1


@asynccontextmanager
async def disturbed(server: Running, cube: Path) -> AsyncIterator[None]:
    """Keep one worker at tasks in plain Python, and another at zoomed-out bricks, as a build would."""
    layer = open_cube(cube).layer()

    async def go_on(client: Client, worker: str, number: int) -> None:
        turn = 0
        while True:
            turn += 1
            # An eighth of a plane at level 3; the whole of a plane at 8192² is 268 MB of the source.
            rows, channel = max(1, layer.height // 64), turn % layer.channels
            top = turn % 8 * rows
            strip = PlaneBrick(layer.reader, 3, (channel, channel + 1), Box(top, 0, top + rows, layer.width // 8))
            work = (make_brick, BrickTask(Brick(strip).key, strip)) if number else (hold_the_lock, BUSY)
            future = client.submit(*work, workers=[worker], pure=False, priority=-10)
            try:
                await finished(future)
            finally:
                future.release()

    async with Client(scheduler_file=str(server.scheduler_file), asynchronous=True, set_as_default=False) as client:
        workers = (await client.scheduler.identity(n_workers=-1))["workers"]
        tasks = [asyncio.create_task(go_on(client, address, n)) for n, address in enumerate(list(workers)[:2])]
        try:
            yield
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met."""
    found = []
    if (mine := columns.get(LOST)) is not None:
        found.append(Bar(f"{LOST}: {mine['failed']:.0f} requests failed", mine["failed"] == 0))
        found.append(Bar(f"{LOST}: p99 {mine['p99']:.0f} ms, below 3000 ms", mine["p99"] < 3000))
    if (mine := columns.get(BUSY_TASKS)) is not None:
        times = mine["p50"] / columns[QUIET]["p50"]
        found.append(Bar(f"{BUSY_TASKS}: tile p50 {times:.2f} times as long, at most 2", times <= 2))
    return found


SECTION = Section("troubles", "Workers lost, and workers busy", ROWS, run)
