"""The builder on real workers in the test's process, with a real store."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer, Reader, Window
from visiomatic_dask.engine import builder as builder_module
from visiomatic_dask.engine.build_news import BuildNews
from visiomatic_dask.engine.build_order import TopPieces, pieces_over
from visiomatic_dask.engine.build_slots import BuildSlots
from visiomatic_dask.engine.build_task import build_task
from visiomatic_dask.engine.builder import Builder
from visiomatic_dask.errors import CubeChanged, StoreError
from visiomatic_dask.pyramid.store.build import build_piece
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.ledger_state import LedgerState
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, Pyramid
from visiomatic_dask.pyramid.tiles import Box

from .clusters import local_cluster
from .stored import assert_same, contents, new_pyramid, reference, write_cube

SHAPE = (3, 611, 809)


@dataclass(frozen=True)
class Slow:
    """Another reader, taking its time, or failing."""

    reader: Reader
    delay: float = 0.0
    error: Exception | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.reader.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.reader.dtype

    @property
    def token(self) -> str:
        return self.reader.token

    @property
    def fingerprint(self) -> str:
        return self.reader.fingerprint

    @property
    def source_itemsize(self) -> int:
        return self.reader.source_itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        return self.reader.chunks

    def read(self, window: Window) -> NDArray[Any]:
        time.sleep(self.delay)
        if self.error is not None:
            raise self.error
        return self.reader.read(window)


class Stage:
    """A builder on a cluster, and what it has told."""

    numbers = itertools.count()

    def __init__(self, client: Client | None, workers: Sequence[str]) -> None:
        self.client = client
        self.news: list[BuildNews] = []
        self.builder = Builder(lambda: self.client, lambda: workers, f"test-{next(self.numbers)}", self.news.append)

    def want(self, pyramid: Pyramid, reader: Reader, urgent: bool = False) -> None:
        self.builder.want(pyramid, reader, TopPieces(pyramid.plan), urgent=urgent)

    async def finish(self, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            await self.builder.finish()

    @property
    def done(self) -> list[Piece]:
        return [piece for one in self.news for piece in one.done]

    @property
    def failures(self) -> list[str]:
        return [one.failed for one in self.news if one.failed]


@asynccontextmanager
async def stages(count: int = 1, workers: int = 2) -> AsyncIterator[list[Stage]]:
    async with local_cluster(workers=workers, plugin=False) as (client, found):
        all_stages = [Stage(client, [worker.address for worker in found]) for _ in range(count)]
        try:
            yield all_stages
        finally:
            for stage in all_stages:
                await stage.builder.close()


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    write_cube(tmp_path / "sky.fits", SHAPE)
    return tmp_path / "sky.fits"


@pytest.fixture
def pyramid(tmp_path: Path, cube: Path) -> tuple[Pyramid, Layer]:
    return new_pyramid(tmp_path / "store", cube)


def built_here(tmp_path: Path, cube: Path) -> Pyramid:
    """The same pyramid, built piece by piece without any cluster."""
    pyramid, layer = new_pyramid(tmp_path / "reference", cube)
    ledger = Ledger.of(pyramid)
    for grid in pyramid.plan.levels:
        pieces = [Piece(shard, *pyramid.plan.planes(shard)) for shard in pyramid.plan.shards(grid.level)]
        assert ledger.claim(pieces, "me").granted == tuple(pieces)
        ledger.commit("me", [build_piece(pyramid, layer.reader, piece) for piece in pieces])
    return pyramid


def test_builds_everything_exactly(tmp_path: Path, cube: Path, pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(built, layer.reader)
            assert not stage.news
            await stage.finish()
            assert not stage.failures
            assert stage.news[-1].is_over
            progress = stage.news[-1].progress
            assert progress.done_bytes == progress.total_bytes == stage.news[-1].read == np.prod(SHAPE) * 4
            assert progress.rate > 0
            assert max(Counter(stage.done).values()) == 1
            assert set(TopPieces(built.plan)) <= set(stage.done)

    asyncio.run(main())
    state = Ledger.of(built).look()
    assert state.is_whole
    assert not state.claims
    assert len(list(built.plan.shards(1))) > 4
    pixels = layer.reader.read(Window((0, 0, 0), SHAPE))
    arrays = contents(built)
    for grid in built.plan.levels:
        expected = reference(pixels, grid.level)
        found = arrays[f"{grid.level}/data"]
        assert np.array_equal(np.isnan(found), np.isnan(expected))
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert_same(built, built_here(tmp_path, cube))


def test_two_builders_share_the_work(tmp_path: Path, cube: Path, pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with stages(2) as both:
            for stage in both:
                stage.want(built, Slow(layer.reader, 0.01))
            await asyncio.gather(*(stage.finish() for stage in both))
            for stage in both:
                assert not stage.failures
                assert set(TopPieces(built.plan)) <= set(stage.done)
                assert stage.news[-1].progress.done_bytes == np.prod(SHAPE) * 4
            shares = [stage.news[-1].read for stage in both]
            assert sum(shares) == np.prod(SHAPE) * 4  # nothing was read twice
            assert all(shares)

    asyncio.run(main())
    assert not Ledger.of(built).look().claims
    assert_same(built, built_here(tmp_path, cube))


def test_one_fails_and_the_other_is_built(tmp_path: Path, pyramid: tuple[Pyramid, Layer]) -> None:
    failing, layer = pyramid
    write_cube(tmp_path / "other.fits", SHAPE, 2)
    other, other_layer = new_pyramid(tmp_path / "store", tmp_path / "other.fits")

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(failing, Slow(layer.reader, error=CubeChanged("the file has changed")))
            stage.want(other, other_layer.reader)
            await stage.finish()
            assert stage.failures == ["the file has changed"]
            assert next(one for one in stage.news if one.failed).is_over
            assert not [one for one in stage.news if one.pyramid == failing and one.done]
            told = len(stage.news)
            stage.want(failing, layer.reader)  # not at once
            await stage.finish()
            assert len(stage.news) == told

    asyncio.run(main())
    assert not Ledger.of(failing).look().claims
    assert Ledger.of(other).look().is_whole


def test_what_is_no_error_of_ours_is_logged(pyramid: tuple[Pyramid, Layer], caplog: pytest.LogCaptureFixture) -> None:
    failing, layer = pyramid

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(failing, Slow(layer.reader, error=ZeroDivisionError("oh")))
            await stage.finish()
            assert len(stage.failures) == 1
            assert "log" in stage.failures[0]

    asyncio.run(main())
    assert "oh" in caplog.text


def test_an_evicted_pyramid(tmp_path: Path, pyramid: tuple[Pyramid, Layer]) -> None:
    evicted, layer = pyramid

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(evicted, Slow(layer.reader, 0.05))
            while not stage.done:
                await asyncio.sleep(0.01)
            StoreFolder.of(str(tmp_path / "store")).remove_tree(Path(evicted.address).name)
            await stage.finish()
            assert len(stage.failures) == 1
            assert re.search("(no longer|any more)", stage.failures[0])

    asyncio.run(main())


@pytest.mark.parametrize(("times", "fails"), [(2, False), (3, True)])
def test_a_ledger_that_is_busy(
    pyramid: tuple[Pyramid, Layer], monkeypatch: pytest.MonkeyPatch, times: int, fails: bool
) -> None:
    built, layer = pyramid
    commit, calls = Ledger.commit, itertools.count()

    def busy(self: Ledger, owner: str, pieces: Sequence[BuiltPiece]) -> LedgerState:
        if next(calls) < times:
            raise StoreError("the store takes too long to be written; try again")
        return commit(self, owner, pieces)

    monkeypatch.setattr(Ledger, "commit", busy)
    monkeypatch.setattr("visiomatic_dask.engine.pyramid_build._PAUSE", 0.05)

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(built, layer.reader)
            await stage.finish()
            assert bool(stage.failures) is fails
            if not fails:
                assert stage.news[-1].read == np.prod(SHAPE) * 4

    asyncio.run(main())
    assert not Ledger.of(built).look().claims


def test_waits_for_a_cluster_and_goes_on_with_the_next(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with local_cluster(plugin=False) as (client, (worker,)):
            stage = Stage(None, [worker.address])
            stage.want(built, Slow(layer.reader, 0.02))
            await asyncio.sleep(0.3)
            assert not stage.done
            stage.client = client
            while not stage.done:
                await asyncio.sleep(0.01)
            stage.client = None
            await asyncio.sleep(1.5)
            before = len(stage.done)
            await asyncio.sleep(0.5)
            assert len(stage.done) == before
            assert not stage.failures
        async with local_cluster(plugin=False) as (client, (worker,)):
            stage.builder._workers = lambda: [worker.address]
            stage.client = client
            await stage.finish()
            assert not stage.failures
            await stage.builder.close()

    asyncio.run(main())
    assert Ledger.of(built).look().is_whole


def test_all_workers_are_lost_and_others_come(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with local_cluster(plugin=False) as (client, (worker,)):
            cluster = client.cluster
            stage = Stage(client, [worker.address])
            stage.want(built, Slow(layer.reader, 0.05))
            while not stage.done:
                await asyncio.sleep(0.01)
            await cluster.scale(0)
            await worker.finished()
            await asyncio.sleep(0.3)
            assert not stage.failures
            await cluster.scale(1)
            await client.wait_for_workers(1)
            (another,) = cluster.workers.values()
            stage.builder._workers = lambda: [another.address]
            await stage.finish()
            assert not stage.failures
            await stage.builder.close()

    asyncio.run(main())
    assert Ledger.of(built).look().is_whole


def test_a_piece_that_costs_every_worker(pyramid: tuple[Pyramid, Layer]) -> None:
    """As by the memory it takes: that ends, and is said."""
    built, layer = pyramid

    async def main() -> None:
        async with stages() as (stage,):
            lost = {f"tcp://127.0.0.1:{number}": {"nthreads": 1, "memory_limit": 0} for number in range(9)}
            stage.want(built, Slow(layer.reader, 0.5))
            while not stage.builder._under_way:
                await asyncio.sleep(0.01)
            assert stage.client is not None
            piece = next(iter(stage.builder._under_way)).piece
            for _ in range(5):
                while not (mine := [one for one in stage.builder._under_way if one.piece == piece]):
                    await asyncio.sleep(0.01)
                assert not stage.failures
                workers = {one.worker: {"nthreads": 1, "memory_limit": 0} for one in stage.builder._under_way}
                del workers[mine[0].worker]
                stage.builder._learn(stage.client, lost | workers)
            await stage.finish()
            assert len(stage.failures) == 1
            assert "memory" in stage.failures[0]

    asyncio.run(main())


def test_takes_over_what_others_have_left(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid
    pieces = [Piece(shard, *built.plan.planes(shard)) for shard in built.plan.shards(1)]
    Ledger(built, life=2.5).claim(pieces[:3], "somebody who is gone")

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(built, layer.reader)
            await asyncio.sleep(1.5)
            assert not set(pieces[:3]) & set(stage.done)
            assert set(pieces[3:]) <= set(stage.done)
            await stage.finish()
            assert not stage.failures

    asyncio.run(main())
    assert Ledger.of(built).look().is_whole


def test_claims_are_renewed(pyramid: tuple[Pyramid, Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that takes longer than a claim lasts is not taken over, since its builder is alive."""
    built, layer = pyramid
    monkeypatch.setattr("visiomatic_dask.engine.pyramid_build._RENEW", 0.3)
    monkeypatch.setattr(Ledger, "of", classmethod(lambda cls, one: cls(one, life=1.0)))

    async def main() -> None:
        async with stages(2) as both:
            for stage in both:
                stage.want(built, Slow(layer.reader, 0.4))
            await asyncio.gather(*(stage.finish(60) for stage in both))
            assert sum(stage.news[-1].read for stage in both) == np.prod(SHAPE) * 4

    asyncio.run(main())


def test_forgets(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(built, Slow(layer.reader, 0.05))
            while not stage.done:
                await asyncio.sleep(0.01)
            stage.builder.forget({"another"})
            stage.builder.forget({built.fingerprint})
            await stage.finish()
            assert not stage.failures
            assert not stage.news[-1].is_over

    asyncio.run(main())
    state = Ledger.of(built).look()
    assert not state.claims
    assert 0 < len(state.shards) < sum(grid.down * grid.across for grid in built.plan.levels) * 3


def test_closing_leaves_the_rest_to_others(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with stages(2) as (first, second):
            first.want(built, Slow(layer.reader, 0.05))
            while not first.done:
                await asyncio.sleep(0.01)
            await first.builder.close()
            assert not Ledger.of(built).look().claims
            first.want(built, layer.reader)
            await first.finish()
            second.want(built, layer.reader)
            await second.finish(10)  # far less than claims last

    asyncio.run(main())
    assert Ledger.of(built).look().is_whole


def test_closing_does_not_wait_for_long(pyramid: tuple[Pyramid, Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    built, layer = pyramid
    monkeypatch.setattr(builder_module, "_PATIENCE", 0.3)

    async def main() -> None:
        async with stages() as (stage,):
            stage.want(built, Slow(layer.reader, 2.0))
            await asyncio.sleep(0.5)
            start = time.monotonic()
            await stage.builder.close()
            assert time.monotonic() - start < 1
            # Its tasks may still write: nobody else may, until the claims have expired.
            assert Ledger.of(built).look().claims

    asyncio.run(main())


def test_what_is_looked_at_comes_first(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid

    async def main() -> None:
        async with stages(workers=1) as (stage,):
            stage.want(built, Slow(layer.reader, 0.02))
            while not stage.done:
                await asyncio.sleep(0.01)
            top = len(built.plan.levels)
            grid = built.plan.grid(top)
            wanted = pieces_over(built.plan, top, (2, 3), Box(0, 0, grid.height, grid.width))
            stage.builder.want(built, layer.reader, wanted, urgent=True)
            await stage.finish()
            order = [piece for piece in stage.done if piece.shard.level == 1]
            places = [number for number, piece in enumerate(order) if piece.first == 2]
            others = [number for number, piece in enumerate(order) if piece.first == 1]
            assert max(places) < max(others)

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")
def test_builds_leave_bricks_their_threads(pyramid: tuple[Pyramid, Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    built, layer = pyramid
    go, niceness = threading.Event(), []

    def waiting(*arguments: Any) -> BuiltPiece:
        niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        assert go.wait(20)
        return build_piece(*arguments)

    monkeypatch.setattr("visiomatic_dask.pyramid.store.build.build_piece", waiting)

    def a_brick() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def main() -> None:
        async with stages(workers=1) as (stage,):
            stage.want(built, layer.reader)
            while len(niceness) < 3:  # two threads and one
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            assert len(niceness) == 3
            assert stage.client is not None
            async with asyncio.timeout(5):
                bricks = stage.client.map(lambda _: a_brick(), range(20), pure=False)
                found = await stage.client.gather(bricks)
            assert max(found) < min(niceness)
            go.set()
            await stage.finish()

    asyncio.run(main())


def test_what_nobody_has_claimed_any_more_is_not_written(pyramid: tuple[Pyramid, Layer]) -> None:
    built, layer = pyramid
    piece = Piece(next(built.plan.shards(1)), 0, 1)
    before = contents(built)
    assert build_task(built, layer.reader, piece) is None
    after = contents(built)
    assert all(np.array_equal(after[name], values, equal_nan=True) for name, values in before.items())
    Ledger.of(built).claim([piece], "me")
    done = build_task(built, layer.reader, piece)
    assert done is not None
    assert done.piece == piece


GB = 10**9


@pytest.mark.parametrize(
    ("threads", "limit", "most"),
    [(2, 0, 3), (2, 8 * GB, 3), (2, GB, 1), (2, 2 * GB, 2), (1, GB // 10, 1), (8, 16 * GB, 9)],
)
def test_a_worker_builds_no_more_than_it_has_memory_for(threads: int, limit: int, most: int) -> None:
    slots = BuildSlots()
    assert slots.choose(["a"], Counter()) is None
    slots.learn({"a": {"nthreads": threads, "memory_limit": limit}})
    busy: Counter[str] = Counter()
    while (worker := slots.choose(["a"], busy)) is not None:
        busy[worker] += 1
    assert busy["a"] == most == slots.count


def test_pieces_are_spread_over_workers() -> None:
    slots = BuildSlots()
    slots.learn({"a": {"nthreads": 2, "memory_limit": 0}, "b": {"nthreads": 4, "memory_limit": 0}})
    busy: Counter[str] = Counter()
    for _ in range(6):
        worker = slots.choose(["a", "b"], busy)
        assert worker is not None
        busy[worker] += 1
    assert busy == {"a": 2, "b": 4}
    assert slots.choose(["a", "b"], busy) is not None
    assert slots.count == 7
    assert slots.choose(["a"], Counter({"a": 3})) is None
    assert slots.choose([], Counter()) is None
