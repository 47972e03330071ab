"""How a ledger is written: compact JSON, numbers in rows, ranges instead of lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import StoreError
from visiomatic_dask.pyramid.store.buildable import BuildPlan
from visiomatic_dask.pyramid.store.ledger_state import Claim, LedgerState, ShardRecord, Takeover
from visiomatic_dask.pyramid.store.plane_ranges import PlaneRanges
from visiomatic_dask.pyramid.store.shards import Shard

_VERSION = 1


def encode(state: LedgerState) -> bytes:
    """Write a state down."""
    rows = {
        "visiomatic-ledger": _VERSION,
        "cut": _cut_of(state.plan),
        "shards": [[*shard, record.size, *_ends(record.done)] for shard, record in state.shards.items()],
        "claims": [[*shard, *claim] for shard, claim in state.claims.items()],
        "takeovers": [
            [*shard, one.owner, one.time, *_ends(one.done)] for shard, some in state.takeovers.items() for one in some
        ],
        "parts": [[*where, text] for where, text in state.parts.items()],
        "described": [[level, *_ends(planes)] for level, planes in state.described.items()],
    }
    return json.dumps(rows, separators=(",", ":")).encode()


def decode(data: bytes, plan: BuildPlan) -> LedgerState:
    """Read what `encode` has written.

    Raises
    ------
    ValueError
        If it is something else.
    StoreError
        If another version wrote it, or the pyramid was cut in another way.
    """
    found = json.loads(data)
    if not isinstance(found, dict) or not isinstance(found.get("visiomatic-ledger"), int):
        raise ValueError("not a ledger")  # noqa: TRY004 - the type of what it holds, not of an argument
    if found["visiomatic-ledger"] != _VERSION or found.get("cut") != _cut_of(plan):
        raise StoreError("a pyramid of the store was built by another version of visiomatic-dask; use another store")
    try:
        return _state(found, plan)
    except (KeyError, TypeError) as error:
        raise ValueError("not a ledger") from error


def _state(found: Mapping[str, Any], plan: BuildPlan) -> LedgerState:
    takeovers: dict[Shard, tuple[Takeover, ...]] = {}
    for level, block, row, column, owner, time, *done in found["takeovers"]:
        shard = Shard(level, block, row, column)
        takeovers[shard] = (*takeovers.get(shard, ()), Takeover(owner, time, _ranges(done)))
    known: dict[tuple[int, ...], PlaneRanges] = {}  # most shards have the same planes as others
    shards: dict[Shard, ShardRecord] = {}
    for level, block, row, column, size, *done in found["shards"]:
        key = tuple(done)
        if key not in known:
            known[key] = _ranges(done)
        shards[Shard(level, block, row, column)] = ShardRecord(known[key], size)
    return LedgerState(
        plan,
        shards,
        {Shard(*row[:4]): Claim(*row[4:]) for row in found["claims"]},
        takeovers,
        {(level, plane): str(text) for level, plane, text in found["parts"]},
        {level: _ranges(planes) for level, *planes in found["described"]},
    )


def _cut_of(plan: BuildPlan) -> str:
    """Return a digest of how a pyramid is cut: shards mean nothing to one that is cut differently."""
    return digest(repr((plan, plan.levels)))


def _ends(planes: PlaneRanges) -> Iterable[int]:
    return (end for pair in planes.pairs for end in pair)


def _ranges(ends: list[int]) -> PlaneRanges:
    return PlaneRanges.of(zip(ends[::2], ends[1::2], strict=True))
