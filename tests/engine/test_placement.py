"""Placement: everyone a fair share, and little movement."""

from __future__ import annotations

from collections import Counter

import pytest

from visiomatic_dask.engine.placement import Placement, preferred, ranked

CUBES = [Placement(f"fits:0f3a{n:04x}:2880:(5, 8192, 8192)|0") for n in range(1000)]


def addresses(count: int) -> list[str]:
    """Addresses as a batch system's nodes have them: alike but for a digit or two."""
    return [f"tcp://10.0.{n // 4}.{n % 4 + 1}:{40000 + n}" for n in range(count)]


@pytest.mark.parametrize("count", [2, 3, 8, 40])
def test_every_worker_gets_a_fair_share(count: int) -> None:
    workers = addresses(count)
    shares = Counter(preferred(cube, workers) for cube in CUBES)
    mean = len(CUBES) / count
    spread = 5 * mean**0.5  # five standard deviations of a Poisson distribution
    assert set(shares) == set(workers)
    assert all(abs(share - mean) < spread for share in shares.values())


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_neighbours_take_turns(count: int) -> None:
    workers = addresses(count)
    for cube in CUBES[:20]:
        turns = [preferred(cube._replace(stripe=stripe), workers) for stripe in range(2 * count)]
        assert set(turns[:count]) == set(workers)
        assert turns[:count] == turns[count:]


def test_kinds_of_addresses_do_not_matter() -> None:
    workers = ["inproc://172.16.0.2/1/4", "tcp://127.0.0.1:34567", "tls://node17.cluster:8786"]
    shares = Counter(preferred(cube, workers) for cube in CUBES)
    assert all(250 < share < 420 for share in shares.values())
    assert len(shares) == 3


def test_a_worker_that_leaves_moves_its_own_share_only() -> None:
    workers = addresses(8)
    before = {cube: preferred(cube, workers) for cube in CUBES}
    left = workers[3]
    rest = [worker for worker in workers if worker != left]
    for cube in CUBES:
        if before[cube] == left:
            assert preferred(cube, rest) == ranked(cube, workers)[1]
        else:
            assert preferred(cube, rest) == before[cube]


def test_what_it_leaves_is_spread_over_the_others() -> None:
    workers = addresses(8)
    rest = workers[1:]
    heirs = Counter(preferred(cube, rest) for cube in CUBES if preferred(cube, workers) == workers[0])
    assert len(heirs) == 7


def test_order_of_the_workers_does_not_matter() -> None:
    workers = addresses(5)
    for stripe, cube in enumerate(CUBES[:50]):
        placement = cube._replace(stripe=stripe)
        assert ranked(placement, workers) == ranked(placement, reversed(workers))
        assert sorted(ranked(placement, workers)) == sorted(workers)
        assert preferred(placement, set(workers)) == ranked(placement, workers)[0]


def test_without_workers() -> None:
    assert preferred(Placement("x", 3), []) is None
    assert ranked(Placement("x", 3), []) == []
