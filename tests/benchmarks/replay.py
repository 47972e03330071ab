"""Replay of a session: eight viewers at once on one server.

By hand, and for as long as one likes: ``python -m tests.benchmarks.replay --minutes 30``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from .figures import Bar, Column, Measured, Row, Scale, Section, percentile
from .http_client import Connection
from .memory_trend import MemoryTrend, Trend
from .served_cube import ServedCube
from .servers import CACHE, KINDS, running
from .session import LENGTH, Gesture, View, read_session, views
from .sky import sky
from .tree import Tree
from .viewer import Tally, Viewer
from .viewport import PLANES

Action = tuple[float, Callable[[], Awaitable[object] | None]]
"""Seconds after the beginning, and what to do then."""

ROWS = (
    Row("tiles", "tiles_per_second", "/s", None),
    Row("tile: p50", "p50", "ms"),
    Row("tile: p95", "p95", "ms"),
    Row("tile: p99", "p99", "ms"),
    Row("view complete after a change: p50", "settled_p50", "ms"),
    Row("view complete after a change: p95", "settled_p95", "ms"),
    Row("CPU a tile", "processor_ms", "ms"),
    Row("requests aborted, as views changed", "aborted", "", None),
    Row("503 with Retry-After, asked again", "refused", "", None),
    Row("failed", "failed", "", None),
    Row("anonymous memory at the end", "memory_mb", "MB"),
)


@dataclass(frozen=True)
class ReplayResult:
    """How a session went; times in milliseconds.

    Attributes
    ----------
    seconds : float
        How long it took.
    tiles : int
        Pictures that came.
    p50, p95, p99, longest : float
        From the request for a tile to its last byte.
    settled_p50, settled_p95 : float
        From a change of view to its last tile, where the next change left it the time.
    aborted, refused, failed : int
        Of `viewer.Tally`.
    failures : list of str
        What the first of those that failed were.
    processor_ms : float or None
        CPU a tile of the processes that were watched.
    memory : list of Trend
        Of each of them.
    """

    seconds: float
    tiles: int
    p50: float
    p95: float
    p99: float
    longest: float
    settled_p50: float
    settled_p95: float
    aborted: int
    refused: int
    failed: int
    failures: list[str]
    processor_ms: float | None
    memory: list[Trend]

    @property
    def tiles_per_second(self) -> float:
        """Pictures a second."""
        return self.tiles / self.seconds

    @property
    def figures(self) -> Column:
        """For the table."""
        found: Column = {
            key: value
            for key, value in (asdict(self) | {"tiles_per_second": self.tiles_per_second}).items()
            if isinstance(value, int | float)
        }
        return found | {"memory_mb": sum(trend.last for trend in self.memory)}


async def replay(
    url: str,
    script: Sequence[Gesture],
    seconds: float,
    *,
    cube: str | None = None,
    watch: MemoryTrend | None = None,
    actions: Sequence[Action] = (),
) -> ReplayResult:
    """Let the viewers of a session loose on a server.

    Parameters
    ----------
    url : str
        The server's.
    script : sequence of Gesture
        The session; it is played again and again, each time with other contrasts.
    seconds : float
        How long.
    cube : str, optional
        Which cube; the first that the server has, without it.
    watch : MemoryTrend, optional
        Processes whose CPU and memory are watched meanwhile; one that ends takes its CPU so far with it.
    actions : sequence of (float, callable)
        What to do meanwhile (kill a worker, say), and after how many seconds; coroutine functions are awaited. What
        one raises is raised here.
    """
    described = Connection(url)
    served = await ServedCube.ask(described, cube)
    described.close()
    tally = Tally()
    with watch or contextlib.nullcontext():
        before = watch.tree.processor_seconds() if watch else 0.0
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in sorted({gesture.viewer for gesture in script}):
                own = [gesture for gesture in script if gesture.viewer == number]
                group.create_task(_play(Viewer(url, served, tally), own, served, began, seconds))
            for at, action in actions:
                group.create_task(_act(began + at, action))
        took = time.monotonic() - began
        used = watch.tree.processor_seconds() - before if watch else None
    latencies = [1000 * value for value in tally.latencies]
    settled = [1000 * value for value in tally.settled]
    return ReplayResult(
        seconds=took,
        tiles=len(latencies),
        p50=percentile(latencies, 0.5),
        p95=percentile(latencies, 0.95),
        p99=percentile(latencies, 0.99),
        longest=max(latencies, default=float("nan")),
        settled_p50=percentile(settled, 0.5),
        settled_p95=percentile(settled, 0.95),
        aborted=tally.aborted,
        refused=tally.refused,
        failed=tally.failed,
        failures=tally.failures,
        processor_ms=None if used is None or not latencies else 1000 * used / len(latencies),
        memory=watch.trends if watch else [],
    )


async def _play(viewer: Viewer, gestures: list[Gesture], cube: ServedCube, began: float, seconds: float) -> None:
    viewer.start()
    try:
        for at, view in _on_and_on(gestures, cube):
            if at > seconds:
                break
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            await viewer.look(view)
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    finally:
        await viewer.close()


def _on_and_on(gestures: list[Gesture], cube: ServedCube) -> Iterator[tuple[float, View]]:
    turn = 0
    while True:
        for at, view in views(gestures, cube, turn):
            yield turn * LENGTH + at, view
        turn += 1


async def _act(at: float, action: Callable[[], Awaitable[object] | None]) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))
    doing = action()
    if doing is not None:
        await doing


def run(scale: Scale) -> Measured:
    """Replay the session on each of our servers."""
    cube = sky(CACHE / f"viewport-{scale.large}", scale.large, PLANES)
    columns: dict[str, Column] = {}
    details = {}
    for kind in scale.ours:
        print(f"replay, {kind}: {scale.endurance:.0f} s", file=sys.stderr)
        result = _on_fresh_server(kind, cube, scale.endurance, interval=1.0, settling=scale.endurance / 4)
        columns[kind], details[kind] = result.figures, asdict(result)
    notes = [f"{len({gesture.viewer for gesture in read_session()})} viewers for {scale.endurance:g} s, {cube.name}"]
    return Measured(columns, notes, bars(columns), details)


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met."""
    return [Bar(f"{kind}: {mine['failed']:.0f} requests failed", mine["failed"] == 0) for kind, mine in columns.items()]


def _on_fresh_server(
    kind: str, cube: Path, seconds: float, interval: float, settling: float, settings: dict[str, str] | None = None
) -> ReplayResult:
    folder = Path(tempfile.mkdtemp(prefix="replay-", dir=CACHE))
    try:
        with running(kind, cube.parent, folder / kind, settings) as server:
            names = {pid: name for name, pid in server.parts.items()}
            watch = MemoryTrend(server.tree, interval, settling, names)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(replay(server.address, read_session(), seconds, cube=cube.name, watch=watch))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


SECTION = Section("replay", "Eight viewers at once", ROWS, run)


def main(arguments: list[str] | None = None) -> int:
    """Replay for long, and say how memory grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.replay", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long")
    parser.add_argument("--settling", type=float, default=5, help="minutes that do not count for the growth of memory")
    parser.add_argument("--server", choices=[kind for kind in KINDS if kind != "visiomatic"], default="ours-cluster")
    parser.add_argument("--size", type=int, default=8192, help="pixels along each side of a plane")
    parser.add_argument("--brick-cache", default="512 MB", help="of each worker: little enough that bricks come and go")
    parser.add_argument("--url", help="of a server that runs already, in place of a fresh one")
    parser.add_argument("--cube", help="name of a cube there; its first one without it")
    parser.add_argument("--pids", type=int, nargs="+", default=[], help="its processes, to be watched")
    options = parser.parse_args(arguments)
    seconds, settling = 60 * options.minutes, 60 * min(options.settling, options.minutes / 2)
    interval = min(10.0, seconds / 20)
    if options.url:
        watch = MemoryTrend(Tree(*options.pids), interval, settling) if options.pids else None
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(replay(options.url, read_session(), seconds, cube=options.cube, watch=watch))
    else:
        CACHE.mkdir(parents=True, exist_ok=True)
        cube = sky(CACHE / f"viewport-{options.size}", options.size, PLANES)
        settings = {"DASK_VISIOMATIC__BRICK_CACHE": options.brick_cache}
        result = _on_fresh_server(options.server, cube, seconds, interval, settling, settings)
    for row in ROWS:
        if (value := result.figures.get(row.key)) is not None:
            print(f"{row.title:<45}{value:10,.1f} {row.unit}")
    for trend in result.memory:
        print(
            f"{trend.name}: {trend.first:.0f} MB at first, {trend.last:.0f} MB at last, {trend.most:.0f} MB at most, "
            f"{trend.per_minute:+.2f} MB a minute over {trend.samples} samples"
        )
    print(*result.failures, sep="\n")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
