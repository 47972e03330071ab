"""Statistics of parts of a plane: the same to the last bit, in whatever order they come."""

from __future__ import annotations

import base64
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pyramid.store.ledgers import statistics_of
from visiomatic_dask.pyramid.store.plane_parts import PlaneParts
from visiomatic_dask.pyramid.store.statistics import RegionStatistics, merged

EMPTY = float("nan")


def nothing_finite(level: int, plane: int) -> RegionStatistics:
    return RegionStatistics(level, plane, 7, 0, EMPTY, EMPTY, EMPTY, 0.0, (0,) * 32)


@given(st.integers(1, 12), st.sets(st.integers(0, 11)), st.randoms(use_true_random=False))
def test_merged_in_the_order_of_parts(count: int, empty: set[int], rng: random.Random) -> None:
    regions = [nothing_finite(2, 5) if part in empty else statistics_of(2, 5, part) for part in range(count)]
    order = list(range(count)) + [rng.randrange(count) for _ in range(3)]  # some come twice
    rng.shuffle(order)
    parts = PlaneParts.none(32)
    for part in order:
        parts = PlaneParts.decode(parts.having(part, regions[part]).encode())
    assert len(parts) == count
    assert repr(parts.merged(2, 5)) == repr(merged(regions))  # repr: NaN equals itself there


def test_small() -> None:
    parts = PlaneParts.none(1024)
    for part in range(100):
        one = statistics_of(1, 0, part)
        parts = parts.having(
            part, RegionStatistics(1, 0, 9, 5, 0.5, 2.0, one.mean, one.squares, (0,) * 900 + (1,) * 124)
        )
    assert len(parts.encode()) < 5000


@pytest.mark.parametrize("text", ["é", "!!!", base64.b64encode(b"abc").decode()])
def test_damaged(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PlaneParts.decode(text)


def test_truncated() -> None:
    data = zlib.decompress(base64.b64decode(PlaneParts.none(32).having(0, statistics_of(1, 0, 0)).encode()))[:-290]
    with pytest.raises(ValueError, match=r"."):
        PlaneParts.decode(base64.b64encode(zlib.compress(data)).decode())
