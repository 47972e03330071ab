"""Upkeep: what goes when the store is full, what stays, and that many may do it at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.pyramid.store.ledgers import DEEP, built, piece, pieces_of, pyramid_at
from visiomatic_dask.errors import PyramidGone, UnwritableStore
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.inventory import StoredPyramid, pyramids
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.local_folder import LocalFolder
from visiomatic_dask.pyramid.store.lock import StoreLock
from visiomatic_dask.pyramid.store.shards import PyramidPlan
from visiomatic_dask.pyramid.store.upkeep import make_room, remove_leftovers, touch

SIZE = 100_000


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path)
        return
    yield f"memory://{tmp_path.name}"
    fs = fsspec.filesystem("memory")
    if fs.exists(f"/{tmp_path.name}"):
        fs.rm(f"/{tmp_path.name}", recursive=True)


def add(store: str, number: int, cube: str = "m31.fits", fingerprint: str = "new", **description: Any) -> str:
    """A pyramid of some size; returns its address."""
    address = f"{store}/m31-flux-{number:016x}.zarr"
    folder = StoreFolder.of(address)
    folder.make()
    about = {"cube": cube, "layer": "flux", "fingerprint": fingerprint, "plan": asdict(DEEP)} | description
    folder.write("zarr.json", json.dumps({"attributes": {"visiomatic": about}}).encode())
    StoreFolder.of(f"{address}/1/data/c").make()
    StoreFolder.of(f"{address}/1/data/c").write("0", b"x" * SIZE)
    return address


def used(address: str, hours_ago: float) -> None:
    """Make a local pyramid look as if it had been used last some time ago."""
    then = time.time() - 3600 * hours_ago
    for path in Path(address).iterdir():
        os.utime(path, (then, then))


def names(store: str) -> list[str]:
    return [name for name in StoreFolder.of(store).names() if name.endswith(".zarr")]


def name(address: str) -> str:
    return address.rpartition("/")[2]


def test_no_store(tmp_path: Path) -> None:
    assert pyramids(str(tmp_path / "none")) == []
    assert make_room(str(tmp_path / "none"), 0) == []


def test_listed(store: str) -> None:
    address = add(store, 1)
    (one,) = pyramids(store)
    assert (one.address, one.cube, one.layer, one.fingerprint) == (address, "m31.fits", "flux", "new")
    assert SIZE < one.size < SIZE + 2000
    assert (one.share, one.is_claimed) == (0.0, False)
    assert abs(one.used - time.time()) < 5
    ledger = Ledger(pyramid_at(address), lambda *_: None)
    every = [one for grid in DEEP.levels for one in pieces_of(DEEP, grid.level)]
    ledger.claim(every, "one")
    assert pyramids(store)[0].is_claimed
    ledger.commit("one", [built(one) for one in every[:1]])
    assert pyramids(store)[0].share == 0.4
    ledger.commit("one", [built(one) for one in every[1:]])
    assert (pyramids(store)[0].share, pyramids(store)[0].is_claimed) == (1.0, False)


def test_large_ones_are_as_large_as_the_ledger_says(tmp_path: Path) -> None:
    plan = PyramidPlan(30_000, 20_000, 20, 1, 256)
    address = add(str(tmp_path), 1, plan=asdict(plan))
    ledger = Ledger(pyramid_at(address, plan), lambda *_: None)
    every = pieces_of(plan, 1)
    ledger.claim(every, "one")
    ledger.commit("one", [built(one, 10**9) for one in every])
    assert pyramids(str(tmp_path))[0].size == len(every) * 10**9


def test_what_is_not_ours_is_not_listed_nor_touched(tmp_path: Path) -> None:
    (tmp_path / "theirs.zarr").mkdir()
    (tmp_path / "theirs.zarr" / "zarr.json").write_text('{"attributes": {}}')
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "m31-flux-0123456789abcdef.zarr").mkdir()  # it would be ours, if it had a root
    (tmp_path / "m31-flux-0123456789abcdef.zarr" / "zarr.json").write_text("{")
    (tmp_path / ".hidden").write_text("")
    for path in [*tmp_path.iterdir(), *tmp_path.glob("*/*")]:
        os.utime(path, (0, 0))
    before = sorted(tmp_path.rglob("*"))
    assert pyramids(str(tmp_path)) == []
    assert make_room(str(tmp_path), 0) == []
    assert sorted(tmp_path.rglob("*")) == before


def test_least_recently_used_first(tmp_path: Path) -> None:
    store = str(tmp_path)
    addresses = [add(store, number, cube=f"{number}.fits") for number in range(5)]
    for address, hours in zip(addresses, (3, 9, 5, 7, 1), strict=True):
        used(address, hours)
    touch(addresses[1])
    assert make_room(store, 10 * SIZE) == []
    assert make_room(store, int(3.5 * SIZE)) == [addresses[3], addresses[2]]
    assert make_room(store, int(2.5 * SIZE), keep={addresses[0]}) == [addresses[4]]
    assert names(store) == [name(addresses[0]), name(addresses[1])]


def test_old_versions_go_first(tmp_path: Path) -> None:
    store = str(tmp_path)
    older, old, current, coarse, other = (add(store, number) for number in range(5))
    add(store, 0, fingerprint="older")
    add(store, 1, fingerprint="old")
    add(store, 4, cube="m33.fits")
    for address, hours in ((older, 3), (old, 2), (current, 1), (coarse, 50), (other, 100)):
        used(address, hours)
    assert make_room(store, int(2.5 * SIZE)) == [older, old, other]
    assert make_room(store, 0) == [coarse, current]


def test_what_is_being_built_stays(store: str) -> None:
    address = add(store, 1)
    now = [time.time()]
    ledger = Ledger(pyramid_at(address), clock=lambda: now[0])
    ledger.claim([piece(DEEP)], "one")
    assert make_room(store, 0) == []
    now[0] -= 60
    ledger.renew("one")  # expired
    assert make_room(store, 0) == [address]
    assert names(store) == []
    time.sleep(1.05)
    for ask in (ledger.look, lambda: ledger.commit("one", []), lambda: touch(address)):
        with pytest.raises(PyramidGone):
            ask()
    assert names(store) == []


def test_what_is_busy_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiomatic_dask.pyramid.store.upkeep._PATIENCE", 0.1)
    address = add(str(tmp_path), 1)
    with StoreLock(StoreFolder.of(address), "ledger.lock").held():
        assert make_room(str(tmp_path), 0) == []
    assert make_room(str(tmp_path), 0) == [address]


def test_what_was_used_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = add(str(tmp_path), 1)
    used(address, 5)
    found = pyramids(str(tmp_path))

    def look(_: str) -> list[StoredPyramid]:
        touch(address)
        return found

    monkeypatch.setattr("visiomatic_dask.pyramid.store.upkeep.pyramids", look)
    assert make_room(str(tmp_path), 0) == []
    assert names(str(tmp_path)) == [name(address)]


def test_of_a_ledger_that_is_not_understood(tmp_path: Path) -> None:
    """It may be that of another version: that it was written to just now says that somebody builds there."""
    address = add(str(tmp_path), 1)
    path = Path(address, "ledger.json")
    path.write_text('{"visiomatic-ledger": 99}')
    assert make_room(str(tmp_path), 0) == []
    used(address, 0.1)
    assert make_room(str(tmp_path), 0) == [address]


def test_used_at_most_once_an_hour(tmp_path: Path) -> None:
    address = add(str(tmp_path), 1)
    touch(address)
    stamp = Path(address, "used").stat().st_mtime_ns
    touch(address)
    assert Path(address, "used").stat().st_mtime_ns == stamp
    used(address, 1.1)
    touch(address)
    assert time.time() - Path(address, "used").stat().st_mtime < 5
    with pytest.raises(PyramidGone):
        touch(f"{tmp_path}/none.zarr")


def test_leftovers(tmp_path: Path) -> None:
    store, stem = str(tmp_path), "m31-flux-0123456789abcdef.zarr"
    address = add(store, 1)
    gone, draft, young = f".gone-12345678-{stem}", f".{stem}.0123456789abcdef", f".{stem}.fedcba9876543210"
    for folder in (gone, draft, young, stem):
        (tmp_path / folder / "1").mkdir(parents=True)
    temporary = Path(address, ".ledger.json.0123456789abcdef")
    temporary.write_text("")
    assert remove_leftovers(store) == [f"{store}/{gone}"]
    then = time.time() - 4000
    for path in (tmp_path / draft, tmp_path / stem, temporary):
        os.utime(path, (then, then))
    assert remove_leftovers(store) == [f"{store}/{draft}", f"{store}/{stem}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([young, name(address)])
    assert sorted(path.name for path in Path(address).iterdir()) == ["1", "zarr.json"]


def test_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be removed is; that it was not enough is said."""
    store = str(tmp_path)
    first, second = add(store, 1, cube="a"), add(store, 2, cube="b")
    used(first, 5)
    remove = LocalFolder.remove_tree

    def refuse(self: LocalFolder, path: str) -> bool:
        if path == name(first):
            raise UnwritableStore("not yours")
        return remove(self, path)

    monkeypatch.setattr(LocalFolder, "remove_tree", refuse)
    assert make_room(store, int(1.5 * SIZE)) == [second]
    with pytest.raises(UnwritableStore, match="not yours"):
        make_room(store, 0)


def test_by_many_at_once(store: str) -> None:
    """No more goes than has to, while others build and read."""
    addresses = [add(store, number, cube=f"{number}.fits") for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        removed = list(pool.map(lambda _: make_room(store, int(3.5 * SIZE)), range(4)))
    every = [address for some in removed for address in some]
    assert len(every) == len(set(every)) == 5
    assert set(names(store)) == {name(address) for address in addresses if address not in every}
