"""What is built piece by piece in the store, pyramids and spectral copies: what ledgers and builders know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, nothing
from visiomatic_dask.pyramid.store.shards import LevelGrid, Shard
from visiomatic_dask.pyramid.tiles import Box


class BuildPlan(Protocol):
    """How something is cut into shards; see `PyramidPlan`."""

    @property
    def width(self) -> int:
        """Pixels of a plane at full resolution, along x."""
        ...

    @property
    def height(self) -> int:
        """Along y."""
        ...

    @property
    def count(self) -> int:
        """Number of planes."""
        ...

    @property
    def levels(self) -> Sequence[LevelGrid]:
        """What there is to build, from below."""
        ...

    def grid(self, level: int) -> LevelGrid:
        """Return a level."""
        ...

    def planes(self, shard: Shard) -> tuple[int, int]:
        """First plane, and one past the last, that a shard has room for."""
        ...

    def box(self, shard: Shard) -> Box:
        """Rectangle of a shard at its level."""
        ...

    def below(self, shard: Shard, planes: tuple[int, int]) -> list[Shard]:
        """Shards that some planes of a shard are made from; none where that is the source."""
        ...

    def common(self, shard: Shard, planes: tuple[int, int]) -> tuple[int, int]:
        """Those planes of a shard that are built for the sake of some."""
        ...

    def shards(self, level: int, planes: tuple[int, int] | None = None) -> Iterator[Shard]:
        """All shards of a level, of some planes or of all."""
        ...


class Buildable(Protocol):
    """Something in the store that is built piece by piece. Frozen and picklable; its `repr` says all that it is."""

    @property
    def address(self) -> str:
        """Absolute path, or URL, of its root group."""
        ...

    @property
    def token(self) -> str:
        """The token of the reader that it is made from."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of that reader."""
        ...

    @property
    def plan(self) -> BuildPlan:
        """How it is cut."""
        ...

    def build(self, reader: Reader, piece: Piece, before_writing: Callable[[], None] = nothing) -> BuiltPiece:
        """Build a piece and write it, whatever that takes; in a task on a worker.

        Parameters
        ----------
        reader : Reader
            Of the layer.
        piece : Piece
            Which piece.
        before_writing : callable
            Called when all but that has been done; what it raises keeps the piece from being written.
        """
        ...
