"""Places: where a dataset lies, and what can be told of it at a glance, which is all that formats are told apart by."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from visiomatic_dask.cube import ByteSource, SourceFile
from visiomatic_dask.errors import UnsupportedFormat

HEAD = 512
_BUFFER = 64 * 1024
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder, here or at a URL.

    Attributes
    ----------
    address : str
        Absolute path, symbolic links followed; or a URL.
    head : bytes
        Its first bytes, at most `HEAD`; none of a folder.
    is_folder : bool
        Whether it is a folder.
    source : ByteSource, optional
        What its bytes are taken from, where the file at `path` only holds them for another: a compressed one.
    """

    address: str
    head: bytes
    is_folder: bool = False
    source: ByteSource | None = None

    @classmethod
    def look(cls, path: str | os.PathLike[str]) -> Place:
        """Look at a path or a URL; `OSError` where there is nothing that can be read."""
        if is_url(path):
            from visiomatic_dask.readers.remote import remote_file  # fsspec is for those who have URLs

            head, is_folder = remote_file.look(str(path))
            return cls(str(path), head, is_folder)
        real = Path(os.path.realpath(path))
        mode = real.stat().st_mode
        if stat.S_ISDIR(mode):
            return cls(str(real), b"", is_folder=True)
        if not stat.S_ISREG(mode):  # to open a pipe would wait for whoever writes into it
            raise OSError(errno.EINVAL, "it is not a regular file")
        with real.open("rb") as file:
            return cls(str(real), file.read(HEAD))

    @property
    def is_remote(self) -> bool:
        """Whether it lies at a URL."""
        return is_url(self.address)

    @property
    def path(self) -> Path:
        """The path of what lies here; `UnsupportedFormat` where it lies at a URL."""
        if self.is_remote:
            what = "compressed files and zip files can be opened only where they lie, not at a URL; copy it first"
            raise UnsupportedFormat(f"{self.name}: {what}")
        return Path(self.address)

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.address.rstrip("/").rpartition("/")[2]

    def has(self, name: str) -> bool:
        """Whether a folder holds something of that name, or something of that name lies beside a file."""
        if self.is_remote:
            from visiomatic_dask.readers.remote import remote_file

            parent = self.address.rstrip("/") if self.is_folder else self.address.rpartition("/")[0]
            return remote_file.exists(f"{parent}/{name}")
        return ((self.path if self.is_folder else self.path.parent) / name).exists()

    def byte_source(self) -> ByteSource:
        """Take the file in the version that it has now; `OSError` if it is gone."""
        if self.source is not None:
            return self.source
        if self.is_remote:
            from visiomatic_dask.readers.remote.remote_file import RemoteFile

            return RemoteFile.of(self.address)
        return SourceFile.of(self.address)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether an address is a URL."""
    return isinstance(path, str) and _URL.match(path) is not None


class _SourceIO(io.RawIOBase):
    """A byte source as a file that is read only."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._source.size - self._position))
        if count:
            self._source.read_ranges([self._position], [count], memoryview(buffer)[:count])
        self._position += count
        return count


def opened(source: ByteSource, buffer_size: int = _BUFFER) -> BinaryIO:
    """Open a byte source as a buffered file: for headers, not for pixels."""
    return cast("BinaryIO", io.BufferedReader(_SourceIO(source), buffer_size))
