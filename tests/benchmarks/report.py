"""Results as JSON, as a table on the terminal, and as a section of docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- peer:begin -->", "<!-- peer:end -->"
SOONER, CHEAPER = 15.0, 8.0  # the bars: first tile so many times sooner, mono tile for so many times less CPU

# Title, path into the figures, unit, and whether less is better
ROWS: tuple[tuple[str, str, str, bool], ...] = (
    ("start-up: process start to first answer", "start_s", "s", True),
    ("INFO, from the first request on", "info_s", "s", True),
    ("first tile (INFO, then the coarsest tile)", "first_tile_s", "s", True),
    ("mono tile, uncached: CPU", "mono.processor_ms", "ms", True),
    ("mono tile, uncached: rate", "mono.tiles_per_second", "/s", False),
    ("mono tile, uncached: p99 of 16 connections", "mono.p99", "ms", True),
    ("5-channel colour tile, uncached: CPU", "colour.processor_ms", "ms", True),
    ("5-channel colour tile, uncached: rate", "colour.tiles_per_second", "/s", False),
    ("the same tile again: CPU", "cached.processor_ms", "ms", True),
    ("the same tile again: rate", "cached.tiles_per_second", "/s", False),
    ("bytes of a mono tile, with headers", "mono.bytes_per_tile", "B", True),
    ("disk used by the cache", "cache_mb", "MB", True),
    ("written to disk by all processes", "written_mb", "MB", True),
    ("peak memory (PSS, mapped files included)", "peak_pss_mb", "MB", True),
    ("peak memory (anonymous and shared)", "peak_anonymous_mb", "MB", True),
)

METHOD = Path(__file__).with_name("method.md")  # the page to begin with


def value(figures: dict[str, Any], path: str) -> float:
    """Figure under a dotted path."""
    found: Any = figures
    for part in path.split("."):
        found = found[part]
    return float(found)


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Compute medians of all figures of each server."""
    return {
        name: {path: statistics.median(value(one, path) for one in ones) for _, path, _, _ in ROWS}
        for name, ones in runs.items()
        if ones
    }


def ratio(mine: float, theirs: float, less_is_better: bool) -> float | None:
    """How many times better the first is; nothing where a zero makes that meaningless."""
    better, worse = (mine, theirs) if less_is_better else (theirs, mine)
    return worse / better if better > 0 else None


def environment() -> dict[str, Any]:
    """Machine, date and versions, for a result that is read later."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("visiomatic-dask", "dask", "distributed", "numpy", "numba", "tornado", "simplejpeg"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "unknown")


def write_json(result: dict[str, Any], folder: Path) -> Path:
    """Write everything, under a name that sorts by date."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"peer-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def table(result: dict[str, Any]) -> list[list[str]]:
    """Rows of text: title, one column a server, and how many times better the first is than the second."""
    medians = result["medians"]
    names = list(medians)
    rows = [["", *names, *([f"{names[0]} is better by"] if len(names) > 1 else [])]]
    for title, path, unit, less in ROWS:
        cells = [_number(medians[name][path], unit) for name in names]
        if len(names) > 1:
            times = ratio(medians[names[0]][path], medians[names[1]][path], less)
            cells.append("–" if times is None else f"{times:.3g} ×")
        rows.append([title, *cells])
    return rows


def _number(number: float, unit: str) -> str:
    return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"


def bars(result: dict[str, Any]) -> list[str]:
    """Say whether the bars are met; empty without the two servers they are about."""
    medians = result["medians"]
    if not {"ours", "visiomatic"} <= medians.keys():
        return []
    mine, theirs = medians["ours"], medians["visiomatic"]
    lines = []
    for text, path, wanted in (
        ("first tile sooner", "first_tile_s", SOONER),
        ("CPU of an uncached mono tile less", "mono.processor_ms", CHEAPER),
    ):
        times = ratio(mine[path], theirs[path], True) or 0.0
        met = "met" if times >= wanted else "MISSED"
        lines.append(f"{text}: {times:.1f} ×, wanted at least {wanted:g} ×: {met}")
    return lines


def agreement(result: dict[str, Any]) -> str:
    """Sum up in one sentence how well the tiles agree."""
    tiles = result["comparison"]
    if not tiles:
        return ""
    away = [tile["max_away_from_edges"] for tile in tiles.values() if tile["max_away_from_edges"] is not None]
    mean, most = max(tile["mean"] for tile in tiles.values()), max(tile["max"] for tile in tiles.values())
    return (
        f"{len(tiles)} tiles compared, in 8-bit units: mean difference at most {mean:.2f}, "
        f"largest {max(away, default=0)} away from edges, {most} anywhere"
    )


def show(result: dict[str, Any]) -> None:
    """Print the table, the agreement and the bars."""
    rows = table(result)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        print(row[0].ljust(widths[0]), *cells)
    for line in (agreement(result), *bars(result)):
        if line:
            print(line)


def write_markdown(result: dict[str, Any], path: Path) -> None:
    """Replace the section between the markers; the page is made when it is missing."""
    machine = result["environment"]
    head, *body = table(result)
    lines = [
        f"{machine['date'][:10]}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Python {machine['versions']['python']}, {result['runs_each']} runs of "
        f"{result['seconds']:g} s, cube of 5 × {result['size']} × {result['size']}.",
        "",
        "| " + " | ".join(head) + " |",
        "|---" + "|---:" * (len(head) - 1) + "|",
        *("| " + " | ".join(row) + " |" for row in body),
        "",
        *(f"* {line}" for line in (agreement(result), *bars(result)) if line),
    ]
    text = (path if path.exists() else METHOD).read_text()
    if BEGIN not in text or END not in text:
        text = text.rstrip() + f"\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")
