"""Whether memory grows: the anonymous memory of each process, sampled in a thread, and a line through the samples."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from .tree import Tree


@dataclass(frozen=True)
class Trend:
    """Memory of one process.

    Attributes
    ----------
    name : str
        What it is.
    first, last, most : float
        Megabytes at the first and the last sample, and at the largest one.
    per_minute : float
        Megabytes a minute, by the line of least squares through the samples after the settling time.
    samples : int
        Number of those.
    """

    name: str
    first: float
    last: float
    most: float
    per_minute: float
    samples: int


class MemoryTrend:
    """Samples the processes of a tree between enter and exit.

    Anonymous resident memory (``RssAnon``) is what a leak would grow; pages of mapped files, which the kernel can
    drop, do not count.

    Parameters
    ----------
    tree : Tree
        The processes; those that come later are sampled too, those that go keep the samples they had.
    interval : float
        Seconds between samples.
    settling : float
        Seconds at the beginning that are left out of the line: caches fill.
    names : dict of int to str, optional
        What to call a process; others are called by their pid.
    """

    def __init__(self, tree: Tree, interval: float, settling: float, names: dict[int, str] | None = None) -> None:
        self.tree = tree
        self.interval = interval
        self.settling = settling
        self.names = names or {}
        self.samples: dict[int, list[tuple[float, float]]] = {}
        self._began = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryTrend:
        self._began = time.monotonic()
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    @property
    def trends(self) -> list[Trend]:
        """One for each process."""
        return [self._trend(pid, samples) for pid, samples in self.samples.items()]

    @property
    def total(self) -> Trend:
        """Of all processes together: the sums, which hold where none came or went."""
        each = self.trends
        return Trend(
            "all",
            sum(one.first for one in each),
            sum(one.last for one in each),
            sum(one.most for one in each),
            sum(one.per_minute for one in each),
            min((one.samples for one in each), default=0),
        )

    def _watch(self) -> None:
        while not self._done.wait(self.interval):
            self._sample()

    def _sample(self) -> None:
        now = time.monotonic() - self._began
        for process in self.tree.members():
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                self.samples.setdefault(process.pid, []).append((now, anonymous_megabytes(process.pid)))

    def _trend(self, pid: int, samples: list[tuple[float, float]]) -> Trend:
        megabytes = [value for _, value in samples]
        settled = np.array([sample for sample in samples if sample[0] >= self.settling])
        slope = 0.0
        if len(settled) > 1 and np.ptp(settled[:, 0]) > 0:
            slope = 60 * float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0])
        name = self.names.get(pid, f"process {pid}")
        return Trend(name, megabytes[0], megabytes[-1], max(megabytes), slope, len(settled))


def anonymous_megabytes(pid: int) -> float:
    """Anonymous resident memory of one process, shared memory included."""
    total = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key in ("RssAnon", "RssShmem"):
            total += int(rest.split()[0])
    return total / 1024
