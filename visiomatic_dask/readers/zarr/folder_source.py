"""Several files of one folder that together say which version of a dataset it is: the metadata of a Zarr hierarchy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import CubeChanged, UnreadableCube

Stamp = tuple[int, int]
"""Size in bytes, and time of the last change in nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """One version of a folder, told by some of what lies in it.

    Attributes
    ----------
    folder : str
        Absolute path, the same on every worker; of a zip file, where that is the folder.
    members : tuple of (str, int, int)
        Path below the folder (an empty string: itself), size and time of all that has to be as it was. A folder's
        time changes when a file appears in it, vanishes, or is renamed into place; not when one is written to.
    """

    folder: str
    members: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, folder: str | os.PathLike[str], stamps: Iterable[tuple[str, Stamp]]) -> FolderSource:
        """Put together what was seen of a folder."""
        return cls(os.path.realpath(folder), tuple(sorted((path, *stamp) for path, stamp in stamps)))

    @property
    def name(self) -> str:
        """The folder's name."""
        return os.path.basename(self.folder)  # noqa: PTH119

    @property
    def fingerprint(self) -> str:
        """BLAKE2b of the folder's path and of all members."""
        return digest(f"{self.folder}\0{self.members}")

    def check(self) -> None:
        """See `visiomatic_dask.cube.Source.check`: two system calls a member."""
        changed = False
        for path, *stamp in self.members:
            where = f"{self.folder}/{path}" if path else self.folder
            try:
                now = stamp_of(os.stat(where))  # noqa: PTH116 - of a string, and often
            except (FileNotFoundError, NotADirectoryError) as error:
                raise CubeChanged(f"{self.name}: {path or 'it'} is no longer there") from error
            except OSError as error:
                raise UnreadableCube(f"{self.name} cannot be read: {error.strerror}") from error
            if not os.access(where, os.R_OK):  # what is in memory is not shown either to whoever may not read it
                raise UnreadableCube(f"{self.name} cannot be read: {path or 'it'} is not ours to read any more")
            changed = changed or now != tuple(stamp)
        if changed:
            raise CubeChanged(f"{self.name} has changed since it was opened; open it again")


def stamp_of(status: os.stat_result) -> Stamp:
    """Size and time of a file."""
    return status.st_size, status.st_mtime_ns
