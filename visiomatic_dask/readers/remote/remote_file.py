"""Files at URLs, read by ranges through fsspec: close ones as one request, all requests of a read at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import CubeChanged, UnreadableCube
from visiomatic_dask.readers.place import HEAD
from visiomatic_dask.readers.remote.coalesce import coalesce
from visiomatic_dask.readers.remote.file_system import ask, fresh, short, version_of

_GAP = 128 * 1024
"""Bytes that are read in vain rather than asked for in a request of their own: at 10 MB/s they take as long as a round
trip of 13 ms."""
_MOST = 4 * 2**20
"""Bytes of one request: a brick of 8 MB comes in two or more at a time."""
_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One version of one file at a URL.

    Attributes
    ----------
    url : str
        Where it lies, the same for every worker.
    size : int
        Bytes.
    version : str
        Its ETag, or the time of its last change, or both: what the server tells versions apart by.
    """

    url: str
    size: int
    version: str

    @classmethod
    def of(cls, url: str) -> RemoteFile:
        """Ask for size and version as they are now.

        Raises
        ------
        FileNotFoundError
            If there is nothing.
        UnreadableCube
            If it cannot be asked for, its size is unknown, or the server sends one on to another host.
        """
        info = ask(url, lambda fs, path: fs.info(path, **fresh(fs)))
        if info.get("type") == "directory" or not isinstance(info.get("size"), int):
            raise UnreadableCube(f"{short(url)} cannot be read: the server does not tell how long it is")
        if info.get("partial") is False:
            raise UnreadableCube(f"{short(url)} cannot be read: the server does not send parts of files")
        return cls(url, info["size"], version_of(info))

    @property
    def name(self) -> str:
        """Last part of the URL."""
        return short(self.url)

    @property
    def fingerprint(self) -> str:
        """BLAKE2b of URL, size and version."""
        return digest(f"{self.url}\0{self.size}\0{self.version}")

    def check(self) -> None:
        """See `visiomatic_dask.cube.Source.check`; one HEAD request."""
        try:
            now = RemoteFile.of(self.url)
        except FileNotFoundError as error:
            raise CubeChanged(f"{self.name} is no longer there") from error
        if now != self:
            raise CubeChanged(f"{self.name} has changed since it was opened; open it again")

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        """See `visiomatic_dask.cube.ByteSource.read_ranges`.

        The version is looked at after the bytes have come: they cannot then be of a later one.
        """
        if any(offset + size > self.size for offset, size in zip(offsets, sizes, strict=True)):
            raise UnreadableCube(f"{self.name} ends at byte {self.size}, before its data do")
        requests = coalesce(offsets, sizes, _GAP, _MOST)
        if not requests:
            return
        starts, stops = [one.start for one in requests], [one.stop for one in requests]

        def fetch(fs: Any, path: str) -> list[bytes]:
            return list(fs.cat_ranges([path] * len(starts), starts, stops, batch_size=_AT_A_TIME, on_error="raise"))

        try:
            answers = ask(self.url, fetch)
        except FileNotFoundError as error:
            raise CubeChanged(f"{self.name} is no longer there") from error
        except UnreadableCube:
            self.check()  # a file that has become shorter answers with an error, too
            raise
        self.check()
        for request, answer in zip(requests, answers, strict=True):
            if len(answer) != request.stop - request.start:
                raise UnreadableCube(f"{self.name}: the server sent {len(answer)} bytes instead of what was asked for")
            for begin, size, position in request.pieces:
                out[position : position + size] = answer[begin : begin + size]


def look(url: str) -> tuple[bytes, bool]:
    """First bytes of a file, and whether it is a folder; `FileNotFoundError` where there is nothing."""
    if url.endswith(("/", ".zarr")) and _is_zarr(url):  # web servers would answer with a page that lists the folder
        return b"", True
    try:
        source = RemoteFile.of(url)
    except (FileNotFoundError, UnreadableCube):
        if _is_zarr(url):
            return b"", True
        raise

    def first(fs: Any, path: str) -> bytes:
        # Not cat_file: of a server that ignores ranges it would take the whole file, which can be a terabyte. A file
        # object does not, and says so, but only when it is asked for something else than the beginning.
        with fs.open(path, "rb", cache_type="none", block_size=HEAD) as file:
            file.seek(max(0, source.size - 1))
            file.read(1)
            file.seek(0)
            return bytes(file.read(min(HEAD, source.size)))

    return ask(url, first), False


def _is_zarr(url: str) -> bool:
    """Whether a Zarr hierarchy lies there: object stores have no folders, but it can be told by its metadata."""
    return any(exists(f"{url.rstrip('/')}/{name}") for name in ("zarr.json", ".zgroup", ".zarray"))


def exists(url: str) -> bool:
    """Whether there is something at a URL."""
    try:
        ask(url, lambda fs, path: fs.info(path, **fresh(fs)))
    except (FileNotFoundError, UnreadableCube):
        return False
    return True
