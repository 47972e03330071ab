"""Pyramids without pixels, and what is built of them: for tests of the ledger."""

from __future__ import annotations

import random
from pathlib import Path

from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, Pyramid
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.pyramid.store.statistics import Bins, RegionStatistics

DEEP = PyramidPlan(3000, 2000, 40, 1, 256, 8)
"""One shard a plane at all levels, eight planes a shard at least."""
WIDE = PyramidPlan(30_000, 20_000, 3, 1, 256)
"""Several shards a plane at level 1, one plane a shard."""


def pyramid_at(address: str | Path, plan: PyramidPlan = DEEP) -> Pyramid:
    """A pyramid; nothing is made."""
    return Pyramid(str(address), "token", "fingerprint", plan, Bins())


def pyramid_in(folder: Path, plan: PyramidPlan = DEEP) -> Pyramid:
    """A pyramid whose root is there, empty."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zarr.json").write_text("{}")
    return pyramid_at(folder, plan)


def piece(plan: PyramidPlan, level: int = 1, block: int = 0, row: int = 0, column: int = 0) -> Piece:
    """All planes of a shard."""
    shard = Shard(level, block, row, column)
    return Piece(shard, *plan.planes(shard))


def pieces_of(plan: PyramidPlan, level: int) -> list[Piece]:
    """All pieces of a level."""
    return [Piece(shard, *plan.planes(shard)) for shard in plan.shards(level)]


def statistics_of(level: int, plane: int, part: object) -> RegionStatistics:
    """Statistics of a part of a plane: always the same of the same part."""
    rng = random.Random(f"{level} {plane} {part}")
    counts = tuple(rng.choice([0, 0, 0, rng.randrange(1000)]) for _ in range(32))
    mean = rng.gauss(0, 10)
    low, high = mean - abs(rng.gauss(0, 3)), mean + abs(rng.gauss(0, 3))
    return RegionStatistics(level, plane, sum(counts) + 5, sum(counts), low, high, mean, abs(rng.gauss(5, 9)), counts)


def built(one: Piece, written: int = 1000) -> BuiltPiece:
    """What a task would say once it has built a piece."""
    levels = (0, 1) if one.shard.level == 1 else (one.shard.level,)
    statistics = (statistics_of(level, plane, one.shard) for level in levels for plane in range(*one.planes))
    return BuiltPiece(one, 0, written, tuple(statistics))
