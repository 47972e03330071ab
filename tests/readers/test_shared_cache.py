"""The shared cache: bounded, least recently used out first, one making for all who ask at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_a_failure_is_everyones_and_not_kept() -> None:
    cache: SharedCache[int] = SharedCache(10)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("k", fail)
    assert cache.get("k", lambda: 1) == 1
