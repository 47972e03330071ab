"""Residency, event by event: every event in every state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.residency import Deliver, Instruction, Locate, Release, Residency, State, Submit

from .made_up import brick_of

A, B, C = brick_of(1), brick_of(2), brick_of(3)


def in_state(state: State | None, brick: Brick = A, workers: tuple[str, ...] = ("w1",)) -> Residency:
    """Make a table in which a brick is in a state, by events alone."""
    table = Residency()
    if state is None:
        return table
    table.want(brick)
    if state is not State.ARRIVING:
        table.finished(brick.key)
    if state is State.RESIDENT:
        table.located(brick.key, workers)
    assert table.state(brick.key) is state
    return table


NOTHING: list[Instruction] = []
RELEASED = [Release(A.key)]
TRANSITIONS = [
    # event, state before, instructions, state after
    ("want", None, [Submit(A)], State.ARRIVING),
    ("want", State.ARRIVING, NOTHING, State.ARRIVING),
    ("want", State.LOCATING, NOTHING, State.LOCATING),
    ("want", State.RESIDENT, NOTHING, State.RESIDENT),
    ("finished", None, NOTHING, None),
    ("finished", State.ARRIVING, [Locate(A.key, 0.0)], State.LOCATING),
    ("finished", State.LOCATING, NOTHING, State.LOCATING),
    ("finished", State.RESIDENT, NOTHING, State.RESIDENT),
    ("located", None, NOTHING, None),
    ("located", State.ARRIVING, NOTHING, State.ARRIVING),
    ("located", State.LOCATING, [Deliver(A.key)], State.RESIDENT),
    ("located", State.RESIDENT, NOTHING, State.RESIDENT),
    ("located nowhere", None, NOTHING, None),
    ("located nowhere", State.ARRIVING, NOTHING, State.ARRIVING),
    ("located nowhere", State.LOCATING, [Locate(A.key, 0.05)], State.LOCATING),
    ("located nowhere", State.RESIDENT, NOTHING, State.RESIDENT),
    ("failed", None, NOTHING, None),
    ("failed", State.ARRIVING, RELEASED, None),
    ("failed", State.LOCATING, RELEASED, None),
    ("failed", State.RESIDENT, RELEASED, None),
    ("misplaced", None, NOTHING, None),
    ("misplaced", State.ARRIVING, NOTHING, State.ARRIVING),
    ("misplaced", State.LOCATING, NOTHING, State.LOCATING),
    ("misplaced", State.RESIDENT, [Locate(A.key, 0.05)], State.LOCATING),
    ("misplaced elsewhere", State.RESIDENT, NOTHING, State.RESIDENT),
    ("abandoned", None, NOTHING, None),
    ("abandoned", State.ARRIVING, [Release(A.key), Submit(A)], State.ARRIVING),
    ("abandoned", State.LOCATING, [Release(A.key), Submit(A)], State.ARRIVING),
    ("abandoned", State.RESIDENT, [Release(A.key), Submit(A)], State.ARRIVING),
    ("lost", None, NOTHING, None),
    ("lost", State.ARRIVING, NOTHING, State.ARRIVING),
    ("lost", State.LOCATING, NOTHING, State.LOCATING),
    ("lost", State.RESIDENT, [Locate(A.key, 0.05)], State.LOCATING),
    ("lost elsewhere", State.RESIDENT, NOTHING, State.RESIDENT),
    ("budget", None, NOTHING, None),
    ("budget", State.ARRIVING, NOTHING, State.ARRIVING),
    ("budget", State.LOCATING, NOTHING, State.LOCATING),
    ("budget", State.RESIDENT, RELEASED, None),
    ("large budget", State.RESIDENT, NOTHING, State.RESIDENT),
]


EVENTS: dict[str, Callable[[Residency], list[Instruction]]] = {
    "want": lambda table: table.want(A),
    "finished": lambda table: table.finished(A.key),
    "located": lambda table: table.located(A.key, ["w1"]),
    "located nowhere": lambda table: table.located(A.key, []),
    "failed": lambda table: table.failed(A.key),
    "misplaced": lambda table: table.misplaced(A.key, "w1"),
    "misplaced elsewhere": lambda table: table.misplaced(A.key, "w2"),
    "abandoned": lambda table: table.abandoned(A.key),
    "lost": lambda table: table.lost("w1"),
    "lost elsewhere": lambda table: table.lost("w2"),
    "budget": lambda table: table.budget("w1", A.nbytes - 1),
    "large budget": lambda table: table.budget("w1", A.nbytes),
}


@pytest.mark.parametrize(("event", "before", "instructions", "after"), TRANSITIONS)
def test_every_event_in_every_state(
    event: str, before: State | None, instructions: list[Instruction], after: State | None
) -> None:
    table = in_state(before)
    assert EVENTS[event](table) == instructions
    assert table.state(A.key) is after
    assert table.held("w1") == (A.nbytes if after is State.RESIDENT else 0)
    assert table.workers(A.key) == (("w1",) if after is State.RESIDENT else ())


def test_a_brick_on_two_workers_outlives_one() -> None:
    table = in_state(State.RESIDENT, workers=("w1", "w2"))
    assert table.lost("w1") == []
    assert table.workers(A.key) == ("w2",)
    assert (table.held("w1"), table.held("w2")) == (0, A.nbytes)
    assert table.misplaced(A.key, "w2") == [Locate(A.key, 0.05)]


def test_found_nowhere_again_and_again_it_is_made_anew() -> None:
    table = in_state(State.LOCATING)
    delays = []
    while (instructions := table.located(A.key, []))[0] != Release(A.key):
        (locate,) = instructions
        assert isinstance(locate, Locate)
        delays.append(locate.delay)
        assert len(delays) < 10
    assert delays == [0.05, 0.1, 0.2, 0.4, 0.8]
    assert instructions == [Release(A.key), Submit(A)]
    assert table.state(A.key) is State.ARRIVING
    table.finished(A.key)
    assert table.located(A.key, ["w1"]) == [Deliver(A.key)]


def test_a_released_brick_is_submitted_anew() -> None:
    table = in_state(State.RESIDENT)
    assert table.budget("w1", 0) == [Release(A.key)]
    assert table.want(A) == [Submit(A)]


def test_least_recently_used_goes_first_but_never_the_last_asked_for() -> None:
    table = Residency()
    for brick in (A, B):
        table.want(brick)
        table.finished(brick.key)
        table.located(brick.key, ["w1"])
    table.budget("w1", A.nbytes + B.nbytes)
    assert table.use(A.key) == ("w1",)
    table.want(C)
    table.finished(C.key)
    assert table.located(C.key, ["w1"]) == [Deliver(C.key), Release(B.key)]
    assert table.budget("w1", A.nbytes) == [Release(A.key)]


def test_a_brick_larger_than_the_budget_is_delivered_and_kept_while_it_is_the_last() -> None:
    table = in_state(State.LOCATING)
    table.budget("w1", 1)
    assert table.located(A.key, ["w1"]) == [Deliver(A.key)]
    assert table.held("w1") > 1


def test_at_most_200_go_in_one_turn() -> None:
    table = Residency()
    bricks = [brick_of(number) for number in range(450)]
    for brick in bricks:
        table.want(brick)
        table.finished(brick.key)
        table.located(brick.key, ["w1"])
    rounds = []
    while released := table.budget("w1", 0):
        rounds.append(len(released))
    assert rounds == [200, 200, 50]
    assert len(table) == 0


def test_use_of_what_is_not_there() -> None:
    table = Residency()
    assert table.use(A.key) == ()
    assert table.workers(A.key) == ()
    assert table.held("w9") == 0
