"""Where the time of an uncached tile goes: the stages that servers tell of in Server-Timing, and the rest."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

from .figures import Column, Measured, Row, Scale, Section
from .http_client import CONNECTIONS, Connection, Timed, fetch_all
from .load import MeasurementError
from .served_cube import ServedCube, Show
from .servers import CACHE, Running, running
from .sky import sky

STAGES = ("queue", "read", "render", "encode")
SAMPLE = 600  # tiles
MANY = 16  # connections
_METRIC = re.compile(r"\s*([!#$%&'*+.^_`|~\w-]+)((?:\s*;[^,]*)?)")
_DURATION = re.compile(r";\s*dur\s*=\s*\"?([\d.]+)")

ROWS = (
    *(
        row
        for stage in STAGES
        for row in (
            Row(f"{stage}: mean", f"{stage}.ms", "ms"),
            Row(f"{stage}: share of the latency", f"{stage}.percent", "%", None),
        )
    ),
    Row("HTTP, and the client itself: mean", "rest.ms", "ms"),
    Row("HTTP, and the client itself: share", "rest.percent", "%", None),
    Row("latency: mean", "latency.ms", "ms"),
    Row("tiles", "tiles", "", None),
)


def parse_timing(header: str) -> dict[str, float]:
    """Parse a Server-Timing header: milliseconds by name; a metric without a duration took none.

    >>> parse_timing('queue;dur=0.41, cache;desc="hit"')
    {'queue': 0.41, 'cache': 0.0}
    """
    found = {}
    for part in re.sub(r'"[^"]*"', lambda quoted: quoted[0].replace(",", " "), header).split(","):
        if metric := _METRIC.match(part):
            duration = _DURATION.search(metric[2])
            found[metric[1]] = float(duration[1]) if duration else 0.0
    return found


def run(scale: Scale) -> Measured:
    """Take samples on each of our servers."""
    cube = sky(CACHE / str(scale.size), scale.size)
    cube.read_bytes()  # into the page cache
    columns: dict[str, Column] = {}
    notes: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="stages-", dir=CACHE))
    try:
        for kind in scale.ours:
            print(f"stages, {kind}", file=sys.stderr)
            with (
                running(kind, cube.parent, folder / kind) as server,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                samples = runner.run(_samples(server, cube.name))
            for how, answers in samples.items():
                columns[f"{kind}, {how}"] = column = _figures(answers)
                if not column.keys() & {f"{stage}.ms" for stage in STAGES}:
                    notes.append(f"{kind}, {how}: no Server-Timing")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(columns, notes)


async def _samples(server: Running, name: str) -> dict[str, list[Timed]]:
    """Ask for the tiles of a plane for the first time, then at new contrasts over one connection and over many."""
    connections = [Connection(server.address) for _ in range(MANY)]
    cube = await ServedCube.ask(connections[0], name)
    columns, rows = cube.levels[0]
    tiles = [(0, row, column) for row in range(rows) for column in range(columns)]

    def paths() -> Iterator[str]:
        for step in itertools.count():
            for tile in tiles:
                yield cube.path(tile, Show(channel=0, contrast=1 + 0.01 * step))

    endless = paths()
    await fetch_all(connections, [cube.path(tile, Show(len(cube.cuts) - 1)) for tile in tiles])  # compilers finish
    samples = {"first look": await fetch_all(connections[:CONNECTIONS], itertools.islice(endless, len(tiles)))}
    samples["1 connection"] = await fetch_all(connections[:1], itertools.islice(endless, SAMPLE))
    samples[f"{MANY} connections"] = await fetch_all(connections, itertools.islice(endless, SAMPLE))
    for connection in connections:
        connection.close()
    return samples


def _figures(answers: Sequence[Timed]) -> Column:
    """Means over a sample; of the stages only where every answer tells of them."""
    if wrong := [one.answer.status for one in answers if not one.answer.is_picture]:
        raise MeasurementError(f"{len(wrong)} of {len(answers)} tiles were answered otherwise: {wrong[:3]}")
    latency = 1000 * statistics.fmean(one.seconds for one in answers)
    figures: Column = {"latency.ms": latency, "tiles": len(answers)}
    timings = [parse_timing(one.answer.headers.get("server-timing", "")) for one in answers]
    told = [stage for stage in STAGES if all(stage in timing for timing in timings)]
    for stage in told:
        mean = statistics.fmean(timing[stage] for timing in timings)
        figures |= {f"{stage}.ms": mean, f"{stage}.percent": 100 * mean / latency}
    if told:
        rest = latency - sum(figures[f"{stage}.ms"] for stage in told)
        figures |= {"rest.ms": rest, "rest.percent": 100 * rest / latency}
    return figures


SECTION = Section("stages", "Where the time of a tile goes", ROWS, run)
