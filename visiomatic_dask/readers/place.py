"""Places: where a dataset lies, and what can be told of it at a glance, which is all that formats are told apart by."""

from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from visiomatic_dask.cube import ByteSource, SourceFile

HEAD = 512
_BUFFER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder.

    Attributes
    ----------
    path : Path
        Where it lies; symbolic links followed.
    head : bytes
        Its first bytes, at most `HEAD`; none of a folder.
    is_folder : bool
        Whether it is a folder.
    """

    path: Path
    head: bytes
    is_folder: bool = False

    @classmethod
    def look(cls, path: str | os.PathLike[str]) -> Place:
        """Look at a path; `OSError` where there is nothing that can be read."""
        real = Path(os.path.realpath(path))
        mode = real.stat().st_mode
        if stat.S_ISDIR(mode):
            return cls(real, b"", is_folder=True)
        if not stat.S_ISREG(mode):  # to open a pipe would wait for whoever writes into it
            raise OSError(errno.EINVAL, "it is not a regular file")
        with real.open("rb") as file:
            return cls(real, file.read(HEAD))

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.name

    def has(self, name: str) -> bool:
        """Whether a folder holds something of that name, or something of that name lies beside a file."""
        return ((self.path if self.is_folder else self.path.parent) / name).exists()

    def byte_source(self) -> ByteSource:
        """Take the file in the version that it has now; `OSError` if it is gone."""
        return SourceFile.of(self.path)


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
