"""Ledgers, and upkeep, where the store is a bucket: there is no renaming, and looking is a request."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.pyramid.store.ledgers import DEEP, built, piece, pieces_of, pyramid_at
from tests.s3 import s3_bucket
from visiomatic_dask.errors import PyramidGone
from visiomatic_dask.pyramid.store.inventory import pyramids
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.upkeep import make_room, touch


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    with s3_bucket("pyramids") as fs:
        yield fs


@pytest.fixture
def address(bucket: Any, tmp_path: Path) -> str:
    path = f"pyramids/{tmp_path.name}/m31-flux-0123456789abcdef.zarr"
    about = {"cube": "m31.fits", "layer": "flux", "fingerprint": "f", "plan": asdict(DEEP)}
    bucket.pipe_file(f"{path}/zarr.json", json.dumps({"attributes": {"visiomatic": about}}).encode())
    return f"s3://{path}"


def test_shared(address: str) -> None:
    """Several claim the same at the same time: each piece is granted once."""
    every = pieces_of(DEEP, 1) + pieces_of(DEEP, 2)

    def build(number: int) -> list[Piece]:
        ledger, owner = Ledger(pyramid_at(address), lambda *_: None), f"owner {number}"
        granted = ledger.claim(every[number:] + every[:number], owner).granted
        for one in granted:
            ledger.commit(owner, [built(one)])
        return list(granted)

    with ThreadPoolExecutor(3) as pool:
        found = [one for some in pool.map(build, range(3)) for one in some]
    assert sorted(found, key=str) == sorted(every, key=str)
    state = Ledger.of(pyramid_at(address)).look()
    assert all(state.complete(level, plane) for level in (1, 2) for plane in range(DEEP.count))


def test_found_by_others(address: str) -> None:
    ledger, other, one = Ledger(pyramid_at(address), lambda *_: None), Ledger.of(pyramid_at(address)), piece(DEEP)
    assert other.look().done_planes == 0
    ledger.claim([one], "one")
    with pytest.raises(Exception, match="nobody has claimed"):
        other.check_claim(Piece(one.shard, 0, 1))
    other.check_claim(one)
    ledger.commit("one", [built(one)])
    time.sleep(1.05)
    state = other.look()
    assert state.is_done(one.shard, one.planes)
    time.sleep(1.05)
    assert other.look() is state


def test_evicted(address: str, bucket: Any) -> None:
    store = address.rpartition("/")[0]
    ledger = Ledger(pyramid_at(address), lambda *_: None)
    ledger.claim([piece(DEEP)], "one")
    touch(address)
    assert [one.is_claimed for one in pyramids(store)] == [True]
    assert make_room(store, 0) == []
    ledger.release("one")
    assert make_room(store, 0) == [address]
    assert make_room(store, 0) == []
    for ask in (lambda: ledger.claim([piece(DEEP)], "one"), lambda: touch(address)):
        time.sleep(1.05)
        with pytest.raises(PyramidGone):
            ask()
    assert bucket.find(store, refresh=True) == []
