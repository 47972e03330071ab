"""Endurance: a long load at 64 connections, and one at more connections than a server likes; failures and memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from .figures import Bar, Better, Column, Measured, Row, Scale, Section
from .load import press
from .measure import CONNECTIONS, SWEEP, Plan
from .memory_trend import MemoryTrend
from .servers import CACHE, running
from .sky import sky

CROWD = SWEEP[-1]
FLAT = 0.05  # of its memory is what a server may grow by, over the whole load

_KINDS_OF_ROWS: tuple[tuple[str, str, str, Better], ...] = (
    ("duration", "seconds", "s", None),
    ("rate", "tiles_per_second", "/s", "more"),
    ("CPU a tile", "processor_ms", "ms", "less"),
    ("p50", "p50", "ms", "less"),
    ("p99", "p99", "ms", "less"),
    ("longest", "longest", "ms", "less"),
    ("503 with Retry-After", "refused", "", None),
    ("failed", "failed", "", None),
    ("anonymous memory at the end", "memory_mb", "MB", "less"),
    ("growth of memory over the load, by a straight line", "growth_mb", "MB", None),
)
ROWS = tuple(
    Row(f"{connections} connections: {title}", f"{connections}.{key}", unit, better)
    for connections in (CONNECTIONS, CROWD)
    for title, key, unit, better in _KINDS_OF_ROWS
)


def run(scale: Scale) -> Measured:
    """Press each of our servers for long."""
    cube = sky(CACHE / str(scale.size), scale.size)
    plan = Plan(cube, scale.size, scale.seconds, scale.seconds)
    cube.read_bytes()  # into the page cache
    columns: dict[str, Column] = {}
    memory = {}
    folder = Path(tempfile.mkdtemp(prefix="endurance-", dir=CACHE))
    try:
        for kind in scale.ours:
            print(f"endurance, {kind}: {1.5 * scale.endurance:.0f} s", file=sys.stderr)
            columns[kind], memory[kind] = _endure(kind, plan, folder / kind, scale.endurance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(columns, bars=bars(columns), details={"memory": memory})


def _endure(kind: str, plan: Plan, folder: Path, duration: float) -> tuple[Column, dict[str, list[object]]]:
    figures: Column = {}
    memory: dict[str, list[object]] = {}
    work = plan.work(plan.mono)
    with running(kind, plan.cube.parent, folder) as server:
        # Unmeasured: bricks come into memory, and the picture cache fills
        step = press(server.tree, server.address, work, CONNECTIONS, max(1, duration / 8), 0).steps + 1
        names = {pid: name for name, pid in server.parts.items()}
        for connections, seconds in ((CONNECTIONS, duration), (CROWD, duration / 2)):
            # The first tenth opens the connections, and their buffers grow
            with MemoryTrend(server.tree, min(1.0, seconds / 10), seconds / 10, names) as trend:
                rate = press(server.tree, server.address, work, connections, seconds, step)
            step += rate.steps + 1
            total = trend.total
            memory[str(connections)] = list(trend.trends)
            found = {
                "seconds": seconds,
                "tiles_per_second": rate.tiles_per_second,
                "processor_ms": rate.processor_ms,
                "p50": rate.p50,
                "p99": rate.p99,
                "longest": rate.longest,
                "refused": rate.refused,
                "failed": rate.failed,
                "memory_mb": total.last,
                "growth_mb": total.per_minute * seconds / 60,
            }
            figures |= {f"{connections}.{key}": value for key, value in found.items()}
    return figures, memory


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met."""
    found = []
    for kind, mine in columns.items():
        failed = mine[f"{CONNECTIONS}.failed"] + mine[f"{CONNECTIONS}.refused"]
        seconds, p99 = mine[f"{CONNECTIONS}.seconds"], mine[f"{CONNECTIONS}.p99"]
        found += [
            Bar(f"{kind}: {failed:.0f} requests failed in {seconds:.0f} s at {CONNECTIONS} connections", failed == 0),
            Bar(f"{kind}: p99 over those {seconds:.0f} s {p99:.0f} ms, below 150 ms", p99 < 150),
        ]
        wrong = mine[f"{CROWD}.failed"]
        found.append(Bar(f"{kind}: {wrong:.0f} answers but tiles and 503 at {CROWD} connections", wrong == 0))
        for connections in (CONNECTIONS, CROWD):
            growth, level = mine[f"{connections}.growth_mb"], mine[f"{connections}.memory_mb"]
            text = f"{kind}: memory flat at {connections} connections: {growth:+.1f} MB of {level:.0f} MB"
            found.append(Bar(text, growth <= FLAT * level))
    return found


SECTION = Section("endurance", "Long loads", ROWS, run)
