"""Fingerprints: what tells one version of a cube's files from any other."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from visiomatic_dask.errors import CubeChanged, UnreadableCube


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One version of one file: where it lies, and the size and time that tell it from its replacement.

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
        """Look at a file as it is now; `OSError` if it is not there."""
        real = os.path.realpath(path)
        status = os.stat(real)  # noqa: PTH116 - one stat of a path that is already a string
        return cls(real, status.st_size, status.st_mtime_ns)

    @property
    def name(self) -> str:
        """The file's name without its folder, for messages."""
        return os.path.basename(self.path)  # noqa: PTH119

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when the file does (BLAKE2b of path, size and time)."""
        text = f"{self.path}\0{self.size}\0{self.mtime_ns}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

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
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            os.close(descriptor)
            raise CubeChanged(f"{self.name} has changed since it was opened; open it again")
        return descriptor
