"""A pyramid: what every part of the store has to know of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.pyramid.store.statistics import Bins, RegionStatistics


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Pyramid:
    """One pyramid, of one layer of one version of a cube. Frozen and picklable: it travels to workers.

    Attributes
    ----------
    address : str
        Absolute path, or URL, of its root group: the same on every worker.
    token : str
        The reader's, which tells the layer and the version it was made from.
    fingerprint : str
        The reader's.
    plan : PyramidPlan
        How it is cut.
    bins : Bins
        Of its histograms.
    mantissa : int
        Bits of the mantissa that are kept; 23 for all of float32.
    """

    address: str
    token: str
    fingerprint: str
    plan: PyramidPlan
    bins: Bins
    mantissa: int = 23

    def build(self, reader: Reader, piece: Piece, before_writing: Callable[[], None] = nothing) -> BuiltPiece:
        """Build a piece; see `visiomatic_dask.pyramid.store.build.build_piece`."""
        from visiomatic_dask.pyramid.store.build import build_piece

        return build_piece(self, reader, piece, before_writing)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some planes of a shard that follow one another: what one task builds.

    Attributes
    ----------
    shard : Shard
        Of which shard; its planes are those that it has room for, or some of them.
    first, last : int
        First plane and one past the last.
    """

    shard: Shard
    first: int
    last: int

    @property
    def planes(self) -> tuple[int, int]:
        """First plane and one past the last."""
        return self.first, self.last


@dataclass(frozen=True, slots=True)
class BuiltPiece:
    """What is known of a piece once its bytes are safely in the store.

    Attributes
    ----------
    piece : Piece
        Which.
    read : int
        Bytes read of the source; 0 above level 1.
    written : int
        Bytes of the shard's files now.
    statistics : tuple of RegionStatistics
        Of every plane at the level of the piece, and for level 1 also at level 0.
    """

    piece: Piece
    read: int
    written: int
    statistics: tuple[RegionStatistics, ...]
