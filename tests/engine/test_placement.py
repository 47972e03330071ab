"""Placement: everyone a fair share, and little movement."""

from __future__ import annotations

from collections import Counter

import pytest

from visiomatic_dask.engine.placement import preferred, ranked

from .made_up import brick_of

TEXTS = [f"fits:0f3a:2880:(5, 8192, 8192)|0|Box({256 * n}, 0, {256 * n + 256}, 8192)" for n in range(1000)]


def addresses(count: int) -> list[str]:
    """Addresses as a batch system's nodes have them: alike but for a digit or two."""
    return [f"tcp://10.0.{n // 4}.{n % 4 + 1}:{40000 + n}" for n in range(count)]


@pytest.mark.parametrize("count", [2, 3, 8, 40])
def test_every_worker_gets_a_fair_share(count: int) -> None:
    workers = addresses(count)
    shares = Counter(preferred(text, workers) for text in TEXTS)
    mean = len(TEXTS) / count
    spread = 5 * mean**0.5  # five standard deviations of a Poisson distribution
    assert set(shares) == set(workers)
    assert all(abs(share - mean) < spread for share in shares.values())


def test_real_bricks_are_spread() -> None:
    workers = ["inproc://172.16.0.2/1/4", "tcp://127.0.0.1:34567", "tls://node17.cluster:8786"]
    shares = Counter(preferred(brick_of(number).recipe.placement, workers) for number in range(499))
    assert all(120 < share < 215 for share in shares.values())
    assert len(shares) == 3


def test_a_worker_that_leaves_moves_its_own_share_only() -> None:
    workers = addresses(8)
    before = {text: preferred(text, workers) for text in TEXTS}
    left = workers[3]
    rest = [worker for worker in workers if worker != left]
    for text in TEXTS:
        if before[text] == left:
            assert preferred(text, rest) == ranked(text, workers)[1]
        else:
            assert preferred(text, rest) == before[text]


def test_what_it_leaves_is_spread_over_the_others() -> None:
    workers = addresses(8)
    rest = workers[1:]
    heirs = Counter(preferred(text, rest) for text in TEXTS if preferred(text, workers) == workers[0])
    assert len(heirs) == 7


def test_order_of_the_workers_does_not_matter() -> None:
    workers = addresses(5)
    for text in TEXTS[:50]:
        assert ranked(text, workers) == ranked(text, reversed(workers))
        assert sorted(ranked(text, workers)) == sorted(workers)
        assert preferred(text, set(workers)) == ranked(text, workers)[0]


def test_without_workers() -> None:
    assert preferred("x", []) is None
    assert ranked("x", []) == []
