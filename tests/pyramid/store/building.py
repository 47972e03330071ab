"""A process that builds a pyramid with others, and may be killed at any moment: its shards are lists of planes."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

from tests.pyramid.store.ledgers import built, pyramid_at
from visiomatic_dask.errors import StoreError
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.pyramid import Piece, Pyramid
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.pyramid.store.statistics import RegionStatistics

PLAN = PyramidPlan(12_000, 9000, 40, 1, 256, 4)


def all_pieces() -> list[Piece]:
    """Pieces of two planes, two or more a shard."""
    shards = [shard for level in (1, 2) for shard in PLAN.shards(level)]
    return [Piece(one, first, first + 2) for one in shards for first in range(*PLAN.planes(one), 2)]


def file_of(shard: Shard) -> str:
    return "shard-" + "-".join(map(str, shard))


def write_statistics(pyramid: Pyramid, statistics: Sequence[RegionStatistics]) -> None:
    folder = StoreFolder.of(pyramid.address)
    for one in statistics:
        folder.write(f"statistics-{one.level}-{one.plane}", repr(one).encode())


def build(address: str, owner: str, seed: int, life: float, pause: float) -> None:
    """Build until nothing is missing; what is granted is written down in a log."""
    rng = random.Random(seed)
    ledger = Ledger(pyramid_at(address, PLAN), write_statistics, life=life)
    folder = StoreFolder.of(address)
    log = os.open(Path(address, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    rest = all_pieces()
    while rest:
        some = rng.sample(rest, min(3, len(rest)))
        answer = ledger.claim(some, owner)
        for piece in answer.granted:
            os.write(log, f"{owner} {piece}\n".encode())
        written = []
        for piece in answer.granted:
            there = set(json.loads(folder.read(file_of(piece.shard)) or b"[]"))
            time.sleep(pause * rng.random())
            try:
                ledger.check_claim(piece)
            except StoreError:
                continue
            folder.write(file_of(piece.shard), json.dumps(sorted(there | set(range(*piece.planes)))).encode())
            written.append(built(piece))
        state = ledger.commit(owner, written) if written else ledger.look()
        rest = [one for one in rest if not state.is_done(one.shard, one.planes)]
        if not answer.granted:
            time.sleep(0.01)
    os.close(log)
