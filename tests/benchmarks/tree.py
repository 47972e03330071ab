"""What a server uses: processor time, memory, reads and writes, summed over all of its processes (Linux)."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERVAL = 0.5  # seconds between samples of memory; reading smaps costs the server a few milliseconds


@dataclass(frozen=True)
class Memory:
    """Megabytes in use: pages shared by n processes count 1/n in each (PSS).

    ``mapped`` includes files mapped into memory, which the kernel can drop; ``anonymous`` is what only swap
    or the end of the process frees, shared memory included.
    """

    mapped: float
    anonymous: float


@dataclass(frozen=True)
class Reads:
    """Bytes read so far.

    ``called`` is what read calls returned, from the page cache or not (most of it files: asyncio's sockets do not
    count, uvloop's do, but all they bring is requests); ``fetched`` is what came from the disk on these processes'
    behalf, read ahead by the kernel or announced by them included.
    """

    called: int
    fetched: int

    def since(self, before: Reads) -> Reads:
        """What was read after an earlier look."""
        return Reads(self.called - before.called, self.fetched - before.fetched)


class Tree:
    """Processes and their descendants."""

    def __init__(self, *pids: int) -> None:
        self.roots = [psutil.Process(pid) for pid in pids]

    def members(self) -> list[psutil.Process]:
        """Processes alive now."""
        found: list[psutil.Process] = []
        for root in self.roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [root, *root.children(recursive=True)]
        return found

    def processor_seconds(self) -> float:
        """User and system time so far; an ended child's is in its parent's, which has waited for it."""
        total = 0.0
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])  # user, system, and both of the children waited for
        return total

    def written_bytes(self) -> int:
        """Bytes sent to disk so far, ended children included as above; counted when pages are dirtied."""
        total = 0
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.io_counters().write_bytes
        return total

    def reads(self) -> Reads:
        """Bytes read so far, ended children included as above."""
        called = fetched = 0
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                counters = process.io_counters()
                called, fetched = called + counters.read_chars, fetched + counters.read_bytes
        return Reads(called, fetched)

    def memory(self) -> Memory:
        """Memory in use now."""
        mapped = anonymous = 0
        for process in self.members():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                    key, _, rest = line.partition(":")
                    if key == "Pss":
                        mapped += int(rest.split()[0])
                    elif key in ("Pss_Anon", "Pss_Shmem"):
                        anonymous += int(rest.split()[0])
        return Memory(mapped / 1024, anonymous / 1024)


class PeakMemory:
    """Largest memory of a tree, sampled in a thread between enter and exit."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.mapped = self.anonymous = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        now = self.tree.memory()
        self.mapped, self.anonymous = max(self.mapped, now.mapped), max(self.anonymous, now.anonymous)
