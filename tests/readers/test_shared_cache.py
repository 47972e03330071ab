"""The shared cache: bounded, least recently used out first, one making for all who ask at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from visiomatic_dask.readers.shared_cache import SharedCache


def test_keeps_what_was_used_last_within_the_limit() -> None:
    gone: list[str] = []
    cache: SharedCache[str] = SharedCache(10, cost=len, dispose=gone.append)
    for key in "abc":
        assert cache.get(key, lambda key=key: key * 4) == key * 4  # type: ignore[misc]
    assert gone == ["aaaa"]
    assert cache.get("b", lambda: "made anew") == "bbbb"
    cache.get("d", lambda: "dddd")
    assert gone == ["aaaa", "cccc"]
    assert cache.get("large", lambda: "x" * 11) == "x" * 11  # handed out, not kept
    assert cache.get("large", lambda: "y" * 11) == "y" * 11
    cache.discard("b")
    cache.discard("nothing")
    cache.clear()
    assert gone == ["aaaa", "cccc", "bbbb", "dddd"]


def test_one_makes_it_for_all() -> None:
    cache: SharedCache[int] = SharedCache(10)
    made: list[int] = []
    started, go_on = threading.Event(), threading.Event()

    def make() -> int:
        made.append(1)
        started.set()
        go_on.wait(10)
        return 7

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(cache.get, "k", make)
        started.wait(10)
        others = [pool.submit(cache.get, "k", make) for _ in range(7)]
        go_on.set()
        assert [one.result(10) for one in (first, *others)] == [7] * 8
    assert made == [1]


def test_many_at_a_time_stay_within_the_limit() -> None:
    gone: list[int] = []
    cache: SharedCache[int] = SharedCache(20, cost=lambda _: 1, dispose=gone.append)
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    def ask(start: int) -> None:
        for i in range(300):
            key = (start + i) % 50
            assert cache.get(key, partial(make, key)) == key

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(0, 400, 50)))
    cache.clear()
    assert sorted(made) == sorted(gone)  # each once, none overwritten
    for key in range(20):
        cache.get(key, partial(make, key))
    assert len(gone) == len(made) - 20  # and room for as many as before


def test_a_failure_is_not_kept() -> None:
    cache: SharedCache[int] = SharedCache(10)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("k", fail)
    assert cache.get("k", lambda: 1) == 1


def test_several_are_made_in_one_go() -> None:
    cache: SharedCache[str] = SharedCache(10)
    asked: list[list[int]] = []

    def make(positions: list[int]) -> list[str]:
        asked.append(positions)
        return [f"made {position}" for position in positions]

    assert cache.get("b", lambda: "alone") == "alone"
    assert cache.get_all(["a", "b", "c"], make) == ["made 0", "alone", "made 2"]
    assert cache.get_all(["a", "b", "c"], make) == ["made 0", "alone", "made 2"]
    assert asked == [[0, 2]]


def test_what_another_makes_is_waited_for() -> None:
    cache: SharedCache[str] = SharedCache(10)
    begun, go_on = threading.Event(), threading.Event()

    def slowly(positions: list[int]) -> list[str]:
        begun.set()
        assert go_on.wait(30)
        return [f"first {position}" for position in positions]

    def quickly(positions: list[int]) -> list[str]:
        go_on.set()
        return [f"second {position}" for position in positions]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get_all, ["a", "b"], slowly)
        assert begun.wait(30)
        assert cache.get_all(["b", "c", "a"], quickly) == ["first 1", "second 1", "first 0"]
        assert first.result(30) == ["first 0", "first 1"]


def test_what_fails_is_made_again() -> None:
    cache: SharedCache[int] = SharedCache(10)

    def fail(positions: list[int]) -> list[int]:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        cache.get_all([1, 2], fail)
    assert cache.get_all([1, 2], lambda positions: positions) == [0, 1]


def test_least_recently_used_go_first() -> None:
    gone: list[int] = []
    cache: SharedCache[int] = SharedCache(10, cost=lambda value: value, dispose=gone.append)
    cache.get_all([4, 5], lambda positions: [4, 5])
    cache.get(4, lambda: 0)
    cache.get(3, lambda: 3)
    assert gone == [5]
    assert cache.get(11, lambda: 11) == 11  # too large to be kept
    assert gone == [5]
    assert cache.get(11, lambda: 12) == 12


def test_a_failure_is_of_who_asked_for_it() -> None:
    """Who waits for a part of what failed makes that part, which may be sound."""
    cache: SharedCache[int] = SharedCache(100)

    def ask(keys: Sequence[int], make: Callable[[Sequence[int]], list[int]]) -> list[int]:
        return cache.get_all(keys, lambda missing: make([keys[i] for i in missing]))

    begun, finish = threading.Event(), threading.Event()

    def broken(keys: Sequence[int]) -> list[int]:
        begun.set()
        assert finish.wait(10)
        raise ValueError(f"{keys[-1]} is broken")

    def sound(keys: Sequence[int]) -> list[int]:
        finish.set()
        return list(keys)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, [1, 2, 3], broken)
        assert begun.wait(10)
        second = pool.submit(ask, [1, 4], sound)
        assert second.result(10) == [1, 4]
        with pytest.raises(ValueError, match="3 is broken"):
            first.result(10)
    assert ask([1, 2, 3, 4], lambda keys: [-key for key in keys]) == [-1, -2, -3, 4]
