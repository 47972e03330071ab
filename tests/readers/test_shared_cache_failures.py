"""Many things are asked of a shared cache at a time: failures do not spread, and what is too large is not kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from visiomatic_dask.readers.shared_cache import SharedCache


def asking(cache: SharedCache[int]) -> Callable[[Sequence[int], Callable[[Sequence[int]], list[int]]], list[int]]:
    """Ask a cache for keys; what is missing is made of the keys themselves."""
    return lambda keys, make: cache.get_all(keys, lambda missing: make([keys[i] for i in missing]))


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache: SharedCache[int] = SharedCache(3, cost=lambda value: value)
    ask = asking(cache)
    assert ask([2, 9], list) == [2, 9]
    assert ask([2, 9], lambda keys: [-key for key in keys]) == [2, -9]


def test_a_failure_is_of_who_asked_for_it() -> None:
    """Who waits for a part of what failed makes that part, which may be sound."""
    cache: SharedCache[int] = SharedCache(100)
    ask = asking(cache)
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
