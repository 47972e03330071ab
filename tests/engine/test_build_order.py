"""The order of a build, against a store that is a set, for plans of any shape."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.engine.build_order import (
    BuildOrder,
    TopPieces,
    built_together,
    pieces_below,
    pieces_over,
    source_pixels,
)
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.pyramid.tiles import Box

plans = st.builds(
    PyramidPlan,
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    channels=st.integers(1, 11),
    images=st.integers(1, 3),
    tile_size=st.sampled_from([32, 64]),
    deep=st.sampled_from([1, 2, 4]),
    shard_pixels=st.sampled_from([2**12, 2**14, 2**17]),
)


class Store:
    """What is done, as a set."""

    def __init__(self) -> None:
        self.done: set[tuple[Shard, int]] = set()

    def is_done(self, shard: Shard, planes: tuple[int, int]) -> bool:
        return all((shard, plane) in self.done for plane in range(*planes))

    def build(self, piece: Piece) -> None:
        self.done.update((piece.shard, plane) for plane in range(*piece.planes))


def everything(plan: PyramidPlan, planes: tuple[int, int] | None = None) -> set[tuple[Shard, int]]:
    first, last = planes or (0, plan.count)
    found: set[tuple[Shard, int]] = set()
    for grid in plan.levels:
        for shard in plan.shards(grid.level, (first, last)):
            found.update((shard, plane) for plane in range(*plan.common(shard, (first, last))))
    return found


def check(order: BuildOrder, store: Store, piece: Piece, under_way: list[Piece]) -> None:
    assert piece.shard not in {one.shard for one in under_way}
    assert all(store.is_done(below.shard, below.planes) for below in pieces_below(order.plan, piece))
    assert not any(store.is_done(piece.shard, (plane, plane + 1)) for plane in range(*piece.planes))


def run(order: BuildOrder, store: Store, most: int, seed: int, lost: float = 0.0) -> tuple[list[Piece], list[Piece]]:
    """Build everything, several pieces at a time that end in any order, some of them in vain."""
    draw = random.Random(seed)
    built: list[Piece] = []
    told: list[Piece] = []
    under_way: list[Piece] = []
    for _ in range(100_000):
        told += order.settle()
        for piece, _urgent in order.take(most - len(under_way)):
            check(order, store, piece, under_way)
            under_way.append(piece)
        if order.is_over:
            assert not under_way
            assert order.found_pixels + order.built_pixels == order.total_pixels
            return built, told
        assert under_way, "stuck"
        ended = under_way.pop(draw.randrange(len(under_way)))
        if draw.random() >= lost:
            store.build(ended)
            built.append(ended)
        order.give_back([ended])
    raise AssertionError("never over")


@given(plan=plans, most=st.integers(1, 9), seed=st.integers(0, 99), lost=st.sampled_from([0.0, 0.3]))
def test_everything_is_built_once_and_after_what_it_is_made_from(
    plan: PyramidPlan, most: int, seed: int, lost: float
) -> None:
    store = Store()
    order = BuildOrder(plan, store.is_done)
    tops = TopPieces(plan)
    order.want(tops, urgent=False)
    assert order.total_pixels == (plan.width * plan.height * plan.count if plan.levels else 0)
    built, told = run(order, store, most, seed, lost)
    assert store.done == everything(plan)
    times = Counter((piece.shard, plane) for piece in built for plane in range(*piece.planes))
    assert set(times.values()) <= {1}
    assert len(plan.levels) == 1 or set(tops) <= set(told)  # of level 1 together with others
    assert sum(source_pixels(plan, piece) for piece in built if piece.shard.level == 1) == order.total_pixels
    # A shard is one file: where everything is wanted, it is written once.
    assert max(Counter(piece.shard for piece in built).values(), default=1) == 1


@given(plan=plans, data=st.data(), seed=st.integers(0, 99))
def test_what_is_wanted_in_between_is_built_first_and_nothing_twice(
    plan: PyramidPlan, data: st.DataObject, seed: int
) -> None:
    if not plan.levels:
        return
    store = Store()
    order = BuildOrder(plan, store.is_done)
    order.want(TopPieces(plan), urgent=False)
    begun = [piece for piece, _ in order.take(2)]
    plane = data.draw(st.integers(0, plan.count - 1))
    level = data.draw(st.integers(1, len(plan.levels)))
    grid = plan.grid(level)
    wanted = pieces_over(plan, level, (plane, plane + 1), Box(0, 0, grid.height, grid.width))
    order.want(wanted, urgent=True)
    for piece, urgent in order.take(1):
        # Not urgent only where what has begun keeps all that is from being built.
        assert urgent or {one.shard for one in begun} & {shard for shard, _ in everything(plan, (plane, plane + 1))}
        if urgent:
            assert piece.shard.level <= level
            assert piece.first <= plane < piece.last
        store.build(piece)
        order.give_back([piece])
    for piece in begun:
        if not store.is_done(piece.shard, piece.planes):
            store.build(piece)
    order.give_back(begun)
    _, told = run(order, store, 3, seed)
    heard = {(piece.shard, plane) for piece in told for plane in range(*piece.planes)}
    assert {(piece.shard, plane) for piece in wanted} <= heard
    assert store.done == everything(plan)


@given(plan=plans, data=st.data(), seed=st.integers(0, 99))
def test_resumes_with_what_is_missing_alone(plan: PyramidPlan, data: st.DataObject, seed: int) -> None:
    store = Store()
    order = BuildOrder(plan, store.is_done)
    order.want(TopPieces(plan), urgent=False)
    before: list[Piece] = []
    for _ in range(data.draw(st.integers(0, 20))):
        for piece, _urgent in order.take(1):
            store.build(piece)
            before.append(piece)
            order.give_back([piece])
        order.settle()
    again = BuildOrder(plan, store.is_done)
    again.want(TopPieces(plan), urgent=False)
    after, _ = run(again, store, 3, seed)
    assert not {piece.shard for piece in before} & {piece.shard for piece in after}
    assert store.done == everything(plan)


@given(plan=plans, data=st.data())
def test_some_planes(plan: PyramidPlan, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, plan.count - 1))
    last = data.draw(st.integers(first + 1, plan.count))
    store = Store()
    order = BuildOrder(plan, store.is_done)
    tops = TopPieces(plan, [(first, last)])
    assert tops[:] == list(tops)
    assert len(tops) == len(set(tops))
    if tops:
        assert tops[-1] == list(tops)[-1]
    with pytest.raises(IndexError):
        tops[len(tops)]
    order.want(tops, urgent=False)
    run(order, store, 2, 1)
    wanted = everything(plan, (first, last))
    assert wanted <= store.done
    # Nothing else, but planes that share chunks with those that are wanted.
    extra = store.done - wanted
    assert all(shard.level == 1 and first - plan.deep < plane < last + plan.deep for shard, plane in extra)


def test_planes_that_share_chunks_are_built_together() -> None:
    plan = PyramidPlan(300, 300, 10, 2, 64, deep=4)
    shard = plan.covering(1, (15, 16), Box(0, 0, 1, 1))[0]
    assert plan.planes(shard) == (10, 20)
    assert built_together(plan, Piece(shard, 15, 16)) == Piece(shard, 14, 18)
    assert built_together(plan, Piece(shard, 17, 19)) == Piece(shard, 14, 20)


def test_depth_first() -> None:
    plan = PyramidPlan(16384, 16384, 8, 1, 256)
    store = Store()
    order = BuildOrder(plan, store.is_done)
    order.want(TopPieces(plan), urgent=False)
    built, _ = run(order, store, 1, 1)
    levels = [piece.shard.level for piece in built]
    assert levels.index(2) == 4
    assert levels.index(3) == 4 * 5
    assert Counter(levels) == {1: 32, 2: 8, 3: 2, 4: 1, 5: 1, 6: 1}


def test_what_was_wanted_last_comes_first_also_when_it_is_wanted_again() -> None:
    plan = PyramidPlan(2000, 2000, 6, 1, 256, shard_pixels=2**20)
    store = Store()
    order = BuildOrder(plan, store.is_done)
    order.want(TopPieces(plan), urgent=False)
    for plane in (4, 2):
        order.want(TopPieces(plan, [(plane, plane + 1)]), urgent=True)
    assert [(piece.planes, urgent) for piece, urgent in order.take(2)] == [((2, 3), True), ((4, 5), True)]
    order = BuildOrder(plan, store.is_done)
    for plane in (4, 2, 4):
        order.want(TopPieces(plan, [(plane, plane + 1)]), urgent=True)
    assert order.total_pixels == 2 * 2000 * 2000
    assert order.take(1)[0][0].planes == (4, 5)


def test_what_others_have_done_is_news() -> None:
    plan = PyramidPlan(300, 300, 2, 1, 64)
    store = Store()
    order = BuildOrder(plan, store.is_done)
    tops = list(TopPieces(plan, [(0, 1)]))
    order.want(tops, urgent=True)
    assert len(order.take(5)) == 1
    store.done = everything(plan)
    assert set(order.settle()) > set(tops) - set(order.settle())
    order.want(tops, urgent=True)
    assert order.settle() == tops
    assert order.is_over


@given(plan=plans, seed=st.integers(0, 99))
def test_what_is_lost_again_is_built_again(plan: PyramidPlan, seed: int) -> None:
    """What was written without a claim is taken back, with all that is above it."""
    draw = random.Random(seed)
    store = Store()
    order = BuildOrder(plan, store.is_done)
    order.want(TopPieces(plan), urgent=False)
    losses = 5
    for _ in range(10_000):
        order.settle()
        taken = [piece for piece, _ in order.take(2)]
        if order.is_over:
            if store.done == everything(plan):
                break
            order.want(TopPieces(plan), urgent=False)  # lost after it had been seen to be whole
            continue
        assert taken
        for number, piece in enumerate(taken):
            check(order, store, piece, taken[:number])
            store.build(piece)
        order.give_back(taken)
        if losses and store.done and draw.random() < 0.3:
            losses -= 1
            shard, plane = draw.choice(sorted(store.done))
            store.done -= {one for one in store.done if one[1] == plane and one[0].level > shard.level}
            store.done.discard((shard, plane))
    assert store.done == everything(plan)


def test_a_million_planes_take_no_memory() -> None:
    plan = PyramidPlan(20_000, 20_000, 1_000_000, 1, 256)
    store = Store()
    order = BuildOrder(plan, store.is_done)
    tracemalloc.start()
    try:
        order.want(TopPieces(plan), urgent=False)
        for _ in range(1000):
            taken = [piece for piece, _ in order.take(3)]
            for piece in taken:
                store.build(piece)
            order.give_back(taken)
            order.settle()
        here = sum(
            one.size
            for one in tracemalloc.take_snapshot().statistics("filename")
            if one.traceback[0].filename.endswith("build_order.py")
        )
    finally:
        tracemalloc.stop()
    assert len(store.done) >= 3000
    assert here < 2**20
