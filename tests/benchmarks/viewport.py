"""The cold viewport: the tiles of a plane that nobody has looked at, with its file in the page cache and without."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop
from distributed import Client

from . import page_cache
from .brick_layout import BrickLayout
from .figures import Bar, Better, Column, Measured, Row, Scale, Section, medians
from .http_client import CONNECTIONS, Connection, fetch_all
from .load import MeasurementError
from .served_cube import ServedCube, Show, Tile
from .servers import CACHE, Running, running
from .sky import sky

COLUMNS, ROWS_OF_TILES = 8, 5
COLD = 0.005  # of the file may stay in the page cache: pages that others hold
PLANES = 8  # of the cube
WARM, FOR_DISK = 0, PLANES - 1  # the plane to warm up with, and the one for the disk alone
BRICK = "load-brick-"  # what keys of bricks begin with

_OF_BOTH: tuple[tuple[str, str, str, Better], ...] = (
    ("all tiles", "all_s", "s", "less"),
    ("first tile", "first_s", "s", "less"),
    ("read by then", "read_mb", "MB", "less"),
    ("read in the second after it", "idle_mb", "MB", None),
    ("read in all until then, prefetched bricks apart", "demanded_mb", "MB", "less"),
    ("prefetched bricks", "prefetched_mb", "MB", None),
    ("largest worker's share of what was read", "spread", "", None),
    ("viewport below, 1 s later", "below_s", "s", "less"),
    ("viewport below, read for it", "below_mb", "MB", "less"),
    ("viewport to the right, 1 s after that", "right_s", "s", "less"),
    ("viewport to the right, read for it", "right_mb", "MB", "less"),
)
ROWS = (
    *(
        Row(f"{title}: {text}", f"{key}.{figure}", unit, better)
        for title, key in (("in the page cache", "cached"), ("on the disk", "cold"))
        for text, figure, unit, better in _OF_BOTH
    ),
    Row("tiles of the viewport", "tiles", "", None),
    Row("bricks that the viewport touches", "bricks_mb", "MB", None),
    Row("the disk alone: the same bytes, read one brick after another", "disk_s", "s", None),
)


@dataclass(frozen=True)
class Look:
    """A viewport that was asked for: seconds to its first and last tile, and bytes read by each part of the server."""

    first: float
    last: float
    read: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes read."""
        return sum(self.read.values())


def run(scale: Scale) -> Measured:
    """Look at fresh planes on a fresh server of each kind of ours."""
    cube = sky(CACHE / f"viewport-{scale.large}", scale.large, PLANES)
    layout = BrickLayout(cube)
    runs: dict[str, list[Column]] = {}
    notes = [f"planes of {scale.large} x {scale.large} float32, {CONNECTIONS} connections"]
    folder = Path(tempfile.mkdtemp(prefix="viewport-", dir=CACHE))
    try:
        for kind in scale.ours:
            print(f"cold viewport, {kind}", file=sys.stderr)
            with running(kind, cube.parent, folder / kind) as server:
                watched = _Watched(server, cube, layout, scale)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runs[kind] = runner.run(watched.run())
            if watched.stayed > COLD:
                notes.append(f"{kind}: nothing cold: {watched.stayed:.0%} of the file stayed in the page cache")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    columns = medians(runs)
    return Measured(columns, notes, bars(columns), {"runs": runs})


class _Watched:
    """One server, and the file that it reads."""

    def __init__(self, server: Running, path: Path, layout: BrickLayout, scale: Scale) -> None:
        self.planes, self.pause = min(scale.planes, (PLANES - 2) // 2), scale.pause
        self.server = server
        self.path = path
        self.layout = layout
        self.connections = [Connection(server.address) for _ in range(CONNECTIONS)]
        self.processes = {name: psutil.Process(pid) for name, pid in server.parts.items()}
        self.stayed = 0.0
        self.client: Client | None = None

    async def run(self) -> list[Column]:
        """Look at one plane after the other; with the scheduler at hand, where there is one to ask."""
        file = self.server.scheduler_file
        if file is None:
            return await self.measure()
        async with Client(scheduler_file=str(file), asynchronous=True, set_as_default=False) as self.client:
            return await self.measure()

    async def measure(self) -> list[Column]:
        """Look at one plane after the other."""
        self.cube = await ServedCube.ask(self.connections[0], self.path.name)
        columns, rows = self.cube.levels[0]
        across, down = min(COLUMNS, columns // 2), min(ROWS_OF_TILES, rows // 2)
        left, top = (columns - 2 * across) // 2, (rows - 2 * down) // 2
        here = _tiles(top, left, down, across)
        below, right = _tiles(top + down, left, down, across), _tiles(top, left + across, down, across)
        page_cache.load(self.path)
        await self.look(WARM, here)
        found = [await self.visit("cached", number, here, below, right) for number in range(1, self.planes + 1)]
        for number in range(self.planes + 1, 2 * self.planes + 1):
            self.stayed = max(self.stayed, page_cache.drop(self.path))
            if self.stayed <= COLD:
                found.append(await self.visit("cold", number, here, below, right))
        for connection in self.connections:
            connection.close()
        touched = self.layout.touched(here)
        found[0]["tiles"] = len(here)
        found[0]["bricks_mb"] = self.layout.nbytes(touched, WARM) / 1e6
        if page_cache.drop(self.path) <= COLD:
            found[0]["disk_s"] = self.disk_alone(here)
        return found

    async def visit(self, how: str, channel: int, here: list[Tile], below: list[Tile], right: list[Tile]) -> Column:
        """Look at a viewport, and at its neighbours after a pause each."""
        held = await self.bricks()
        before = self.reads()
        first = await self.look(channel, here)
        await asyncio.sleep(self.pause)
        settled = _since(self.reads(), before)
        figures = {
            "all_s": first.last,
            "first_s": first.first,
            "read_mb": first.total / 1e6,
            "idle_mb": (sum(settled.values()) - first.total) / 1e6,
        }
        workers = [first.read[name] for name in self.server.workers]
        if len(workers) > 1:
            figures["spread"] = max(workers) / max(1, sum(workers))
        if self.client is not None:
            # By now nothing is under way. Bricks that no tile was cut from were prefetched, each read once; whatever
            # else was read, the viewport was read for. (What lies in the page cache by now would not tell: the kernel
            # reads megabytes ahead.)
            touched = self.layout.touched(here)
            more = len(await self.bricks() - held) - len(touched)
            if more < 0:
                raise MeasurementError(f"the workers hold {-more} bricks less than the viewport was cut from")
            prefetched = more * self.layout.nbytes(touched, channel) / len(touched)
            figures["prefetched_mb"] = prefetched / 1e6
            figures["demanded_mb"] = (sum(settled.values()) - prefetched) / 1e6
        for name, tiles in (("below", below), ("right", right)):
            neighbour = await self.look(channel, tiles)
            figures |= {f"{name}_s": neighbour.last, f"{name}_mb": neighbour.total / 1e6}
            await asyncio.sleep(self.pause)  # after the last one too: the next plane is to find the server idle
        return {f"{how}.{key}": value for key, value in figures.items()}

    async def look(self, channel: int, tiles: Sequence[Tile]) -> Look:
        """Ask for tiles as a browser does."""
        paths = [self.cube.path(tile, Show(channel)) for tile in tiles]
        before, began = self.reads(), time.perf_counter()
        answers = await fetch_all(self.connections, paths)
        last = time.perf_counter() - began
        read = _since(self.reads(), before)
        for one in answers:
            if not one.answer.is_picture:
                raise MeasurementError(f"a tile was answered {one.answer.status}: {one.answer.body[:300]!r}")
        return Look(min(one.ended for one in answers) - began, last, read)

    async def bricks(self) -> set[str]:
        """Keys of the bricks on the workers; none where no scheduler can be asked."""
        if self.client is None:
            return set()
        holders = await self.client.scheduler.who_has()
        return {key for key, workers in holders.items() if workers and str(key).startswith(BRICK)}

    def reads(self) -> dict[str, int]:
        """Bytes that each process has read so far, by read calls."""
        return {name: process.io_counters().read_chars for name, process in self.processes.items()}

    def disk_alone(self, tiles: list[Tile]) -> float:
        """Seconds to read the bricks behind tiles of a plane nobody has read, as simply as can be."""
        began = time.perf_counter()
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            for box in self.layout.touched(tiles):
                for start, stop in self.layout.ranges(box, FOR_DISK):
                    os.pread(descriptor, stop - start, start)
        finally:
            os.close(descriptor)
        return time.perf_counter() - began


def _tiles(top: int, left: int, rows: int, columns: int) -> list[Tile]:
    return [(0, row, column) for row in range(top, top + rows) for column in range(left, left + columns)]


def _since(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in now.items()}


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met."""
    found = []
    for kind, mine in columns.items():
        for how, title, limit in (("cached", "in the page cache", 0.3), ("cold", "on the disk", 1.5)):
            seconds = mine.get(f"{how}.all_s")
            if seconds is None:
                continue
            found.append(Bar(f"{kind}: viewport {title} in {seconds:.2f} s, at most {limit} s", seconds <= limit))
            for name in ("below", "right"):
                # Of a viewport's bricks, what its neighbour still had to read
                share = mine[f"{how}.{name}_mb"] / mine["bricks_mb"]
                text = f"{kind}: {share:.0%} of the viewport {name} still to be read, {title}, at most half"
                found.append(Bar(text, share <= 0.5))
        if (read := mine.get("cold.demanded_mb")) is not None:
            times = read / mine["bricks_mb"]
            found.append(Bar(f"{kind}: {times:.2f} times the bricks read, at most 1.1", times <= 1.1))
        if (spread := mine.get("cold.spread")) is not None:
            found.append(Bar(f"{kind}: {spread:.0%} of it by one worker of two, at most 80 %", spread <= 0.8))
    return found


SECTION = Section("viewport", "Cold viewport", ROWS, run)
