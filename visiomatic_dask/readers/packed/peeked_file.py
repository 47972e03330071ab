"""The beginning of a compressed file, as a source of bytes: for headers, where unpacking all of it is not worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from visiomatic_dask.cube import SourceFile

_ENDLESS = 2**62


@dataclass(frozen=True)
class PeekedFile:
    """What a compressed file holds, as far as it was unpacked; zeros after that, for nobody knows how long it is.

    Attributes
    ----------
    packed : SourceFile
        The compressed file.
    beginning : bytes
        The first bytes of what it holds.
    """

    packed: SourceFile
    beginning: bytes = field(repr=False)
    size = _ENDLESS

    @property
    def name(self) -> str:
        """Name of the compressed file."""
        return self.packed.name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the compressed file."""
        return self.packed.fingerprint

    def check(self) -> None:
        """See `visiomatic_dask.cube.Source.check`."""
        self.packed.check()

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        """See `visiomatic_dask.cube.ByteSource.read_ranges`."""
        done = 0
        for offset, size in zip(offsets, sizes, strict=True):
            out[done : done + size] = self.beginning[offset : offset + size].ljust(size, b"\0")
            done += size
