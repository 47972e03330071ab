"""A lock between processes and hosts that share a store: a file that only one can create.

Not flock: parallel file systems are mounted without it, or, worse, with one that only holds on one host; and there is
none at URLs. The price is that a holder who is killed leaves the file. Whoever waits breaks it

* at once, if the holder ran on this host, in this PID namespace, and is no more;
* else when it has been seen unchanged for 20 s by the clock of who waits: clocks of hosts are never compared.

Breaking has a file of its own, and looks at the lock again once it has that: so of many that wait, one breaks it, and
nobody breaks that of the next holder. Who holds a lock for long has to expect that it is broken, and `Hold.check` is
called before anything is written: it fails 10 s after the lock was taken, long before it may be broken, and when it has
been.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from visiomatic_dask.errors import StoreError
from visiomatic_dask.pyramid.store.folder import StoreFolder

STALE = 20.0
"""Seconds after which a lock that does not change is broken."""
_SOON, _LATE = 0.001, 0.05
"""Seconds between two tries, first and last."""


class LockLost(Exception):
    """The lock was held for too long, and may have been broken: nothing may be written any more."""


@dataclass(frozen=True, slots=True)
class Hold:
    """That a lock is held.

    Attributes
    ----------
    lock : StoreLock
        Which.
    mark : bytes
        What its file holds.
    until : float
        When it can no longer be relied on, of `time.monotonic`.
    """

    lock: StoreLock
    mark: bytes
    until: float

    def check(self) -> None:
        """Raise `LockLost` unless it is still held, and will be for some seconds."""
        if time.monotonic() > self.until or self.lock.folder.read(self.lock.path) != self.mark:
            raise LockLost


@dataclass(frozen=True, slots=True)
class StoreLock:
    """A lock, for short sections.

    Attributes
    ----------
    folder : StoreFolder
        Where it is.
    path : str
        Its file.
    stale : float
        Seconds after which it is broken, if it does not change.
    patience : float
        Seconds to wait for it.
    """

    folder: StoreFolder
    path: str
    stale: float = STALE
    patience: float = 3 * STALE

    @contextlib.contextmanager
    def held(self) -> Iterator[Hold]:
        """Hold it, after having waited for it.

        Raises
        ------
        StoreError
            If others had it for all of `patience`, or no file can be written.
        """
        mark = _mark()
        self._take(mark)
        try:
            yield Hold(self, mark, time.monotonic() + self.stale / 2)
        finally:
            self._release(mark)

    def _take(self, mark: bytes) -> None:
        begin, pause = time.monotonic(), _SOON
        lock, breaker = _Watched(self.stale), _Watched(self.stale)
        while not self.folder.create(self.path, mark):
            there = self.folder.read(self.path)
            if there == mark:  # the answer to the first of two requests was lost
                return
            if lock.is_stale(there):
                self._break(there, mark, breaker)
            if time.monotonic() - begin > self.patience:
                raise StoreError(
                    f"{self.folder.name}, in the store, has been busy for {self.patience:.0f} s; try again"
                )
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(1.5 * pause, _LATE)

    def _break(self, stale: bytes | None, mark: bytes, watched: _Watched) -> None:
        path = f"{self.path}.break"
        if stale is None:
            return
        if not self.folder.create(path, mark):
            there = self.folder.read(path)
            if there is not None and watched.is_stale(there):
                self.folder.delete_if(path, there)
            return
        try:
            # Looked at before it is taken away to be looked at: meanwhile it would seem to be free, though its next
            # holder has it. What is stale is changed by nobody but who breaks it.
            if self.folder.read(self.path) == stale:
                self.folder.delete_if(self.path, stale)
        finally:
            self.folder.delete_if(path, mark)

    def _release(self, mark: bytes) -> None:
        # Not delete_if, which puts back what is another's: between two names, a lock seems to be free
        if self.folder.read(self.path) == mark:
            self.folder.delete(self.path)


class _Watched:
    """A file that somebody is waited for by, and how long it has been the same."""

    def __init__(self, stale: float) -> None:
        self._stale = stale
        self._seen: bytes | None = None
        self._since = 0.0

    def is_stale(self, there: bytes | None) -> bool:
        if there is None:
            return False
        now = time.monotonic()
        if there != self._seen:
            self._seen, self._since = there, now
        return now - self._since > self._stale or _is_dead(there)


def _mark() -> bytes:
    """Say who holds a lock: for others to see whether it still runs, and for people."""
    mark = {
        "id": secrets.token_hex(8),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "here": _here(),
        "born": _born(os.getpid()),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return json.dumps(mark).encode()


def _is_dead(mark: bytes) -> bool:
    """Whether who left a mark is known to run no more: it was here, and there is no such process now."""
    try:
        holder = json.loads(mark)
        here, pid, born = holder["here"], int(holder["pid"]), holder["born"]
    except (ValueError, KeyError, TypeError):  # not ours, or not yet written: it becomes stale
        return False
    return bool(here) and bool(born) and here == _here() and _born(pid) != born


@lru_cache(maxsize=1)
def _here() -> str:
    """Return what tells this kernel and its PID namespace from all others; nothing where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When a process was started, in ticks of the kernel; nothing if it has ended."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
