"""Building a pyramid as a user does, and reading the same file with dd: how long it takes, and what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import page_cache
from .load import MeasurementError
from .servers import ROOT, clean_environment
from .tree import PeakMemory, Tree

LONGEST = 1800  # seconds for a build


@dataclass(frozen=True)
class Built:
    """A build that has ended.

    Attributes
    ----------
    seconds : float
        From the start of the process to its end.
    called, fetched, written : int
        Bytes that read calls returned, that came from the disk, and that were written, by the process and its children.
    peak : float
        Largest memory of the whole tree, megabytes of PSS.
    """

    seconds: float
    called: int
    fetched: int
    written: int
    peak: float


@dataclass(frozen=True)
class Stored:
    """What is in a store.

    Attributes
    ----------
    nbytes, files : int
        Bytes, and files they are in.
    """

    nbytes: int
    files: int

    @classmethod
    def of(cls, store: Path) -> Stored:
        """Look at a folder."""
        sizes = [one.stat().st_size for one in files_of(store)]
        return cls(sum(sizes), len(sizes))

    @property
    def most_files(self) -> float:
        """Files that there may be."""
        return 64 + self.nbytes / 32e6


def files_of(store: Path) -> list[Path]:
    """Files of a store."""
    return [one for one in store.rglob("*") if one.is_file()]


def dd_seconds(path: Path) -> float:
    """Seconds that dd takes to read a file."""
    began = time.monotonic()
    done = subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=8M"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"dd failed: {done.stderr[-300:]}")
    return time.monotonic() - began


def drop(*paths: Path) -> float:
    """Have files leave the page cache; the largest share of one that stayed."""
    return max((page_cache.drop(path) for path in paths if path.stat().st_size), default=0.0)


def build(path: Path, store: Path, folder: Path, settings: Mapping[str, str]) -> Built:
    """Build the pyramid of a cube into an empty store, by the command line.

    Parameters
    ----------
    path, store : Path
        The cube, and the store; both folders must not exist.
    folder : Path
        For logs, and whatever else is written.
    settings : mapping
        More environment variables.
    """
    return _run([sys.executable, "-m", "visiomatic_dask", *_arguments(path, store)], store, folder, settings)


def source_read(path: Path, store: Path, folder: Path, settings: Mapping[str, str]) -> int:
    """Bytes of the cube that the read calls of a build return; parameters as of `build`."""
    result = folder / "counted.json"
    command = [sys.executable, "-m", "tests.benchmarks.counted", str(path), str(result), *_arguments(path, store)]
    _run(command, store, folder, settings)
    return int(json.loads(result.read_text())["bytes"])


def _arguments(path: Path, store: Path) -> list[str]:
    return ["build", str(path), "--store", str(store)]


def _run(command: list[str], store: Path, folder: Path, settings: Mapping[str, str]) -> Built:
    store.mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    environment = clean_environment(folder, ours=True) | dict(settings)
    log = folder / "build.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        with PeakMemory(Tree(process.pid)) as peak:
            while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                if time.monotonic() - began > LONGEST:
                    raise MeasurementError(f"a build takes longer than {LONGEST} s")
                time.sleep(0.02)
            seconds = time.monotonic() - began
        # It has ended and has not been waited for: its counters are there, with those of the children it waited for.
        counters = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise MeasurementError(f"build ended with {process.returncode}:\n{log.read_text('utf-8', 'replace')[-2000:]}")
    called, fetched, written = (int(counters[key]) for key in ("rchar", "read_bytes", "write_bytes"))
    return Built(seconds, called, fetched, written, peak.mapped)
