"""Run this server and VisiOmatic 3 in turns on the same work: ``python -m tests.benchmarks.peer``."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import report
from .load import MeasurementError, find_wrk
from .measure import Pixels, Plan, compare, measure
from .peers import PEERS, ROOT, VERSION, install_visiomatic
from .sky import sky

CACHE = ROOT / ".cache" / "bench"
RESULTS = Path(__file__).with_name("results")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="fresh runs of each server")
    parser.add_argument("--seconds", type=float, default=5, help="of each measured load")
    parser.add_argument("--size", type=int, default=4096, help="pixels along each side of a plane")
    parser.add_argument("--servers", nargs="+", choices=list(PEERS), default=["ours", "visiomatic"],
                        help="the first is compared with the second; one may be named twice")  # fmt: skip
    parser.add_argument("--short", action="store_true", help="tiny cube, one run of one second, ours only")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON file")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/performance.md too")
    options = parser.parse_args(arguments)
    if options.short:
        options.runs, options.seconds, options.size, options.servers = 1, 1.0, 512, ["ours"]
    if options.runs < 1 or options.seconds < 1 or options.size < 256 or len(options.servers) > 2:
        parser.error("at least 1 run, 1 second and 256 pixels; one or two servers")
    return options


def labels(servers: list[str]) -> list[str]:
    """Name the servers; the second gets a number if it is the same as the first."""
    return [name if servers.index(name) == at else f"{name}-2" for at, name in enumerate(servers)]


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, server by server in turns."""
    find_wrk()
    if "visiomatic" in options.servers:
        install_visiomatic()
    plan = Plan(sky(CACHE / str(options.size), options.size), options.size, options.seconds)
    plan.cube.read_bytes()  # into the page cache: both servers find it there
    names = labels(options.servers)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    tiles: dict[str, dict[str, Pixels]] = {}
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    try:
        for number in range(options.runs):
            for name, server in zip(names, options.servers, strict=True):
                figures, tiles[name] = measure(PEERS[server], plan, folder / f"{name}-{number}")
                runs[name].append(figures)
                first, mono = figures["first_tile_s"], figures["mono"]
                print(
                    f"run {number + 1} of {options.runs}, {name}: first tile {first:.2f} s, mono "
                    f"{mono['processor_ms']:.2f} ms of CPU, {mono['tiles_per_second']:.0f}/s",
                    file=sys.stderr,
                )
                shutil.rmtree(folder / f"{name}-{number}" / "cache")  # gigabytes; the log stays until the end
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "environment": report.environment(),
        "visiomatic": VERSION,
        "size": options.size,
        "seconds": options.seconds,
        "runs_each": options.runs,
        "medians": report.summarise(runs),
        "comparison": compare(tiles[names[0]], tiles[names[1]]) if len(names) > 1 else {},
        "runs": runs,
    }


def main() -> int:
    """Measure and report; 1 if something could not be measured, never because a bar was missed."""
    options = parse()
    try:
        result = run(options)
    except MeasurementError as error:
        print(f"the benchmark failed: {error}", file=sys.stderr)
        return 1
    report.show(result)
    print(f"all figures: {report.write_json(result, options.results)}")
    if options.docs:
        report.write_markdown(result, ROOT / "docs" / "performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
