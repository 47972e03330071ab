"""Shard files of a file system.

A file is on the disk before it has its name, so that what was there before survives a crash of the machine too. Beside
the piece itself, writing takes the memory of two chunks.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visiomatic_dask.pyramid.store.local_folder import sync_folder
from visiomatic_dask.pyramid.store.shard_file import Position, ShardFiles
from visiomatic_dask.pyramid.store.shard_format import Chunks, Head
from visiomatic_dask.pyramid.store.tree import make_chunk_folders, writing

_ABANDONED = 300.0
"""Seconds after which nobody is any more behind a file that is not complete: a shard takes less than a minute."""
_RANGES_ANNOUNCED = 4096


class _LocalShard:
    """A shard file of a file system, open."""

    def __init__(self, descriptor: int, chunks: Chunks) -> None:
        self._descriptor = descriptor
        self.head = Head.parse(os.pread(descriptor, chunks.head_size, 0), chunks)

    def read(self, ranges: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
        if 1 < len(ranges) <= _RANGES_ANNOUNCED and hasattr(os, "posix_fadvise"):
            for first, size in ranges:
                os.posix_fadvise(self._descriptor, first, size, os.POSIX_FADV_WILLNEED)
        end = os.fstat(self._descriptor).st_size
        if any(first + size > end for first, size in ranges):
            raise ValueError("it ends before its chunks do")
        buffer = np.empty(max((size for _, size in ranges), default=0), np.uint8).data
        for first, size in ranges:
            done = 0
            while done < size:
                count = os.preadv(self._descriptor, [buffer[done:size]], first + done)
                if count == 0:
                    raise ValueError("it ends before its chunks do")
                done += count
            yield buffer[:size]


class LocalShardFiles(ShardFiles):
    """Shard files of a file system."""

    def size(self, key: str) -> int:
        """See `ShardFiles`."""
        with self._errors():
            try:
                return self._path(key).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return 0

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[_LocalShard | None]:
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            yield _LocalShard(descriptor, self.chunks)
        finally:
            os.close(descriptor)

    def _replace(self, key: str, head: Head, parts: Iterator[tuple[Position, Any]]) -> int:
        path = self._path(key)
        with writing(self.address):
            make_chunk_folders(self.address, f"{self.array}/{key}")
            _remove_abandoned(path)
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
            try:
                size = self._write(draft, head, parts)
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)
        return size

    def _write(self, draft: Path, head: Head, parts: Iterator[tuple[Position, Any]]) -> int:
        at = self.chunks.head_size
        with draft.open("xb", buffering=0) as file:
            file.seek(at)
            for position, chunk in parts:
                size = len(chunk)
                _write_all(file.fileno(), memoryview(chunk))
                head.index[position] = at, size
                at += size
            file.seek(0)
            _write_all(file.fileno(), memoryview(head.to_bytes()))
            os.fsync(file.fileno())
        return at

    def _path(self, key: str) -> Path:
        return Path(self.address, self.array, key)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _remove_abandoned(path: Path) -> None:
    """Remove what writers of a file left behind that were killed."""
    oldest = time.time() - _ABANDONED
    for draft in path.parent.glob(f".{path.name}.*.partial"):
        with contextlib.suppress(FileNotFoundError):
            if draft.stat().st_mtime < oldest:
                draft.unlink()
