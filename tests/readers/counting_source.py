"""A source that counts what is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from visiomatic_dask.cube import ByteSource


@dataclass(frozen=True)
class CountingSource:
    """A source that keeps what it was asked for: a list of ranges for each call."""

    inner: ByteSource
    calls: list[list[tuple[int, int]]] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def bytes_read(self) -> int:
        return sum(size for call in self.calls for _, size in call)

    def check(self) -> None:
        self.inner.check()

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        self.calls.append(list(zip(offsets, sizes, strict=True)))
        self.inner.read_ranges(offsets, sizes, out)


@dataclass(frozen=True)
class CountedPlace:
    """A place whose file is read through a `CountingSource`: what `visiomatic_dask.readers.Place` is to a format."""

    source: CountingSource
    name: str

    def byte_source(self) -> ByteSource:
        return self.source
