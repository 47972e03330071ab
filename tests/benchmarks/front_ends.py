"""What a tile costs with several front ends, where that goes, and what it would give on more cores.

``python -m tests.benchmarks.front_ends``. The servers stay up side by side and are pressed in turn, so that all of them
meet the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from tests.processes import dask_cluster, process_tree, started, visiomatic

from .load import SCRIPT, MeasurementError, find_wrk
from .sky import sky

CONNECTIONS = 64
SIZE = 4096
TILES = (SIZE // 256) ** 2
FINEST = 4
DISTURBED = 0.1
"""A run in which others use more of the machine does not count."""
MOST = 5
"""Rounds at most, for each that counts."""


@dataclass
class Server:
    """A server under test: its address, its processes by what they do, and how far its contrasts have come."""

    address: str
    roles: Mapping[str, list[psutil.Process]]
    step: int = 0
    figures: list[dict[str, float]] = field(default_factory=list)

    def press(self, prefix: str, seconds: int) -> dict[str, float]:
        """Ask for tiles that were never asked for.

        Returns
        -------
        dict
            Milliseconds of CPU a tile by role and in all, tiles a second, p99, and the share of the machine that
            others used meanwhile.
        """
        command = [
            find_wrk(), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT),
            self.address, "--", prefix, str(FINEST), str(TILES), str(self.step), "unique",
        ]  # fmt: skip
        before, machine = self._used(), busy()
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 90).stdout
        after, others = self._used(), busy() - machine
        others -= sum(after[role] - before[role] for role in after)
        result = json.loads(text.rpartition("RESULT ")[2])
        if result["wrong"] or result["status"] or result["broken"]:
            raise MeasurementError(f"{self.address}: not every answer was a tile: {result}")
        self.step += result["sent"] // TILES + 1
        count = result["requests"]
        figures = {role: 1000 * (after[role] - before[role]) / count for role in after}
        figures["all"] = sum(figures.values())
        others = others / result["seconds"] / (psutil.cpu_count() or 1)
        return figures | {"rate": count / result["seconds"], "p99": result["p99"], "others": others}

    def _used(self) -> dict[str, float]:
        return {role: sum(sum(one.cpu_times()[:2]) for one in ones) for role, ones in self.roles.items()}


def busy() -> float:
    """Seconds that the machine's processors have worked, without what this process and its ended children have used."""
    times, mine = psutil.cpu_times(), psutil.Process().cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal - sum(mine[:4]))


@contextlib.contextmanager
def serving(folder: Path, data: Path, *options: object) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Start a server; give its address and its processes, itself first."""
    folder.mkdir(exist_ok=True)
    with started(visiomatic("serve", data, "--port", 0, "--no-browser", *options), folder / "log") as server:
        server.wait_for("Ctrl-C")
        found = re.search(r"http://[\d.]+:\d+", server.text)
        if found is None:
            raise MeasurementError(f"no address:\n{server.text}")
        yield found[0], process_tree(server.pid)


def listening(processes: list[psutil.Process], address: str) -> list[psutil.Process]:
    """Find the processes that listen on the port of an address."""
    port = int(address.rpartition(":")[2])
    return [p for p in processes if any(c.laddr.port == port and c.status == "LISTEN" for c in p.net_connections())]


@contextlib.contextmanager
def all_servers(folder: Path, data: Path) -> Iterator[dict[str, Server]]:
    """Start every arrangement that is compared."""
    with contextlib.ExitStack() as stack:
        servers = {}
        address, processes = stack.enter_context(serving(folder / "one", data))
        servers["embedded, in the same process; 1"] = Server(address, {"all in one": processes})
        for count in (1, 2):
            place = folder / f"joined-{count}"
            place.mkdir()
            scheduler, workers = stack.enter_context(dask_cluster(place, 2))
            address, processes = stack.enter_context(
                serving(place, data, "--scheduler", scheduler, "--front-ends", count)
            )
            front_ends = listening(processes, address)
            servers[f"scheduler and 2 workers; {count}"] = Server(
                address,
                {
                    "front ends": front_ends,
                    "workers": [psutil.Process(one.pid) for one in workers],
                    "supervisor": [one for one in processes if one not in front_ends],
                    "scheduler": scheduler_of(scheduler),
                },
            )
        address, processes = stack.enter_context(serving(folder / "two", data, "--front-ends", 2))
        front_ends = listening(processes, address)
        servers["embedded, in the supervisor; 2"] = Server(
            address,
            {
                "front ends": front_ends,
                "supervisor, scheduler, worker": [one for one in processes if one not in front_ends],
            },
        )
        yield servers


def scheduler_of(address: str) -> list[psutil.Process]:
    """Find the process of a scheduler among our children."""
    return listening(psutil.Process().children(), address)


def throughput(cores: int, front_end_ms: float, worker_ms: float) -> tuple[int, float]:
    """Return the best number of front ends, a core each, and the tiles a second then; workers have the other cores."""
    rates = {
        front_ends: 1000 * min(front_ends / front_end_ms, (cores - front_ends) / worker_ms)
        for front_ends in range(1, cores)
    }
    best = max(rates, key=lambda front_ends: rates[front_ends])
    return best, rates[best]


def report(servers: Mapping[str, Server], cores: int) -> Iterator[str]:
    """Lines of a table, medians of the rounds, and what the shares would give on more cores."""
    yield "| cluster; front ends | runs | CPU a tile (ms) | least to most | its shares | tiles a second | p99 (ms) |"
    yield "|---|---:|---:|---:|---|---:|---:|"
    for name, server in servers.items():
        middle = {key: median(one[key] for one in server.figures) for key in server.figures[0]}
        spread = [one["all"] for one in server.figures]
        shares = ", ".join(f"{role} {middle[role]:.3f}" for role in server.roles if server.roles[role])
        yield (
            f"| {name} | {len(spread)} | {middle['all']:.3f} | {min(spread):.3f} to {max(spread):.3f} | {shares} "
            f"| {middle['rate']:,.0f} | {middle['p99']:.0f} |"
        )
        if "workers" in middle:
            best, rate = throughput(cores, middle["front ends"], middle["workers"])
            one = 1000 / middle["front ends"]
            yield f"<!-- {cores} cores: {best} front ends, {rate:,.0f}/s; one front end gives at most {one:,.0f}/s -->"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--data", type=Path, default=Path(".cache/bench/front-ends"))
    arguments = parser.parse_args()
    cube = sky(arguments.data, SIZE)
    prefix = f"/api?FIF={cube.name}&CHAN=1"
    with tempfile.TemporaryDirectory() as folder, all_servers(Path(folder), arguments.data.resolve()) as servers:
        for server in servers.values():
            server.press(prefix, 2)  # bricks come into memory, headers are read
        for _ in range(MOST * arguments.rounds):
            for server in servers.values():
                figures = server.press(prefix, arguments.seconds)
                if figures["others"] < DISTURBED and len(server.figures) < arguments.rounds:
                    server.figures.append(figures)
            if all(len(server.figures) == arguments.rounds for server in servers.values()):
                break
    if not all(server.figures for server in servers.values()):
        raise MeasurementError(f"others used more than {DISTURBED:.0%} of the machine all the time")
    print("\n".join(report(servers, arguments.cores)))


if __name__ == "__main__":
    main()
