"""The ledger: who may build what, what is done, and what is left of that after accidents."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Sequence
from pathlib import Path

import fsspec
import pytest

from tests.pyramid.store.ledgers import DEEP, WIDE, built, piece, pieces_of, pyramid_at, pyramid_in, statistics_of
from visiomatic_dask.errors import PyramidGone, StoreError
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.ledger_file import decode, encode
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, Pyramid
from visiomatic_dask.pyramid.store.shards import PyramidPlan
from visiomatic_dask.pyramid.store.statistics import RegionStatistics, merged


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


class Statistics:
    """Keeps what it is given to write, and may fail."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, int], RegionStatistics] = {}
        self.failure: Exception | None = None

    def __call__(self, _: Pyramid, statistics: Sequence[RegionStatistics]) -> None:
        if self.failure is not None:
            raise self.failure
        self.found.update({(one.level, one.plane): one for one in statistics})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


def ledger_of(pyramid: Pyramid, clock: Clock | None = None, statistics: Statistics | None = None) -> Ledger:
    return Ledger(pyramid, statistics or Statistics(), clock=clock or time.time)


def part_of(whole: Piece, first: int, last: int) -> Piece:
    return Piece(whole.shard, first, last)


def test_plans_are_what_the_tests_need() -> None:
    assert [(grid.down, grid.across) for grid in DEEP.levels] == [(1, 1)] * 4
    assert all(grid.planes >= 8 for grid in DEEP.levels)
    assert WIDE.grid(1).down * WIDE.grid(1).across >= 6


def test_nothing_yet(tmp_path: Path) -> None:
    state = Ledger.of(pyramid_in(tmp_path)).look()
    assert (state.bytes, state.files, state.source_pixels, state.done_planes) == (0, 0, 0, 0)
    assert not state.is_done(piece(DEEP).shard, (0, 1))
    assert not state.complete(1, 0)
    assert not state.is_whole
    assert state.missing(piece(DEEP).shard).pairs == (DEEP.planes(piece(DEEP).shard),)


def test_claimed_once(tmp_path: Path) -> None:
    pyramid = pyramid_in(tmp_path)
    one, other = ledger_of(pyramid), ledger_of(pyramid)
    first, second, third = pieces_of(DEEP, 1)[:3]
    assert one.claim([first, second], "one") == ((first, second), (), ())
    assert other.claim([second, third], "other") == ((third,), (), (second,))
    one.commit("one", [built(first)])
    assert other.claim([first, second], "other") == ((), (first,), (second,))
    one.release("one", [second])
    assert other.claim([second], "other").granted == (second,)
    other.release("other")
    assert one.claim([second, third], "one").granted == (second, third)


def test_whole_shards_are_claimed(tmp_path: Path) -> None:
    """Two writers of one file lose data, for whatever planes, be they the same owner's."""
    ledger, whole = ledger_of(pyramid_in(tmp_path)), piece(DEEP)
    some, others = part_of(whole, 0, 3), part_of(whole, 3, 16)
    assert ledger.claim([some, others], "one") == ((some,), (), (others,))
    assert ledger.claim([others], "other").elsewhere == (others,)
    assert ledger.claim([others], "one").elsewhere == (others,)
    assert ledger.claim([some], "one").granted == (some,)  # asked for again
    state = ledger.commit("one", [built(some)])
    assert state.is_done(whole.shard, (0, 3))
    assert state.is_done(whole.shard, (1, 2))
    assert not state.is_done(whole.shard, (2, 4))
    assert state.missing(whole.shard).pairs == ((3, 16),)
    assert ledger.claim([part_of(whole, 1, 3), others], "other") == ((others,), (part_of(whole, 1, 3),), ())


def test_counts(tmp_path: Path) -> None:
    ledger = ledger_of(pyramid_in(tmp_path))
    first, second = pieces_of(DEEP, 1)[:2]
    some = part_of(second, second.first, second.first + 2)
    ledger.claim([first, some], "one")
    state = ledger.commit("one", [built(first, 700), built(some, 0)])
    assert (state.bytes, state.files) == (700, 1)
    assert state.source_pixels == (len(range(*first.planes)) + 2) * 3000 * 2000
    assert state.done_planes == len(range(*first.planes)) + 2
    assert state.complete(1, first.first)
    assert not state.complete(1, second.last - 1)
    assert not state.complete(2, first.first)


def test_source_pixels_of_all(tmp_path: Path) -> None:
    ledger = ledger_of(pyramid_in(tmp_path, WIDE))
    every = [one for grid in WIDE.levels for one in pieces_of(WIDE, grid.level)]
    assert ledger.claim(every, "one").granted == tuple(every)
    state = ledger.commit("one", [built(one) for one in every])
    assert state.source_pixels == 30_000 * 20_000 * 3
    assert state.is_whole
    assert not state.is_claimed(time.time())
    assert (state.claims, state.parts, state.takeovers) == ({}, {}, {})


def test_expires(tmp_path: Path, clock: Clock) -> None:
    pyramid, one_piece = pyramid_in(tmp_path), piece(DEEP)
    slow, other = ledger_of(pyramid, clock), ledger_of(pyramid, clock)
    slow.claim([one_piece], "slow")
    clock.now += 29
    assert other.claim([one_piece], "other").elsewhere == (one_piece,)
    slow.renew("slow")
    clock.now += 29
    assert other.look().is_claimed(clock.now)
    assert other.claim([one_piece], "other").elsewhere == (one_piece,)
    clock.now += 2
    assert not other.look().is_claimed(clock.now)
    assert other.claim([one_piece], "other").granted == (one_piece,)
    assert slow.renew("slow").claims[one_piece.shard].owner == "other"
    assert not slow.commit("slow", [built(one_piece)]).is_done(one_piece.shard, one_piece.planes)
    assert other.commit("other", [built(one_piece)]).is_done(one_piece.shard, one_piece.planes)
    # What it wrote was the same: nothing has to be built again.
    assert slow.commit("slow", [built(one_piece)]).is_done(one_piece.shard, one_piece.planes)


def test_an_expired_claim_that_nobody_took_is_good(tmp_path: Path, clock: Clock) -> None:
    ledger = ledger_of(pyramid_in(tmp_path), clock)
    ledger.claim([piece(DEEP)], "one")
    clock.now += 1000
    assert ledger.commit("one", [built(piece(DEEP))]).is_done(piece(DEEP).shard, piece(DEEP).planes)


def test_who_writes_late_undoes_what_it_may_have_overwritten(tmp_path: Path, clock: Clock) -> None:
    """The late one has read the shard as it was at the takeover, and written it without what others added since."""
    pyramid, whole = pyramid_in(tmp_path), piece(DEEP)
    ledger = ledger_of(pyramid, clock)
    before, late, after, under_way = (part_of(whole, 2 * n, 2 * n + 2) for n in range(4))
    for one in (before, late):
        ledger.claim([one], "late")
        if one is before:
            ledger.commit("late", [built(one)])
    clock.now += 31
    ledger.claim([after], "other")
    ledger.commit("other", [built(after)])
    above = part_of(piece(DEEP, 2), *after.planes)
    untouched = part_of(piece(DEEP, 2), *before.planes)
    for one in (untouched, above):
        ledger.claim([one], "other")
        ledger.commit("other", [built(one)])
    ledger.claim([part_of(piece(DEEP, 3), 0, 8)], "third")
    ledger.claim([under_way], "other")
    state = ledger.commit("late", [built(late)])
    assert state.done(whole.shard).pairs == (before.planes,)
    assert state.done(above.shard).pairs == (untouched.planes,)
    assert state.is_described(2, before.first)
    assert not state.is_described(2, after.first)
    assert state.is_described(1, after.first)  # made from the source, and right
    # Whoever was under way meanwhile may have read what the late one had not written yet, or what it had.
    state = ledger.commit("other", [built(under_way)])
    assert state.done(whole.shard).pairs == (before.planes,)
    state = ledger.commit("third", [built(part_of(piece(DEEP, 3), 0, 8))])
    assert not state.done(piece(DEEP, 3).shard).pairs
    assert ledger.claim([whole], "other").granted == (whole,)
    assert ledger.commit("other", [built(whole)]).missing(whole.shard).pairs == ()


def test_committed_twice_or_without_a_claim(tmp_path: Path) -> None:
    ledger, whole = ledger_of(pyramid_in(tmp_path)), piece(DEEP)
    some, others = part_of(whole, 0, 3), part_of(whole, 3, 8)
    ledger.claim([some], "one")
    ledger.commit("one", [built(some)])
    ledger.claim([others], "other")
    assert ledger.commit("one", [built(some)]).is_done(whole.shard, (0, 3))
    assert not ledger.commit("one", [built(others)]).is_done(whole.shard, (3, 8))
    assert ledger.commit("other", [built(others)]).is_done(whole.shard, (0, 8))


def test_takeovers_are_forgotten_after_a_day(tmp_path: Path, clock: Clock) -> None:
    ledger = ledger_of(pyramid_in(tmp_path), clock)
    first, second = pieces_of(DEEP, 1)[:2]
    ledger.claim([first], "slow")
    clock.now += 31
    ledger.claim([first], "other")
    assert ledger.look().takeovers
    clock.now += 90_000
    ledger.claim([second], "other")
    assert not ledger.look().takeovers


def test_check_claim(tmp_path: Path, clock: Clock) -> None:
    pyramid, whole = pyramid_in(tmp_path), piece(DEEP)
    ledger, worker = ledger_of(pyramid, clock), Ledger.of(pyramid)
    some, others = part_of(whole, 0, 3), part_of(whole, 3, 8)
    with pytest.raises(StoreError, match="nobody has claimed"):
        worker.check_claim(some)
    ledger.claim([some], "one")
    worker.check_claim(some)
    clock.now += 31
    worker.check_claim(some)
    ledger.claim([others], "other")
    with pytest.raises(StoreError, match="nobody has claimed"):
        worker.check_claim(some)
    worker.check_claim(others)


@pytest.mark.parametrize("seed", range(3))
def test_statistics_of_whole_planes(tmp_path: Path, statistics: Statistics, seed: int) -> None:
    """Merged in the order of shards, whatever the order in which they are built, to the last bit."""
    ledger = ledger_of(pyramid_in(tmp_path, WIDE), None, statistics)
    every = [one for level in (1, 2) for one in pieces_of(WIDE, level)]
    random.Random(seed).shuffle(every)
    rest = {one.shard for one in every}
    while every:
        some = [every.pop() for _ in range(min(3, len(every)))]
        ledger.claim(some, "one")
        state = ledger.commit("one", [built(one) for one in some])
        rest -= {one.shard for one in some}
        for level in (1, 2):
            for plane in range(WIDE.count):
                is_whole = not any(shard in rest for shard in WIDE.shards(level, (plane, plane + 1)))
                assert state.complete(level, plane) == is_whole
                assert ((level, plane) in statistics.found) == state.is_described(level, plane) == is_whole
    assert not state.parts
    for level in (0, 1, 2):
        for plane in range(WIDE.count):
            shards = WIDE.shards(max(1, level), (plane, plane + 1))
            assert statistics.found[level, plane] == merged(statistics_of(level, plane, shard) for shard in shards)


def test_statistics_that_are_missing(tmp_path: Path) -> None:
    ledger = ledger_of(pyramid_in(tmp_path))
    ledger.claim([piece(DEEP)], "one")
    good = built(piece(DEEP))
    for some in (good.statistics[1:], (*good.statistics, good.statistics[0])):
        with pytest.raises(ValueError, match="not of all of its planes"):
            ledger.commit("one", [BuiltPiece(good.piece, 0, 1, some)])
    assert ledger.commit("one", [good]).is_done(good.piece.shard, good.piece.planes)


def test_killed_between_statistics_and_ledger(tmp_path: Path, statistics: Statistics) -> None:
    """Nothing is recorded, nothing is lost: it is done once more."""
    pyramid = pyramid_in(tmp_path, WIDE)
    ledger = ledger_of(pyramid, None, statistics)
    every = pieces_of(WIDE, 1)
    ledger.claim(every, "one")
    ledger.commit("one", [built(one) for one in every[:-1]])
    statistics.failure = OSError("no room")
    with pytest.raises(OSError, match="no room"):
        ledger.commit("one", [built(every[-1])])
    again = ledger_of(pyramid, None, statistics)
    assert not again.look().is_done(every[-1].shard, every[-1].planes)
    statistics.failure = None
    assert again.commit("one", [built(every[-1])]).complete(1, WIDE.count - 1)
    assert (0, WIDE.count - 1) in statistics.found


def test_the_same_object_until_something_changes(tmp_path: Path) -> None:
    pyramid = pyramid_in(tmp_path)
    ledger, other = ledger_of(pyramid), ledger_of(pyramid)
    other.claim([piece(DEEP)], "other")
    state = ledger.look()
    assert ledger.look() is state
    time.sleep(0.15)
    assert ledger.look() is state
    assert ledger.look() is state
    assert other.renew("nobody") is other.look()
    other.commit("other", [built(piece(DEEP))])
    assert ledger.look() is not state
    assert ledger.look().is_done(piece(DEEP).shard, piece(DEEP).planes)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b'{"visiomatic-ledger": "1"}', b'{"visiomatic-ledger": 1}', b"nul"]
)
def test_unreadable(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What it says cannot be known: nothing counts as done, and all is built again."""
    pyramid, one = pyramid_in(tmp_path), piece(DEEP)
    ledger = ledger_of(pyramid)
    ledger.claim([one], "one")
    ledger.commit("one", [built(one)])
    path = tmp_path / "ledger.json"
    if content == b'{"visiomatic-ledger": 1}':
        content = json.dumps({"visiomatic-ledger": 1, "cut": json.loads(path.read_bytes())["cut"]}).encode()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert not ledger.look().is_done(one.shard, one.planes)
    assert "its ledger cannot be read" in caplog.text
    assert ledger.claim([one], "one").granted == (one,)
    assert ledger.commit("one", [built(one)]).is_done(one.shard, one.planes)
    assert Ledger.of(pyramid).look().is_done(one.shard, one.planes)


def test_removed(tmp_path: Path) -> None:
    pyramid, one = pyramid_in(tmp_path / "a.zarr"), piece(DEEP)
    ledger = ledger_of(pyramid)
    ledger.claim([one], "one")
    (tmp_path / "a.zarr" / "ledger.json").unlink()
    assert not ledger.look().claims
    assert not ledger.commit("one", [built(one)]).is_done(one.shard, one.planes)
    (tmp_path / "a.zarr" / "zarr.json").unlink()
    with pytest.raises(PyramidGone, match=r"^a\.zarr is no longer in the store$"):
        Ledger.of(pyramid).look()
    (tmp_path / "a.zarr").rename(tmp_path / "b.zarr")
    for ask in (ledger.look, lambda: ledger.commit("one", [built(one)]), lambda: ledger.claim([one], "one")):
        with pytest.raises(PyramidGone):
            ask()
    assert [one.name for one in tmp_path.iterdir()] == ["b.zarr"]


def test_of_another_version(tmp_path: Path) -> None:
    """It is left alone."""
    pyramid = pyramid_in(tmp_path)
    ledger_of(pyramid).claim([piece(DEEP)], "one")
    path = tmp_path / "ledger.json"
    content = path.read_bytes().replace(b'"visiomatic-ledger":1', b'"visiomatic-ledger":2')
    path.write_bytes(content)
    for ask in (Ledger.of(pyramid).look, lambda: ledger_of(pyramid).claim([piece(DEEP)], "one")):
        with pytest.raises(StoreError, match="another version of visiomatic-dask"):
            ask()
    assert path.read_bytes() == content


def test_cut_in_another_way(tmp_path: Path) -> None:
    ledger_of(pyramid_in(tmp_path)).claim([piece(DEEP)], "one")
    with pytest.raises(StoreError, match="another version of visiomatic-dask"):
        Ledger.of(pyramid_at(tmp_path, PyramidPlan(3000, 2000, 40, 1, 128, 8))).look()


def test_written_as_it_is_read(tmp_path: Path, clock: Clock) -> None:
    ledger = ledger_of(pyramid_in(tmp_path, WIDE), clock)
    every = pieces_of(WIDE, 1)
    ledger.claim(every[:4], "slow")
    clock.now += 31
    ledger.claim(every[:3], "other")
    state = ledger.commit("other", [built(one) for one in every[:2]])
    again = decode(encode(state), WIDE)
    assert encode(again) == encode(state)
    for name in ("shards", "claims", "takeovers", "parts", "described"):
        assert getattr(again, name) == getattr(state, name)
        assert getattr(state, name) or name == "described"


def test_in_memory(tmp_path: Path) -> None:
    """At a URL, where looking is a request, it is asked once a second at most."""
    fs = fsspec.filesystem("memory")
    pyramid, one = pyramid_at(f"memory://{tmp_path.name}/a.zarr"), piece(DEEP)
    fs.pipe_file(f"/{tmp_path.name}/a.zarr/zarr.json", b"{}")
    ledger, other = ledger_of(pyramid), ledger_of(pyramid)
    assert other.look().done_planes == 0
    ledger.claim([one], "one")
    assert ledger.commit("one", [built(one)]).is_done(one.shard, one.planes)
    assert other.look().done_planes == 0
    time.sleep(1.05)
    assert other.look().is_done(one.shard, one.planes)
    fs.rm(f"/{tmp_path.name}", recursive=True)
    time.sleep(1.05)
    with pytest.raises(PyramidGone):
        other.look()


def test_large(tmp_path: Path) -> None:
    """Ten thousand shards: what is written at every commit stays small, and so does what it takes."""
    plan = PyramidPlan(81_920, 81_920, 145, 1, 256)
    ledger = ledger_of(pyramid_in(tmp_path, plan))
    every = pieces_of(plan, 1)
    assert len(every) > 10_000
    ledger.claim(every[:-1], "one")
    ledger.commit("one", [built(one, 70_000_000 + number) for number, one in enumerate(every[:-1])])
    assert (tmp_path / "ledger.json").stat().st_size < 400_000
    ledger.claim(every[-1:], "one")
    begin = time.process_time()
    state = ledger.commit("one", [built(every[-1])])
    assert time.process_time() - begin < 3  # a tenth of a second; with the square of the shards it would be minutes
    assert state.complete(1, 144)
    begin = time.process_time()
    assert Ledger.of(ledger.pyramid).look().complete(1, 0)
    assert time.process_time() - begin < 3  # a tenth of a second; with the square of the shards it would be minutes
