"""Beside VisiOmatic 3: the servers in turns, on the same cube, by the same URLs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from .figures import Bar, Column, Measured, Row, Scale, Section, medians, times_better
from .load import find_wrk
from .measure import CONNECTIONS, SWEEP, Pixels, Plan, compare, measure
from .servers import CACHE, OURS, VERSION, install_visiomatic
from .sky import CHANNELS, sky

ROWS = (
    Row("start-up: process start to first answer", "start_s", "s"),
    Row("INFO, from the first request on", "info_s", "s"),
    Row("first tile (INFO, then the coarsest tile)", "first_tile_s", "s"),
    Row("mono tile, uncached: CPU", "mono.processor_ms", "ms"),
    Row("mono tile, uncached: rate", "mono.tiles_per_second", "/s", "more"),
    Row("5-channel colour tile, uncached: CPU", "colour.processor_ms", "ms"),
    Row("5-channel colour tile, uncached: rate", "colour.tiles_per_second", "/s", "more"),
    Row("5-channel colour tile, uncached: p99", "colour.p99", "ms"),
    Row("the same tile again: CPU", "cached.processor_ms", "ms"),
    Row("the same tile again: rate", "cached.tiles_per_second", "/s", "more"),
    Row("the same tile again: p99", "cached.p99", "ms"),
    *(
        Row(f"mono tile, uncached: {which} of {connections} connections", f"mono@{connections}.{which}", "ms")
        for connections in SWEEP
        for which in ("p50", "p95", "p99")
    ),
    Row("bytes of a mono tile, with headers", "mono.bytes_per_tile", "B", None),
    Row("failed answers under these loads", "failed", "", None),
    Row("503 with Retry-After at the most connections", f"mono@{SWEEP[-1]}.refused", "", None),
    Row("disk used by the cache", "cache_mb", "MB"),
    Row("written to disk by all processes", "written_mb", "MB"),
    Row("peak memory (PSS, mapped files included)", "peak_pss_mb", "MB"),
    Row("peak memory (anonymous and shared)", "peak_anonymous_mb", "MB"),
)

# Key, what it is called, times better than VisiOmatic, and an upper limit in the figure's own unit
BARS = (
    ("first_tile_s", "first tile", "s", 15.0, None),
    ("mono.processor_ms", "CPU of an uncached mono tile", "ms", 13.0, 1.8),
    ("colour.processor_ms", "CPU of an uncached 5-channel colour tile", "ms", 22.0, None),
    ("cached.processor_ms", "CPU of a cached tile", "ms", 28.0, 0.7),
)


def run(scale: Scale) -> Measured:
    """Measure, server by server in turns."""
    find_wrk()
    if "visiomatic" in scale.kinds:
        install_visiomatic()
    cube = sky(CACHE / str(scale.size), scale.size)
    plan = Plan(cube, scale.size, scale.seconds, max(1.0, scale.seconds / 2))
    plan.cube.read_bytes()  # into the page cache: all servers find it there
    runs: dict[str, list[Column]] = {kind: [] for kind in scale.kinds}
    tiles: dict[str, dict[str, Pixels]] = {}
    folder = Path(tempfile.mkdtemp(prefix="peer-", dir=CACHE))
    try:
        for number in range(scale.runs):
            for kind in scale.kinds:
                figures, tiles[kind] = measure(kind, plan, folder / f"{kind}-{number}")
                figures["failed"] = _failed(figures)
                runs[kind].append(figures)
                print(
                    f"run {number + 1} of {scale.runs}, {kind}: first tile {figures['first_tile_s']:.2f} s, mono "
                    f"{figures['mono.processor_ms']:.2f} ms of CPU, {figures['mono.tiles_per_second']:.0f}/s",
                    file=sys.stderr,
                )
                shutil.rmtree(folder / f"{kind}-{number}" / "cache")  # gigabytes; the log stays until the end
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first, *others = scale.kinds
    comparison = {kind: compare(tiles[first], tiles[kind]) for kind in others}
    columns = medians(runs)
    return Measured(
        columns,
        notes=[
            f"{scale.runs} runs of {scale.seconds:g} s at {CONNECTIONS} connections, cube of {CHANNELS} x "
            f"{scale.size} x {scale.size}, VisiOmatic {VERSION}",
            *(agreement(first, kind, differences) for kind, differences in comparison.items()),
        ],
        bars=bars(columns),
        details={"runs": runs, "comparison": comparison},
    )


def _failed(figures: Column) -> float:
    """Count all failed answers once: the press of the most work stands in the sweep too."""
    twice = f"mono@{CONNECTIONS}.failed"
    return sum(value for key, value in figures.items() if key.endswith(".failed") and key != twice)


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met; none without VisiOmatic."""
    theirs = columns.get("visiomatic")
    found = []
    for kind in OURS:
        mine = columns.get(kind)
        if mine is None or theirs is None:
            continue
        for key, text, unit, wanted, limit in BARS:
            times = times_better(mine[key], theirs[key], "less") or 0.0
            found.append(Bar(f"{kind}: {text} 1/{times:.1f} of VisiOmatic's, at most 1/{wanted:g}", times >= wanted))
            if limit is not None:
                text = f"{kind}: {text} {mine[key]:.2f} {unit}, at most {limit:g} {unit}"
                found.append(Bar(text, mine[key] <= limit))
        key = f"mono@{CONNECTIONS}.p99"
        found.append(Bar(f"{kind}: p99 at {CONNECTIONS} connections {mine[key]:.0f} ms, below 150 ms", mine[key] < 150))
    return found


def agreement(first: str, second: str, tiles: dict[str, Any]) -> str:
    """Sum up in one sentence how well the tiles of two servers agree."""
    away = [tile["max_away_from_edges"] for tile in tiles.values() if tile["max_away_from_edges"] is not None]
    mean, most = max(tile["mean"] for tile in tiles.values()), max(tile["max"] for tile in tiles.values())
    return (
        f"{len(tiles)} tiles of {first} and {second} compared, in 8-bit units: mean difference at most {mean:.2f}, "
        f"largest {max(away, default=0)} away from edges, {most} anywhere"
    )


SECTION = Section("peer", "Beside VisiOmatic 3", ROWS, run, reference="visiomatic")
