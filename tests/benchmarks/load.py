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

SCRIPT = Path(__file__).with_name("load.lua")
SLOWEST = 30  # seconds after which an answer counts as a broken connection


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
    """How a server did under load; times in milliseconds.

    Attributes
    ----------
    good : int
        Good answers: JPEG with status 200.
    tiles_per_second, processor_ms, bytes_per_tile : float
        Of good answers. What went into others counts as their cost.
    p50, p95, p99, longest : float
        Latency of all answers.
    refused : int
        Answers 503 with Retry-After.
    failed : int
        All other answers, and connections that broke or waited for more than 30 s.
    steps : int
        Of contrast, that were used up.
    """

    good: int
    tiles_per_second: float
    processor_ms: float
    p50: float
    p95: float
    p99: float
    longest: float
    bytes_per_tile: float
    refused: int
    failed: int
    steps: int


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


def press(tree: Tree, address: str, work: Work, connections: int, seconds: float, first_step: int) -> Rate:
    """Ask a server for tiles as fast as it answers, and account for what that cost it."""
    command = [
        find_wrk(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", f"{SLOWEST}s",
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
    good = numbers["good"]
    if not good:
        raise MeasurementError(f"no good answer at all in {seconds} s from {address}{work.prefix}: {numbers}")
    return Rate(
        good=good,
        tiles_per_second=good / numbers["seconds"],
        processor_ms=1000 * used / good,
        p50=numbers["p50"],
        p95=numbers["p95"],
        p99=numbers["p99"],
        longest=numbers["longest"],
        bytes_per_tile=numbers["bytes"] / good,
        refused=numbers["refused"],
        failed=numbers["wrong"] + numbers["broken"],
        steps=numbers["sent"] // work.tiles + 1 if work.unique else 1,
    )
