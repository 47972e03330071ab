"""The lock between processes: one at a time, and whoever dies with it does not keep it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visiomatic_dask.errors import StoreError
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.lock import LockLost, StoreLock, _Watched

HOLD = """
import sys, time
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.lock import StoreLock
with StoreLock(StoreFolder.of(sys.argv[1]), sys.argv[2]).held():
    print("held", flush=True)
    time.sleep(60)
"""


def lock_in(folder: Path, stale: float = 20.0, patience: float = 10.0) -> StoreLock:
    return StoreLock(StoreFolder.of(str(folder)), "lock", stale, patience)


def dead_mark(folder: Path, name: str = "lock") -> bytes:
    """What a process leaves that is killed while it holds a lock."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), name], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
        holder.wait()
    return (folder / name).read_bytes()


def test_one_at_a_time(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count(_: int) -> None:
        with lock_in(tmp_path).held() as hold:
            number = int(counter.read_text())
            time.sleep(0.001)
            hold.check()
            counter.write_text(str(number + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(100)))
    assert counter.read_text() == "100"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["counter"]


def test_freed_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_in(tmp_path).held():
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_killed_holder(tmp_path: Path) -> None:
    """It is broken at once by those on the same host: by one of eight, and then each has it in turn."""
    dead_mark(tmp_path)
    inside = 0

    def take(_: int) -> None:
        nonlocal inside
        with lock_in(tmp_path).held() as hold:
            inside += 1
            assert inside == 1
            time.sleep(0.002)
            hold.check()
            inside -= 1

    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(8)))
    assert time.monotonic() - begin < 5
    assert list(tmp_path.iterdir()) == []


def test_who_comes_late_to_break_it_leaves_it_to_its_next_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for a moment is it taken away, in which others would find it free."""
    lock, dead = lock_in(tmp_path), dead_mark(tmp_path)
    with lock.held() as hold:
        taken: list[str] = []
        delete_if = type(lock.folder).delete_if

        def noted(folder: StoreFolder, path: str, data: bytes) -> bool:
            taken.append(path)
            return delete_if(folder, path, data)

        monkeypatch.setattr(type(lock.folder), "delete_if", noted)
        lock._break(dead, b"late", _Watched(20.0))
        hold.check()
    assert taken == ["lock.break"]


def test_killed_breaker(tmp_path: Path) -> None:
    mark = dead_mark(tmp_path)
    (tmp_path / "lock.break").write_bytes(mark)
    with lock_in(tmp_path).held() as hold:
        hold.check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"here": "another kernel"}, {"here": ""}, {"pid": None}])
def test_holder_elsewhere(tmp_path: Path, change: dict[str, str]) -> None:
    """Whether a process runs on another host is not known: its lock is broken when it has not changed for long."""
    mark = json.loads(dead_mark(tmp_path)) | change
    (tmp_path / "lock").write_text(json.dumps(mark))
    with pytest.raises(StoreError, match="has been busy for 0 s; try again"), lock_in(tmp_path, 5.0, 0.3).held():
        pass
    begin = time.monotonic()
    with lock_in(tmp_path, 0.4).held():
        assert time.monotonic() - begin > 0.4


def test_empty_or_foreign(tmp_path: Path) -> None:
    for content in (b"", b"[]", b"\xff"):
        (tmp_path / "lock").write_bytes(content)
        with lock_in(tmp_path, 0.1).held():
            pass


def test_another_process_has_the_number(tmp_path: Path) -> None:
    """A process of the same number that was started later is not the holder."""
    mark = json.loads(dead_mark(tmp_path))
    (tmp_path / "lock").write_text(json.dumps(mark | {"pid": os.getpid()}))
    with lock_in(tmp_path, patience=2.0).held():
        pass


def test_living_holder_keeps_it(tmp_path: Path) -> None:
    with (
        lock_in(tmp_path).held() as hold,
        pytest.raises(StoreError, match=f"{tmp_path.name}, in the store, has been busy"),
        lock_in(tmp_path, patience=0.2).held(),
    ):
        pass
    assert not hold.lock.folder.names()


def test_slow_holder_loses_it(tmp_path: Path) -> None:
    """One that was stopped for longer than locks last may write nothing, and does not free that of the next."""
    with lock_in(tmp_path, 0.2).held() as slow:
        slow.check()
        with lock_in(tmp_path, 0.2).held() as next_one:
            with pytest.raises(LockLost):
                slow.check()
            next_one.check()
            (tmp_path / "copy").write_bytes((tmp_path / "lock").read_bytes())
    assert (tmp_path / "copy").read_bytes() == next_one.mark


def test_late_holder(tmp_path: Path) -> None:
    """Long before it may be broken, it is not relied on any more."""
    with lock_in(tmp_path, 0.2).held() as hold:
        time.sleep(0.11)
        with pytest.raises(LockLost):
            hold.check()
