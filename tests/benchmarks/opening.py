"""What opening costs: every real file at hand, for the first time in a process that has imported what it needs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from .figures import Bar, Column, Measured, Row, Scale, Section
from .load import MeasurementError

ROOT = Path(__file__).parents[2]
MOST_SECONDS, MOST_BYTES = 0.1, 1e6
_SUFFIXES_LEFT_OUT = (".csv", ".reg", ".crtf", ".hdr", ".md", ".tsv")
ROWS = (
    Row("files", "files", "", None),
    Row("median", "median_ms", "ms"),
    Row("longest", "longest_ms", "ms"),
    Row("most read", "most_kb", "kB"),
)


def files_of(folder: Path) -> list[Path]:
    """Everything below a folder that may be a cube: files, and folders of Zarr."""
    found: list[Path] = []
    for base, folders, names in os.walk(folder):
        found += [Path(base, one) for one in folders if one.endswith(".zarr")]
        folders[:] = [one for one in folders if not one.endswith(".zarr")]
        found += [Path(base, one) for one in names if not one.endswith(_SUFFIXES_LEFT_OUT)]
    return sorted(found)


def run(scale: Scale) -> Measured:
    """Open each file, and again in fresh processes; the best time of each, since other processes disturb."""
    folder = Path(os.environ.get("VISIOMATIC_TEST_DATA") or ROOT.parent / "shared" / "data")
    files = files_of(folder)
    if not files:
        return Measured({"none": {"files": 0.0}}, [f"no real files at {folder.name}: VISIOMATIC_TEST_DATA says where"])
    command = [sys.executable, "-m", "tests.opening_costs", *map(str, files)]
    seconds: dict[str, list[float]] = {}
    read: dict[str, float] = {}
    formats: dict[str, str] = {}
    for _ in range(max(1, scale.runs)):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise MeasurementError(f"files could not be opened: {done.stderr[-500:]}")
        for line in done.stdout.splitlines():
            one = json.loads(line)
            seconds.setdefault(one["file"], []).append(one["seconds"])
            read[one["file"]] = one["read"]
            formats[one["file"]] = one["format"] or "refused"
    best = {file: min(times) for file, times in seconds.items()}
    columns = {
        name: _column([f for f in best if formats[f] == name], best, read) for name in sorted({*formats.values()})
    }
    slow = sorted((file for file in best if best[file] >= MOST_SECONDS), key=best.__getitem__, reverse=True)
    large = [file for file in read if read[file] >= MOST_BYTES]
    bars = [
        Bar(f"every file opens in less than 100 ms beyond imports{_named(slow)}", not slow),
        Bar(f"opening reads less than 1 MB{_named(large)}", not large),
    ]
    return Measured(
        columns, ["the files of `shared/data`; unpacked before, where they are compressed as a whole"], bars
    )


def _column(files: list[str], seconds: dict[str, float], read: dict[str, float]) -> Column:
    times = [1e3 * seconds[file] for file in files]
    return {
        "files": float(len(files)),
        "median_ms": statistics.median(times),
        "longest_ms": max(times),
        "most_kb": max(read[file] for file in files) / 1e3,
    }


def _named(files: list[str]) -> str:
    return f" ({', '.join(Path(file).name for file in files)})" if files else ""


SECTION = Section("opening", "Opening", ROWS, run)
