"""Locks between processes that end with their holder, and tell how far that one is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class ProgressLock:
    """An exclusive lock on a file (flock), which holds one number. Made by `take`.

    The kernel frees it when its holder dies, however that happens. It holds between threads, too: each takes it through
    a descriptor of its own.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> ProgressLock | None:
        """Take a lock, or return None while somebody else has it; `OSError` where there can be none."""
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    return cls(path, descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last holder has removed the file since it was opened

    def report(self, number: int) -> None:
        """Tell those who wait."""
        os.pwrite(self._descriptor, b"%20d" % number, 0)

    def release(self) -> None:
        """Remove the file and free the lock."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def reported(path: Path) -> int:
    """Return the number that the holder of a lock told last; 0 where it has told none yet, or is gone."""
    try:
        return int(path.read_bytes() or 0)
    except (FileNotFoundError, ValueError):  # gone, or seen half written over a network
        return 0


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
