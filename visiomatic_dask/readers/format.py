"""What a format is: the contract between the registry and everything that can open files."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from visiomatic_dask.cube import Cube
from visiomatic_dask.readers.place import Place


@runtime_checkable
class Format(Protocol):
    """One format: tells its own by content, and opens it as a cube.

    A package of someone else's adds one by an entry point in the group ``visiomatic_dask.formats`` that names an
    object with these members, or a class that makes one without arguments.
    """

    @property
    def name(self) -> str:
        """Short name: FITS, Zarr."""
        ...

    @property
    def description(self) -> str:
        """What of the format can be opened, in one line for people."""
        ...

    def matches(self, place: Place) -> bool:
        """Whether what lies there is of this format, from its first bytes or the names in it; the pixels do not matter.

        It may be called for every file in a folder of thousands, so it must be quick, and must not raise.
        """
        ...

    def open(self, place: Place, name: str) -> Cube:
        """Open what lies there as a cube called `name`, reading nothing of its pixels.

        Raises
        ------
        UnsupportedFormat
            If it is of this format, but nothing that could be shown; the message says what it is.
        UnreadableCube
            If it is damaged.
        OSError
            If it cannot be read.
        """
        ...
