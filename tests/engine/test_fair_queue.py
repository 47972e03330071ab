"""The fair queue: turns, order, and nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.engine.fair_queue import FairQueue

ITEMS = st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=50)


def test_viewers_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "a4", "c2"):
        queue.put(item[0], item)
    assert queue.take_all() == ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]
    with pytest.raises(IndexError, match="empty"):
        queue.get()


def test_who_comes_new_waits_for_one_of_each_other_viewer_at_most() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(1000):
        queue.put("greedy", number)
    queue.put("modest", -1)
    assert -1 in (queue.get(), queue.get())


@given(ITEMS, st.integers(0, 20))
def test_nothing_is_lost_and_each_viewers_order_is_kept(items: list[tuple[str, int]], early: int) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    taken = []
    for number, item in enumerate(items):
        queue.put(item[0], item)
        if number < early:
            taken.append(queue.get())
    assert len(queue) == len(items) - len(taken)
    taken += queue.take_all()
    assert len(queue) == 0
    for viewer in "abc":
        assert [one for one in taken if one[0] == viewer] == [one for one in items if one[0] == viewer]


@given(ITEMS)
def test_no_viewer_is_served_twice_while_another_waits(items: list[tuple[str, int]]) -> None:
    queue: FairQueue[str] = FairQueue()
    left = dict.fromkeys("abc", 0)
    for viewer, _ in items:
        queue.put(viewer, viewer)
        left[viewer] += 1
    since: list[str] = []
    while queue:
        viewer = queue.get()
        if viewer in since:
            waiting = {one for one in "abc" if left[one]}
            assert waiting <= set(since)
            since = []
        since.append(viewer)
        left[viewer] -= 1
