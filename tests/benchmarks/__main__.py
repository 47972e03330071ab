"""Run the benchmarks: ``python -m tests.benchmarks [name …]``."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from . import (
    browsing,
    compressed,
    endurance,
    front_ends,
    history,
    mixing,
    mosaic,
    opening,
    peer,
    pyramids,
    replay,
    report,
    routes,
    stages,
    transport,
    troubles,
    unpacked,
    viewport,
    zarr_tiles,
)
from .environment import environment
from .figures import SHORT, Scale
from .load import MeasurementError
from .servers import CACHE, KINDS

RESULTS = Path(__file__).with_name("results")
SECTIONS = {
    one.SECTION.name: one.SECTION
    for one in (
        peer,
        endurance,
        viewport,
        replay,
        troubles,
        stages,
        routes,
        transport,
        front_ends,
        opening,
        browsing,
        mixing,
        mosaic,
        compressed,
        unpacked,
        zarr_tiles,
        pyramids,
    )
}


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Scale]:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(SECTIONS)}; all without one")
    parser.add_argument("--short", action="store_true", help="as little of everything as shows that it works")
    parser.add_argument("--runs", type=int, help="fresh runs of each server")
    parser.add_argument("--seconds", type=float, help="of each load")
    parser.add_argument("--size", type=int, help="pixels along each side of a plane")
    parser.add_argument("--large", type=int, help="the same, for the cold viewport")
    parser.add_argument("--pyramid", type=int, help="the same, for pyramids")
    parser.add_argument("--endurance", type=float, help="seconds of the long load")
    parser.add_argument("--servers", dest="kinds", nargs="+", choices=KINDS, help="which to measure")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON file")
    parser.add_argument("--docs", type=Path, help="page to write the tables into")
    options = parser.parse_args(arguments)
    if unknown := set(options.names).difference(SECTIONS):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    chosen = {key: value for key, value in vars(options).items() if key in asdict(Scale()) and value is not None}
    if "kinds" in chosen:
        chosen["kinds"] = tuple(chosen["kinds"])
    scale = replace(SHORT if options.short else Scale(), **chosen)
    if scale.runs < 1 or scale.seconds < 1 or scale.endurance < 1 or min(scale.size, scale.large, scale.pyramid) < 512:
        parser.error("at least 1 run, 1 second and 512 pixels")
    return options, scale


def main(arguments: list[str] | None = None) -> int:
    """Measure and report; 1 if something could not be measured, never because a bar was missed."""
    options, scale = parse(arguments)
    CACHE.mkdir(parents=True, exist_ok=True)
    where = environment()
    measured = []
    failed = False
    seconds: dict[str, float] = {}
    for name, section in SECTIONS.items():
        if options.names and name not in options.names:
            continue
        began = time.monotonic()
        try:
            found = section.measure(scale)
        except MeasurementError as error:
            print(f"{name} failed: {error}", file=sys.stderr)
            failed = True
            continue
        seconds[name] = round(time.monotonic() - began, 1)
        report.show(section, found)
        measured.append((section, found))
    print(
        f"\n{sum(seconds.values()):.0f} s in all: {', '.join(f'{name} {took:.0f}' for name, took in seconds.items())}"
    )
    comparison = history.compare(where, asdict(scale), measured, history.last_committed(RESULTS))
    print("", *comparison, sep="\n")
    result = {
        "format": report.FORMAT,
        "environment": where,
        "scale": asdict(scale),
        "seconds": seconds,
        "sections": {section.name: found.json for section, found in measured},
        "comparison": comparison,
    }
    print(f"all figures: {report.write_json(result, options.results)}")
    if options.docs:
        if not options.docs.exists():
            options.docs.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(report.METHOD, options.docs)
        report.write_markdown(where, measured, comparison, options.docs, is_part=bool(options.names))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
