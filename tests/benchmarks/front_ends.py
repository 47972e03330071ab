"""Several front ends: what a tile costs with them, which processes that goes to, and what more cores would give."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from .figures import Bar, Column, Measured, Row, Scale, Section, medians
from .load import MeasurementError, Work, press
from .measure import CONNECTIONS, Plan
from .servers import CACHE, Running, running
from .sky import sky
from .tree import Tree

ARRANGEMENTS = {
    "ours, 1": ("ours", 1),
    "ours-cluster, 1": ("ours-cluster", 1),
    "ours-cluster, 2": ("ours-cluster", 2),
    "ours, 2": ("ours", 2),
}
"""Kind of server and number of front ends, by column."""
CORES = 16
MOST = 1.05
"""Times the cost with one front end that a tile may cost with two."""
ROWS = (
    Row("mono tile, uncached: CPU, all processes", "processor_ms", "ms"),
    Row("of that, the front ends'", "front_ends_ms", "ms"),
    Row("of that, the workers'", "workers_ms", "ms"),
    Row("of that, the scheduler's", "scheduler_ms", "ms"),
    Row("rate", "tiles_per_second", "/s", "more"),
    Row("p99", "p99", "ms"),
    Row("memory of a front end before the first tile (PSS)", "front_end_mb", "MB"),
    Row("failed", "failed", "", None),
)


@dataclass
class Pressed:
    """A server under test, its processes by what they do, and how far its contrasts have come."""

    server: Running
    roles: Mapping[str, Tree]
    step: int = 0

    def press(self, work: Work, seconds: float) -> Column:
        """Ask for tiles that were never asked for."""
        before = self._used()
        rate = press(self.server.tree, self.server.address, work, CONNECTIONS, seconds, self.step)
        after = self._used()
        self.step += rate.steps + 1
        return {
            "processor_ms": rate.processor_ms,
            **{f"{role}_ms": 1000 * (after[role] - before[role]) / rate.good for role in self.roles},
            "tiles_per_second": rate.tiles_per_second,
            "p99": rate.p99,
            "failed": rate.failed + rate.refused,
        }

    def memory(self) -> Column:
        """Memory of a front end now."""
        tree = self.roles.get("front_ends")
        return {} if tree is None else {"front_end_mb": tree.memory().mapped / len(tree.roots)}

    def _used(self) -> dict[str, float]:
        return {role: tree.processor_seconds() for role, tree in self.roles.items()}


def run(scale: Scale) -> Measured:
    """Keep the servers up side by side and press them in turn, so that all meet the same machine."""
    cube = sky(CACHE / str(scale.size), scale.size)
    cube.read_bytes()  # into the page cache
    plan = Plan(cube, scale.size, scale.seconds, scale.seconds)
    work = plan.work(plan.mono)
    servers: dict[str, Pressed] = {}
    with tempfile.TemporaryDirectory(prefix="front-ends-", dir=CACHE) as folder, contextlib.ExitStack() as stack:
        for name, (kind, count) in ARRANGEMENTS.items():
            if kind in scale.kinds:
                print(f"front-ends, starting {name}", file=sys.stderr)
                place, options = Path(folder) / name, ("--front-ends", str(count))
                server = stack.enter_context(running(kind, cube.parent, place, options=options))
                servers[name] = Pressed(server, roles(server, kind, count))
        at_rest = {name: one.memory() for name, one in servers.items()}
        for one in servers.values():
            one.press(work, scale.seconds / 2)  # unmeasured: bricks come into memory
        runs: dict[str, list[Column]] = {name: [] for name in servers}
        others, began = _used_by_others(), time.monotonic()
        for number in range(scale.runs):
            print(f"front-ends, round {number + 1} of {scale.runs}", file=sys.stderr)
            for name, one in servers.items():
                runs[name].append(one.press(work, scale.seconds))
        others = (_used_by_others() - others) / (time.monotonic() - began) / (psutil.cpu_count() or 1)
    columns = {name: figures | at_rest[name] for name, figures in medians(runs).items()}
    notes = [
        f"number of front ends behind the name; {scale.runs} rounds of {scale.seconds:g} s at {CONNECTIONS} "
        f"connections; others used {max(0.0, others):.0%} of the machine meanwhile",
        *_more_cores(columns.get("ours-cluster, 2")),
    ]
    return Measured(columns, notes, bars(columns), {"runs": runs})


def roles(server: Running, kind: str, front_ends: int) -> dict[str, Tree]:
    """Find what is a process of its own; front ends are those that listen on the server's port."""
    found = {}
    if kind == "ours-cluster" or front_ends > 1:
        port = int(server.address.rpartition(":")[2])
        sockets = [one for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr[1:] == (port,)]
        listening = {one.pid for one in sockets if one.pid is not None}
        if len(listening) != front_ends:
            raise MeasurementError(f"{len(listening)} processes listen on port {port}, not {front_ends}")
        found["front_ends"] = Tree(*listening)
    if kind == "ours-cluster":
        found["workers"] = Tree(*server.workers.values())
        found["scheduler"] = Tree(server.parts["scheduler"])
    return found


def _used_by_others() -> float:
    """Seconds that the machine's processors have worked, without this process, what it started, and their children."""
    times = psutil.cpu_times()
    busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    return float(busy) - Tree(os.getpid()).processor_seconds()


def throughput(cores: int, front_end_ms: float, worker_ms: float) -> tuple[int, float]:
    """Return the best number of front ends, a core each, and the tiles a second then; workers have the other cores."""
    rates = {n: 1000 * min(n / front_end_ms, (cores - n) / worker_ms) for n in range(1, cores)}
    best = max(rates, key=lambda n: rates[n])
    return best, rates[best]


def _more_cores(column: Column | None) -> list[str]:
    if column is None:
        return []
    front_end, worker = column["front_ends_ms"], column["workers_ms"]
    best, rate = throughput(CORES, front_end, worker)
    return [
        f"on {CORES} cores, computed: the largest min(F / {front_end:.3f} ms, ({CORES} - F) / {worker:.3f} ms) is "
        f"{rate:,.0f} tiles/s, with F = {best} front ends; one alone gives at most {1000 / front_end:,.0f}/s"
    ]


def bars(columns: Mapping[str, Column]) -> list[Bar]:
    """Say whether a tile costs no more with two front ends, where both were measured."""
    if not {"ours-cluster, 1", "ours-cluster, 2"} <= columns.keys():
        return []
    times = columns["ours-cluster, 2"]["processor_ms"] / columns["ours-cluster, 1"]["processor_ms"]
    text = f"ours-cluster: CPU of a tile with two front ends {times:.2f} times that with one, at most {MOST:g}"
    return [Bar(text, times <= MOST)]


SECTION = Section("front-ends", "One front end, and two", ROWS, run)
