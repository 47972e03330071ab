"""Many things are asked of a shared cache at a time: what is there is not made again, and failures do not spread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from visiomatic_dask.readers.shared_cache import SharedCache


def test_made_at_once_in_the_order_asked_for() -> None:
    cache: SharedCache[int] = SharedCache(10)
    asked: list[list[int]] = []

    def make(keys: Sequence[int]) -> list[int]:
        asked.append(list(keys))
        return [10 * key for key in keys]

    assert cache.get_many([3, 1, 3, 2], make) == [30, 10, 30, 20]
    assert cache.get_many([2, 4, 3], make) == [20, 40, 30]
    assert cache.get_many([], make) == []
    assert asked == [[3, 1, 2], [4]]
    assert cache.get(4, lambda: -1) == 40


def test_the_least_recently_used_goes_first() -> None:
    cache: SharedCache[int] = SharedCache(3)
    cache.get_many([1, 2, 3], list)
    cache.get_many([1], list)
    cache.get_many([4], list)
    assert cache.get_many([1, 2, 3, 4], lambda keys: [-key for key in keys]) == [1, -2, 3, 4]


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache: SharedCache[int] = SharedCache(3, cost=lambda value: value)
    assert cache.get_many([2, 9], list) == [2, 9]
    assert cache.get_many([2, 9], lambda keys: [-key for key in keys]) == [2, -9]


def test_two_who_want_the_same_share_it() -> None:
    cache: SharedCache[int] = SharedCache(100)
    begun, finish = threading.Event(), threading.Event()
    asked: list[list[int]] = []

    def slow(keys: Sequence[int]) -> list[int]:
        asked.append(list(keys))
        begun.set()
        assert finish.wait(10)
        return list(keys)

    def quick(keys: Sequence[int]) -> list[int]:
        asked.append(list(keys))
        finish.set()
        return list(keys)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_many, [1, 2, 3], slow)
        assert begun.wait(10)
        second = pool.submit(cache.get_many, [2, 3, 4], quick)
        assert second.result(10) == [2, 3, 4]
        assert first.result(10) == [1, 2, 3]
    assert asked == [[1, 2, 3], [4]]


def test_a_failure_is_of_who_asked_for_it() -> None:
    """Who waits for a part of what failed makes that part, which may be sound."""
    cache: SharedCache[int] = SharedCache(100)
    begun, finish = threading.Event(), threading.Event()

    def broken(keys: Sequence[int]) -> list[int]:
        begun.set()
        assert finish.wait(10)
        raise ValueError(f"{keys[-1]} is broken")

    def sound(keys: Sequence[int]) -> list[int]:
        finish.set()
        return list(keys)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_many, [1, 2, 3], broken)
        assert begun.wait(10)
        second = pool.submit(cache.get_many, [1, 4], sound)
        assert second.result(10) == [1, 4]
        with pytest.raises(ValueError, match="3 is broken"):
            first.result(10)
    assert cache.get_many([1, 2, 3, 4], lambda keys: [-key for key in keys]) == [-1, -2, -3, 4]
