"""Load by wrk: fixed duration and connections, every answer checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .tree import Tree

CONNECTIONS = 16
SCRIPT = Path(__file__).with_name("load.lua")


class MeasurementError(Exception):
    """A measurement could not be made, or would not mean anything."""


@dataclass(frozen=True)
class Work:
    """One kind of request: what comes before the varying keys, and the level asked for."""

    prefix: str
    level: int
    tiles: int
    unique: bool


@dataclass(frozen=True)
class Rate:
    """How a server did under load; times in milliseconds."""

    tiles_per_second: float
    processor_ms: float
    p50: float
    p99: float
    bytes_per_tile: float
    steps: int  # of contrast that were used up


def find_wrk() -> str:
    """Path of wrk; installed when that is possible."""
    if found := shutil.which("wrk"):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing wrk", file=sys.stderr)
        subprocess.run(["apt-get", "install", "-y", "wrk"], check=False, stdout=subprocess.DEVNULL)
        if found := shutil.which("wrk"):
            return found
    raise MeasurementError("wrk is needed for the load: apt-get install wrk, or your system's like")


def press(tree: Tree, address: str, work: Work, seconds: float, first_step: int) -> Rate:
    """Ask a server for tiles as fast as it answers, and account for what that cost it."""
    command = [
        find_wrk(), "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "30s",
        "-s", str(SCRIPT), address, "--", work.prefix, str(work.level), str(work.tiles), str(first_step),
        "unique" if work.unique else "same",
    ]  # fmt: skip
    before = tree.processor_seconds()
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 90)
    used = tree.processor_seconds() - before
    _, found, result = finished.stdout.rpartition("RESULT ")
    if finished.returncode or not found:
        raise MeasurementError(f"wrk failed on {address}:\n{finished.stdout}\n{finished.stderr}")
    numbers = json.loads(result)
    if not numbers["requests"]:
        raise MeasurementError(f"no answer at all in {seconds} s from {address}{work.prefix}")
    if numbers["wrong"] or numbers["status"] or numbers["broken"]:
        raise MeasurementError(
            f"{address}{work.prefix}: {numbers['wrong']} of {numbers['answered']} answers were no JPEG with "
            f"status 200, {numbers['broken']} connections broke"
        )
    return Rate(
        tiles_per_second=numbers["requests"] / numbers["seconds"],
        processor_ms=1000 * used / numbers["requests"],
        p50=numbers["p50"],
        p99=numbers["p99"],
        bytes_per_tile=numbers["bytes"] / numbers["requests"],
        steps=numbers["sent"] // work.tiles + 1 if work.unique else 1,
    )
