"""Sources: the files behind a cube, in the version that was opened, and fingerprints that tell versions apart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from visiomatic_dask.errors import CubeChanged, UnreadableCube

_MOST_RANGES_ANNOUNCED = 4096


@runtime_checkable
class Source(Protocol):
    """One version of what a cube is read from. Frozen, hashable, picklable."""

    @property
    def name(self) -> str:
        """What messages call it: never a path of the server."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when the source does."""
        ...

    def check(self) -> None:
        """Make sure that it is still this version.

        Raises
        ------
        CubeChanged
            If it is gone, or is another one.
        UnreadableCube
            If that cannot be found out.
        """
        ...


@runtime_checkable
class ByteSource(Source, Protocol):
    """A source that is one run of bytes: a file, or an object at a URL."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        """Read ranges of bytes, one after the other into a buffer.

        Parameters
        ----------
        offsets, sizes : sequence of int
            First byte and number of bytes of each range; ascending offsets are read fastest.
        out : memoryview
            As long as all ranges together.

        Raises
        ------
        CubeChanged
            If it is no longer this version; also when it was replaced while it was read.
        UnreadableCube
            If it cannot be read, or ends before a range does.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One version of one local file: where it lies, and the size and time that tell it from its replacement.

    Attributes
    ----------
    path : str
        Absolute path, the same on every worker.
    size : int
        Bytes.
    mtime_ns : int
        Time of the last change, in nanoseconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> SourceFile:
        """Look at a file, or a folder, as it is now; `OSError` if it is not there."""
        real = os.path.realpath(path)
        status = os.stat(real)  # noqa: PTH116 - one stat of a path that is already a string
        return cls(real, status.st_size, status.st_mtime_ns)

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return os.path.basename(self.path)  # noqa: PTH119

    @property
    def fingerprint(self) -> str:
        """BLAKE2b of path, size and time."""
        return digest(f"{self.path}\0{self.size}\0{self.mtime_ns}")

    def check(self) -> None:
        """See `Source.check`."""
        try:
            status = os.stat(self.path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CubeChanged(f"{self.name} is no longer there") from error
        except OSError as error:
            raise UnreadableCube(f"{self.name} cannot be read: {error.strerror}") from error
        self._compare(status)

    def open(self) -> int:
        """Open the file for reading and return its descriptor, making sure that it is still this version.

        Raises
        ------
        CubeChanged
            If the file is gone, or is no longer the one whose size and time are recorded here.
        UnreadableCube
            If it may not be opened.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CubeChanged(f"{self.name} is no longer there") from error
        except OSError as error:
            raise UnreadableCube(f"{self.name} cannot be read: {error.strerror}") from error
        try:
            self._compare(os.fstat(descriptor))
        except CubeChanged:
            os.close(descriptor)
            raise
        return descriptor

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        """See `ByteSource.read_ranges`: all ranges are announced to the kernel before any is read."""
        descriptor = self.open()
        try:
            if 1 < len(offsets) <= _MOST_RANGES_ANNOUNCED and hasattr(os, "posix_fadvise"):
                for offset, size in zip(offsets, sizes, strict=True):
                    os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)
            done = 0
            for offset, size in zip(offsets, sizes, strict=True):
                self._fill(descriptor, out[done : done + size], offset)
                done += size
            self._compare(os.fstat(descriptor))  # written to in place, while it was read
        except OSError as error:
            raise UnreadableCube(f"{self.name}: reading it failed: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def _compare(self, status: os.stat_result) -> None:
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            raise CubeChanged(f"{self.name} has changed since it was opened; open it again")

    def _fill(self, descriptor: int, buffer: memoryview, offset: int) -> None:
        """Read until the buffer is full: one call may give at most 2 GiB, and less over a network."""
        done = 0
        while done < len(buffer):
            count = os.preadv(descriptor, [buffer[done:]], offset + done)
            if count == 0:
                raise UnreadableCube(f"{self.name} ends at byte {offset + done}, before its data do")
            done += count


def digest(text: str) -> str:
    """16 hexadecimal digits of a text (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
