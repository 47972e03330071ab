"""What a ledger says: which planes of which shards are done, and who is building what. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from visiomatic_dask.pyramid.store.buildable import BuildPlan
from visiomatic_dask.pyramid.store.plane_ranges import PlaneRanges, Range
from visiomatic_dask.pyramid.store.shards import Shard


class ShardRecord(NamedTuple):
    """What is there of a shard: its planes, and the bytes of its files."""

    done: PlaneRanges
    size: int


class Claim(NamedTuple):
    """Who builds a shard: which of its planes, and until when nobody else may (seconds since 1970)."""

    owner: str
    first: int
    last: int
    expires: float

    @property
    def planes(self) -> Range:
        """First plane and one past the last."""
        return self.first, self.last


class Takeover(NamedTuple):
    """That an owner lost its claim to another, when (seconds since 1970), and what was done of the shard by then."""

    owner: str
    time: float
    done: PlaneRanges


@dataclass(frozen=True, eq=False)
class LedgerState:
    """A snapshot of a ledger.

    Attributes
    ----------
    plan : BuildPlan
        Of the pyramid.
    shards : mapping
        What there is anything of.
    claims : mapping
        Who builds which shard, expired claims included.
    takeovers : mapping
        Who lost a claim on which shard.
    parts : mapping
        Statistics of planes that are under way, by level and plane, encoded; see `PlaneParts`.
    described : mapping
        Planes whose statistics are written, by level, from 0.
    """

    plan: BuildPlan
    shards: Mapping[Shard, ShardRecord] = field(default_factory=dict)
    claims: Mapping[Shard, Claim] = field(default_factory=dict)
    takeovers: Mapping[Shard, tuple[Takeover, ...]] = field(default_factory=dict)
    parts: Mapping[tuple[int, int], str] = field(default_factory=dict)
    described: Mapping[int, PlaneRanges] = field(default_factory=dict)

    def done(self, shard: Shard) -> PlaneRanges:
        """Return the planes of a shard that are there."""
        record = self.shards.get(shard)
        return record.done if record else PlaneRanges()

    def is_done(self, shard: Shard, planes: Range) -> bool:
        """Whether some planes of a shard, first and one past the last, are all there."""
        record = self.shards.get(shard)
        return record is not None and record.done.covers(planes)

    def missing(self, shard: Shard) -> PlaneRanges:
        """Return the planes of a shard that are not there."""
        return self.done(shard).missing(self.plan.planes(shard))

    def complete(self, level: int, plane: int) -> bool:
        """Whether all shards of a plane at a level, from 1, are there."""
        return all(self.is_done(shard, (plane, plane + 1)) for shard in self.plan.shards(level, (plane, plane + 1)))

    def is_described(self, level: int, plane: int) -> bool:
        """Whether the statistics of a plane at a level, from 0, are written."""
        return plane in self.described.get(level, PlaneRanges())

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing of any shard."""
        return self.done_planes == sum(self.plan.count * grid.down * grid.across for grid in self.plan.levels)

    @cached_property
    def done_planes(self) -> int:
        """Planes of shards that are there, over all levels."""
        return sum(len(record.done) for record in self.shards.values())

    @cached_property
    def bytes(self) -> int:
        """Bytes of the files of all shards."""
        return sum(record.size for record in self.shards.values())

    @cached_property
    def files(self) -> int:
        """How many shards have a file; those without one finite pixel have none."""
        return sum(1 for record in self.shards.values() if record.size)

    @cached_property
    def source_pixels(self) -> int:
        """Pixels of full resolution behind what is there of level 1, of ``width * height * count`` of the plan."""
        return sum(
            len(record.done) * _area(self.plan, shard) for shard, record in self.shards.items() if shard.level == 1
        )

    def is_claimed(self, now: float) -> bool:
        """Whether anybody is building anything of it."""
        return any(claim.expires > now for claim in self.claims.values())


def _area(plan: BuildPlan, shard: Shard) -> int:
    grid = plan.grid(1)
    rows = min(2 * grid.rows, plan.height - 2 * grid.rows * shard.row)
    return rows * min(2 * grid.columns, plan.width - 2 * grid.columns * shard.column)
