"""Ranges of planes do what sets of integers do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.pyramid.store.plane_ranges import PlaneRanges, Range

RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def planes(pairs: list[Range]) -> set[int]:
    return {plane for pair in pairs for plane in range(*pair)}


def check(found: PlaneRanges, expected: set[int]) -> None:
    assert set(found) == expected
    assert len(found) == len(expected)
    ends = [end for pair in found.pairs for end in pair]
    assert ends == sorted(set(ends))  # ascending, none empty, none that touch


@given(RANGES, RANGES)
def test_sets(a: list[Range], b: list[Range]) -> None:
    one, other = PlaneRanges.of(a), PlaneRanges.of(b)
    check(one, planes(a))
    check(one | other, planes(a) | planes(b))
    check(one & other, planes(a) & planes(b))
    check(one.without(other), planes(a) - planes(b))


@given(RANGES, st.integers(0, 30), st.integers(1, 10))
def test_of_a_range(pairs: list[Range], first: int, count: int) -> None:
    one, some = PlaneRanges.of(pairs), range(first, first + count)
    check(one.missing((first, first + count)), set(some) - planes(pairs))
    assert one.covers((first, first + count)) == (set(some) <= planes(pairs))
    assert one.overlaps((first, first + count)) == bool(set(some) & planes(pairs))
    assert (first in one) == (first in planes(pairs))
    assert "1" not in one
