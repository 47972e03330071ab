"""Shard files at URLs that fsspec knows. Beside the piece itself, writing takes the encoded shard twice."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from typing import Any

from visiomatic_dask.pyramid.store.shard_file import Position, ShardFiles
from visiomatic_dask.pyramid.store.shard_format import Chunks, Head
from visiomatic_dask.pyramid.store.tree import check_url, file_system, writing


class _UrlShard:
    """A shard file at a URL. One that may be replaced by another is looked at again after it was read."""

    def __init__(self, fs: Any, path: str, chunks: Chunks, content: bytes) -> None:
        self._fs = fs
        self._path = path
        self._chunks = chunks
        self._content = content
        self.head = Head.parse(content, chunks)

    def read(self, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        if not ranges:
            return
        starts, stops = [first for first, _ in ranges], [first + size for first, size in ranges]
        found = self._fs.cat_ranges([self._path] * len(ranges), starts, stops)
        for data, (_, size) in zip(found, ranges, strict=True):
            if len(data) != size:
                raise ValueError("it ends before its chunks do")
        if not self.head.planes.all() and _read_head(self._fs, self._path, self._chunks) != self._content:
            raise OSError(errno.ESTALE, "it was replaced while it was read")
        yield from found


class UrlShardFiles(ShardFiles):
    """Shard files at a URL that fsspec knows."""

    def size(self, key: str) -> int:
        """See `ShardFiles`."""
        fs, path = self._at(key)
        with self._errors():
            try:
                return int(fs.size(path))
            except FileNotFoundError:
                return 0

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[_UrlShard | None]:
        fs, path = self._at(key)
        try:
            content = _read_head(fs, path, self.chunks)
        except FileNotFoundError:
            yield None
            return
        yield _UrlShard(fs, path, self.chunks, content)

    def _replace(self, key: str, head: Head, parts: Iterator[tuple[Position, Any]]) -> int:
        at, found = self.chunks.head_size, []
        for position, chunk in parts:
            head.index[position] = at, len(chunk)
            at += len(chunk)
            found.append(bytes(chunk))
        with writing(self.address):
            fs, root = check_url(self.address)
            fs.pipe_file(f"{root}/{self.array}/{key}", b"".join([head.to_bytes(), *found]))
        return at

    def _at(self, key: str) -> tuple[Any, str]:
        fs, path = file_system(self.address)
        return fs, f"{path}/{self.array}/{key}"


def _read_head(fs: Any, path: str, chunks: Chunks) -> bytes:
    return bytes(fs.cat_file(path, start=0, end=chunks.head_size))
