"""Residency, event by event: every event in every state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.residency import Deliver, Instruction, Locate, Release, Residency, State, Submit
from visiomatic_dask.pyramid import Box

from .made_up import MadeUp, brick_of

A, B, C = brick_of(1), brick_of(2), brick_of(3)
FILE = A.recipe.reader.fingerprint


def in_state(state: State | None, brick: Brick = A, workers: tuple[str, ...] = ("w1",)) -> Residency:
    """Make a table in which a brick is in a state, by events alone."""
    table = Residency()
    if state is None:
        return table
    if state is State.WANTED:  # two others are arriving, and no more may
        table = Residency(arriving=2)
        assert table.want(B) + table.want(C) == [Submit(B), Submit(C)]
    table.want(brick)
    if state not in (State.WANTED, State.ARRIVING):
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
    ("want", State.WANTED, NOTHING, State.WANTED),
    ("want", State.ARRIVING, NOTHING, State.ARRIVING),
    ("want", State.LOCATING, NOTHING, State.LOCATING),
    ("want", State.RESIDENT, NOTHING, State.RESIDENT),
    ("finished", None, NOTHING, None),
    ("finished", State.WANTED, NOTHING, State.WANTED),
    ("finished", State.ARRIVING, [Locate(A.key, 0.0)], State.LOCATING),
    ("finished", State.LOCATING, NOTHING, State.LOCATING),
    ("finished", State.RESIDENT, NOTHING, State.RESIDENT),
    ("located", None, NOTHING, None),
    ("located", State.WANTED, NOTHING, State.WANTED),
    ("located", State.ARRIVING, NOTHING, State.ARRIVING),
    ("located", State.LOCATING, [Deliver(A.key)], State.RESIDENT),
    ("located", State.RESIDENT, NOTHING, State.RESIDENT),
    ("located nowhere", None, NOTHING, None),
    ("located nowhere", State.WANTED, NOTHING, State.WANTED),
    ("located nowhere", State.ARRIVING, NOTHING, State.ARRIVING),
    ("located nowhere", State.LOCATING, [Locate(A.key, 0.05)], State.LOCATING),
    ("located nowhere", State.RESIDENT, NOTHING, State.RESIDENT),
    ("failed", None, NOTHING, None),
    ("failed", State.WANTED, NOTHING, None),
    ("failed", State.ARRIVING, RELEASED, None),
    ("failed", State.LOCATING, RELEASED, None),
    ("failed", State.RESIDENT, RELEASED, None),
    ("misplaced", None, NOTHING, None),
    ("misplaced", State.WANTED, NOTHING, State.WANTED),
    ("misplaced", State.ARRIVING, NOTHING, State.ARRIVING),
    ("misplaced", State.LOCATING, NOTHING, State.LOCATING),
    ("misplaced", State.RESIDENT, [Locate(A.key, 0.05)], State.LOCATING),
    ("misplaced elsewhere", State.RESIDENT, NOTHING, State.RESIDENT),
    ("abandoned", None, NOTHING, None),
    ("abandoned", State.WANTED, NOTHING, State.WANTED),
    ("abandoned", State.ARRIVING, [Release(A.key), Submit(A)], State.ARRIVING),
    ("abandoned", State.LOCATING, [Release(A.key), Submit(A)], State.ARRIVING),
    ("abandoned", State.RESIDENT, [Release(A.key), Submit(A)], State.ARRIVING),
    ("lost", None, NOTHING, None),
    ("lost", State.WANTED, NOTHING, State.WANTED),
    ("lost", State.ARRIVING, NOTHING, State.ARRIVING),
    ("lost", State.LOCATING, NOTHING, State.LOCATING),
    ("lost", State.RESIDENT, [Locate(A.key, 0.05)], State.LOCATING),
    ("lost elsewhere", State.RESIDENT, NOTHING, State.RESIDENT),
    ("budget", None, NOTHING, None),
    ("budget", State.WANTED, NOTHING, State.WANTED),
    ("budget", State.ARRIVING, NOTHING, State.ARRIVING),
    ("budget", State.LOCATING, NOTHING, State.LOCATING),
    ("budget", State.RESIDENT, RELEASED, None),
    ("forget", None, NOTHING, None),
    ("forget", State.WANTED, NOTHING, None),
    ("forget", State.ARRIVING, RELEASED, None),
    ("forget", State.LOCATING, RELEASED, None),
    ("forget", State.RESIDENT, RELEASED, None),
    ("forget another", State.WANTED, NOTHING, State.WANTED),
    ("forget another", State.ARRIVING, NOTHING, State.ARRIVING),
    ("forget another", State.RESIDENT, NOTHING, State.RESIDENT),
    ("want ahead", None, [Submit(A, ahead=True)], State.ARRIVING),
    ("want ahead", State.WANTED, NOTHING, State.WANTED),
    ("want ahead", State.ARRIVING, NOTHING, State.ARRIVING),
    ("want ahead", State.LOCATING, NOTHING, State.LOCATING),
    ("want ahead", State.RESIDENT, NOTHING, State.RESIDENT),
    ("unwanted", None, NOTHING, None),
    ("unwanted", State.WANTED, NOTHING, None),
    ("unwanted", State.ARRIVING, NOTHING, State.ARRIVING),
    ("unwanted", State.LOCATING, NOTHING, State.LOCATING),
    ("unwanted", State.RESIDENT, NOTHING, State.RESIDENT),
    ("unwanted ahead", None, NOTHING, None),
    ("unwanted ahead", State.WANTED, NOTHING, State.WANTED),
    ("unwanted ahead", State.ARRIVING, NOTHING, State.ARRIVING),
    ("unwanted ahead", State.RESIDENT, NOTHING, State.RESIDENT),
    ("threads", None, NOTHING, None),
    ("threads", State.WANTED, [Submit(A)], State.ARRIVING),
    ("threads", State.ARRIVING, NOTHING, State.ARRIVING),
    ("large budget", State.RESIDENT, NOTHING, State.RESIDENT),
]


EVENTS: dict[str, Callable[[Residency], list[Instruction]]] = {
    "want": lambda table: table.want(A),
    "want ahead": lambda table: table.want_ahead(A),
    "unwanted": lambda table: table.unwanted(A.key),
    "unwanted ahead": lambda table: table.unwanted_ahead(A.key),
    "threads": lambda table: table.threads(4),
    "finished": lambda table: table.finished(A.key),
    "located": lambda table: table.located(A.key, ["w1"]),
    "located nowhere": lambda table: table.located(A.key, []),
    "failed": lambda table: table.failed(A.key),
    "misplaced": lambda table: table.misplaced(A.key, "w1"),
    "misplaced elsewhere": lambda table: table.misplaced(A.key, "w2"),
    "abandoned": lambda table: table.abandoned(A.key),
    "lost": lambda table: table.lost("w1"),
    "lost elsewhere": lambda table: table.lost("w2"),
    "forget": lambda table: [one for one in table.forget({FILE}) if one == Release(A.key)],
    "forget another": lambda table: table.forget({"another"}),
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


def test_a_dear_brick_that_nobody_wants_any_more_is_not_finished() -> None:
    dear = Brick(PlaneBrick(MadeUp((1, 9000, 9000)), 0, (0, 1), Box(0, 0, 9000, 9000)))
    assert dear.is_dear
    assert not A.is_dear
    table = Residency(1)
    assert table.want(dear) == [Submit(dear)]
    assert table.want(A) == []
    assert table.unwanted(dear.key) == [Release(dear.key), Submit(A)]
    assert table.state(dear.key) is None


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


def test_no_more_arrive_at_a_time_than_may_and_viewers_take_turns() -> None:
    table = Residency(arriving=2)
    greedy = [brick_of(number) for number in range(10, 20)]
    submitted = [one for brick in greedy for one in table.want(brick, "greedy")]
    assert submitted == [Submit(greedy[0]), Submit(greedy[1])]
    assert table.want(A, "modest") == []
    order = []
    for brick in greedy[:4]:
        locate, *more = table.finished(brick.key)
        assert isinstance(locate, Locate)
        order += more
    assert order[:2] in ([Submit(greedy[2]), Submit(A)], [Submit(A), Submit(greedy[2])])


def test_what_nobody_waits_for_any_more_is_never_submitted() -> None:
    table = Residency(arriving=1)
    table.want(A)
    assert table.want(B) == table.want(C) == []
    table.unwanted(B.key)
    assert table.finished(A.key) == [Locate(A.key, 0.0), Submit(C)]
    assert table.state(B.key) is None
    assert table.failed(C.key) == [Release(C.key)]


def test_what_is_wanted_ahead_comes_last_and_is_little() -> None:
    table = Residency(arriving=8)
    ahead = [brick_of(number) for number in range(30, 40)]
    assert [one for brick in ahead for one in table.want_ahead(brick)] == [
        Submit(ahead[0], ahead=True),
        Submit(ahead[1], ahead=True),
    ]
    assert table.want(A) == [Submit(A)]  # there is room for what somebody waits for
    assert table.want(ahead[5]) == [Submit(ahead[5])]
    assert table.finished(ahead[0].key) == [Locate(ahead[0].key, 0.0)]  # three are still arriving
    table.finished(A.key)
    assert table.finished(ahead[5].key)[1:] == [Submit(ahead[2], ahead=True)]


def test_what_was_read_ahead_is_news_until_it_is_used() -> None:
    table = Residency()
    table.want_ahead(A)
    assert table.is_ahead(A.key)
    table.finished(A.key)
    table.located(A.key, ["w1"])
    assert table.is_ahead(A.key)
    assert table.use(A.key) == ("w1",)
    assert not table.is_ahead(A.key)
    table.want_ahead(B)
    table.want(B)
    assert not table.is_ahead(B.key)


def test_reading_ahead_is_given_up_unless_somebody_waits_for_it() -> None:
    table = Residency(arriving=4)
    assert table.want_ahead(A) == [Submit(A, ahead=True)]
    assert table.want_ahead(B) == []
    table.want_ahead(C)
    table.want(C)
    assert table.unwanted_ahead(B.key) == []
    assert table.unwanted_ahead(C.key) == []
    assert table.unwanted_ahead(A.key) == [Release(A.key)]
    assert (table.state(A.key), table.state(B.key), table.state(C.key)) == (None, None, State.ARRIVING)


def test_what_is_forgotten_is_released_a_few_at_a_time() -> None:
    table = Residency(arriving=450)
    bricks = [brick_of(number) for number in range(500)]
    for brick in bricks:
        table.want(brick)
    assert sum(table.state(brick.key) is State.WANTED for brick in bricks) == 50
    counts = []
    while instructions := table.forget({FILE}):
        assert all(isinstance(one, Release) for one in instructions)
        counts.append(len(instructions))
    assert counts == [200, 200, 50]
    assert len(table) == 0
