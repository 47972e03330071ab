"""Data in one file, described by another: a change of either makes another version of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visiomatic_dask.cube import SourceFile
from visiomatic_dask.cube.source import digest


@dataclass(frozen=True, slots=True)
class PairedFile:
    """A byte source with a companion.

    Attributes
    ----------
    data : SourceFile
        Where the bytes are.
    companion : SourceFile
        What says how they are meant.
    """

    data: SourceFile
    companion: SourceFile

    @property
    def name(self) -> str:
        """The data file's name."""
        return self.data.name

    @property
    def size(self) -> int:
        """Bytes of data."""
        return self.data.size

    @property
    def fingerprint(self) -> str:
        """BLAKE2b of both fingerprints."""
        return digest(f"{self.data.fingerprint}\0{self.companion.fingerprint}")

    def check(self) -> None:
        """See `visiomatic_dask.cube.Source.check`."""
        self.data.check()
        self.companion.check()

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        """See `visiomatic_dask.cube.ByteSource.read_ranges`."""
        self.companion.check()
        self.data.read_ranges(offsets, sizes, out)
