"""What a compressed file holds, as a source of bytes: they lie in the cache, but belong to the compressed file."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from visiomatic_dask.cube import SourceFile
from visiomatic_dask.errors import CubeChanged, NotUnpacked, UnreadableCube


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """One version of a compressed file, unpacked: a `visiomatic_dask.cube.ByteSource`.

    It has the name and the fingerprint of the compressed file, whose replacement it notices at every read. Once it is
    evicted from the cache it says so, rather than to unpack anew: a tile must not take minutes. Opening the cube
    again unpacks it, under the same path, with the same size and time, so that this description holds again.

    Attributes
    ----------
    packed : SourceFile
        The compressed file.
    content : SourceFile
        The unpacked one, in the cache.
    """

    packed: SourceFile
    content: SourceFile

    @property
    def name(self) -> str:
        """Name of the compressed file."""
        return self.packed.name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the compressed file."""
        return self.packed.fingerprint

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return self.content.size

    def check(self) -> None:
        """See `visiomatic_dask.cube.Source.check`; `NotUnpacked` if it is no longer in the cache."""
        self.packed.check()
        try:
            self.content.check()
        except CubeChanged as error:
            raise self._evicted() from error
        self.note_use()

    def note_use(self) -> None:
        """Have it stay in the cache, as others were used less recently."""
        with contextlib.suppress(OSError):  # another user's file, or gone in this moment: reading it tells
            os.utime(self.content.path, ns=(time.time_ns(), self.content.mtime_ns))

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        """See `visiomatic_dask.cube.ByteSource.read_ranges`; `NotUnpacked` if it is no longer in the cache."""
        self.packed.check()
        try:
            self.content.read_ranges(offsets, sizes, out)
        except CubeChanged as error:
            raise self._evicted() from error
        except UnreadableCube as error:
            raise UnreadableCube(f"{self.name} cannot be read from the cache: {error.message}") from error

    def _evicted(self) -> NotUnpacked:
        return NotUnpacked(f"{self.name} is no longer unpacked in the cache; open it again")
