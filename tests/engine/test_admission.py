"""Admission: one viewer cannot take all places."""

from __future__ import annotations

import pytest

from visiomatic_dask.engine.admission import Admission
from visiomatic_dask.errors import Unavailable


def refusal(room: Admission, viewer: str) -> Unavailable | None:
    try:
        room.enter(viewer)
    except Unavailable as error:
        return error
    return None


def fill(room: Admission, viewer: str) -> int:
    """Enter until refused."""
    for number in range(1000):
        refused = refusal(room, viewer)
        if refused is not None:
            assert f"{room.waiting} tiles are waiting already" in refused.message
            assert refused.retry_after >= 1
            return number
    raise AssertionError("never refused")


def test_one_viewer_gets_half_two_a_third_each_and_there_is_room_for_another() -> None:
    room = Admission(120)
    assert fill(room, "a") == 60
    assert fill(room, "b") == 30  # what the first has taken is taken
    assert fill(room, "c") == 15
    for _ in range(20):
        room.leave("a")
    assert fill(room, "b") == 3
    assert room.waiting < 120


def test_turns_that_are_taken_evenly_end_evenly() -> None:
    room, held = Admission(120), {"a": 0, "b": 0}
    refused: set[str] = set()
    while refused != set(held):
        for viewer in held:
            if refusal(room, viewer) is None:
                held[viewer] += 1
            else:
                refused.add(viewer)
    assert held == {"a": 40, "b": 40}


def test_places_are_given_back() -> None:
    room = Admission(2)
    room.enter("a")
    with pytest.raises(Unavailable):
        room.enter("a")
    room.leave("a")
    assert room.waiting == 0
    room.enter("a")


def test_even_one_place_is_a_place() -> None:
    room = Admission(1)
    room.enter("a")
    with pytest.raises(Unavailable):
        room.enter("b")
