"""The tile stream against a real worker, over TCP and in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from distributed import Client, Worker
from distributed.comm import Comm
from distributed.core import Status

from visiomatic_dask import __version__
from visiomatic_dask.engine.stream import Answer, StreamClosed, TileStream
from visiomatic_dask.engine.tile_job import BrickAbsent, TileJob
from visiomatic_dask.engine.worker import HANDLER, TileStreamPlugin
from visiomatic_dask.errors import ClusterError, CubeChanged, Unavailable
from visiomatic_dask.pyramid import Box
from visiomatic_dask.readers.shared_cache import CHUNKS

from .. import reference
from .clusters import a_job, a_recipe, local_cluster
from .made_up import MadeUp

pytestmark = pytest.mark.timeout(60)
both_protocols = pytest.mark.parametrize("protocol", ["tcp", "inproc"])


@asynccontextmanager
async def stream_to(
    worker: Worker, silence: float = 1.0, deadline: float = 20.0
) -> AsyncIterator[tuple[TileStream, list[int], list[str]]]:
    """Give an open stream, the numbers of front ends it was told, and what it said when it closed."""
    told: list[int] = []
    closed: list[str] = []
    stream = TileStream(worker.address, silence, deadline, told.append, lambda: closed.append("closed"))
    await stream.open(__version__)
    try:
        yield stream, told, closed
    finally:
        await stream.close()


def with_worker(protocol: str, use: Callable[[Client, Worker], Awaitable[None]]) -> None:
    async def main() -> None:
        async with local_cluster(protocol) as (client, (worker,)), asyncio.timeout(40):
            await use(client, worker)

    asyncio.run(main())


def speaking(speak: Callable[[Comm], Awaitable[None]]) -> Callable[..., Awaitable[Any]]:
    """A handler that says hello like ours, and then does something else."""

    async def handler(comm: Comm) -> Status:
        hello = {"version": __version__, "distributed": "", "threads": 2, "memory_limit": 10**9, "front_ends": 1}
        await comm.write(hello)
        try:
            await speak(comm)
        except OSError:
            pass  # the front end is gone
        finally:
            comm.abort()
        return Status.dont_reply

    return handler


@both_protocols
def test_many_tiles_each_gets_its_own_answer(protocol: str) -> None:
    async def use(_: Client, worker: Worker) -> None:
        async with stream_to(worker) as (stream, told, _closed):
            jobs = [a_job(a_recipe(channel)) for channel in range(99)]
            answers = await asyncio.gather(*(stream.ask(job) for job in jobs))
            for channel, answer in enumerate(answers):
                values = reference.level_of(a_recipe().reader.read(channel_window(channel))[0], 0)
                reference.assert_close(answer.data, reference.displayed(values / 9999, 1), 1)
                assert answer.moved
            assert set(told) == {1}
            assert stream.memory_limit == worker.memory_manager.memory_limit

    with_worker(protocol, use)


class Untold(Exception):
    """Survives the pickling of a recipe, but not that of an error that was raised: see `__reduce__`."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second

    def __reduce__(self) -> tuple[Any, ...]:
        return (Untold, (self.args[0], self.second)) if self.__traceback__ is None else (Untold, (self.args[0],))


def channel_window(channel: int) -> Any:
    from visiomatic_dask.cube import Window

    return Window((channel, 0, 0), (channel + 1, 64, 64))


@both_protocols
def test_requests_of_one_turn_go_in_one_message(protocol: str) -> None:
    messages: list[int] = []

    async def speak(comm: Comm) -> None:
        while True:
            requests = await comm.read()
            messages.append(len(requests))
            await comm.write((1, [(number, "ok", (b"x", 0.0, 0.0, 0.0)) for number, _ in requests]))

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker) as (stream, _told, _closed):
            await asyncio.gather(*(stream.ask(a_job()) for _ in range(20)))
        assert messages[0] == 8  # four for each of two threads
        assert sum(messages) == 20
        assert max(messages) <= 8

    with_worker(protocol, use)


@both_protocols
def test_quick_tiles_overtake_slow_ones(protocol: str) -> None:
    async def use(_: Client, worker: Worker) -> None:
        async with stream_to(worker, silence=5) as (stream, _told, _closed):
            order: list[str] = []

            async def ask(name: str, delay: float) -> None:
                await stream.ask(a_job(a_recipe(delay=delay)))
                order.append(name)

            await asyncio.gather(ask("slow", 0.5), ask("quick", 0), ask("quick", 0))
            assert order == ["quick", "quick", "slow"]

    with_worker(protocol, use)


@both_protocols
def test_a_brick_that_is_there_is_not_moved(protocol: str) -> None:
    async def use(client: Client, worker: Worker) -> None:
        recipe = a_recipe(3)
        job = a_job(recipe)
        from visiomatic_dask.engine.brick_tasks import BrickTask, make_brick

        future = client.submit(make_brick, BrickTask(job.key, recipe), key=job.key)
        await future
        async with stream_to(worker) as (stream, _told, _closed):
            there = await stream.ask(job)
            assert not there.moved
            future.release()
            async with asyncio.timeout(10):
                while job.key in worker.data:
                    await asyncio.sleep(0.01)
            gone = await stream.ask(job)
            assert gone.moved
            assert gone.data == there.data

    with_worker(protocol, use)


@both_protocols
def test_what_goes_wrong_there_is_raised_here(protocol: str) -> None:
    async def use(_: Client, worker: Worker) -> None:
        async with stream_to(worker) as (stream, _told, _closed):
            with pytest.raises(CubeChanged, match="gone"):
                await stream.ask(a_job(a_recipe(error=CubeChanged("gone"))))
            with pytest.raises(ZeroDivisionError):
                await stream.ask(a_job(a_recipe(error=ZeroDivisionError())))
            with pytest.raises(RuntimeError, match="Untold"):  # its pickle cannot be read back
                await stream.ask(a_job(a_recipe(error=Untold("a", "b"))))
            large = a_recipe()
            large = type(large)(MadeUp((1, 2**20, 2**20)), 9, (0, 1), Box(0, 0, 64, 64))
            with pytest.raises(BrickAbsent):
                await stream.ask(a_job(large))
            assert (await stream.ask(a_job())).data

    with_worker(protocol, use)


@both_protocols
def test_a_silent_worker_is_noticed_by_all_who_wait(protocol: str) -> None:
    async def speak(comm: Comm) -> None:
        while True:
            await comm.read()  # and never answers

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker, silence=0.6) as (stream, _told, closed):
            start = time.monotonic()
            asked = [asyncio.ensure_future(stream.ask(a_job())) for _ in range(30)]  # 8 are sent, 22 wait
            results = await asyncio.gather(*asked, return_exceptions=True)
            elapsed = time.monotonic() - start
            assert {type(one) for one in results} == {TimeoutError}
            assert 0.6 <= elapsed < 1.5 * 0.6 + 0.4  # the last is for a busy machine
            assert closed == []

    with_worker(protocol, use)


@both_protocols
def test_closing_tells_all_who_wait(protocol: str) -> None:
    async def use(_: Client, worker: Worker) -> None:
        async with stream_to(worker, silence=30) as (stream, _told, closed):
            asked = [asyncio.ensure_future(stream.ask(a_job(a_recipe(delay=5)))) for _ in range(20)]
            await asyncio.sleep(0)
            await stream.close()
            results = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(one) for one in results} == {StreamClosed}
            assert closed == ["closed"]
            with pytest.raises(StreamClosed):
                await stream.ask(a_job())

    with_worker(protocol, use)


@both_protocols
def test_a_worker_that_closes_tells_all_who_wait(protocol: str) -> None:
    async def speak(comm: Comm) -> None:
        await comm.read()

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker, silence=30) as (stream, _told, closed):
            results = await asyncio.gather(*(stream.ask(a_job()) for _ in range(20)), return_exceptions=True)
            assert {type(one) for one in results} == {StreamClosed}
            assert closed == ["closed"]

    with_worker(protocol, use)


def test_a_front_end_that_goes_leaves_its_tiles_undone() -> None:
    async def use(_: Client, worker: Worker) -> None:
        plugin = next(p for p in worker.plugins.values() if isinstance(p, TileStreamPlugin))
        async with stream_to(worker, silence=0.4) as (stream, _told, _closed):
            slow = [asyncio.ensure_future(stream.ask(a_job(a_recipe(delay=0.3)))) for _ in range(2)]
            more = [asyncio.ensure_future(stream.ask(a_job(a_recipe(delay=0.3)))) for _ in range(20)]
            await asyncio.sleep(0.05)
            for one in more:
                one.cancel()
            await asyncio.gather(*slow)
            start = time.monotonic()
            assert (await stream.ask(a_job())).data
            # 20 more of 0.3 s each on two threads would have taken 3 s
            assert time.monotonic() - start < 1.0
            assert plugin.connections == 1
        async with asyncio.timeout(10):
            while plugin.connections:
                await asyncio.sleep(0.01)

    with_worker("tcp", use)


@both_protocols
def test_viewers_take_turns(protocol: str) -> None:
    order: list[int] = []

    async def speak(comm: Comm) -> None:
        while True:
            for number, job in await comm.read():
                order.append(TileJob(*job).top)
                await comm.write((1, [(number, "ok", (b"x", 0.0, 0.0, 0.0))]))

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker) as (stream, _told, _closed):
            greedy = [stream.ask(a_job()._replace(top=number), "greedy") for number in range(40)]
            modest = [stream.ask(a_job()._replace(top=100 + number), "modest") for number in range(4)]
            await asyncio.gather(*greedy, *modest)
        # Eight were under way when the second viewer came, then it was one each
        assert max(order.index(100 + number) for number in range(4)) <= 8 + 2 * 4

    with_worker(protocol, use)


@both_protocols
def test_what_is_given_up_is_dropped_at_once_and_what_was_not_sent_is_never_sent(protocol: str) -> None:
    heard: list[tuple[int, bool]] = []

    async def speak(comm: Comm) -> None:
        while True:
            heard.extend((number, job is None) for number, job in await comm.read())

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker, silence=30) as (stream, _told, _closed):
            asked = [asyncio.ensure_future(stream.ask(a_job())) for _ in range(8)]
            waiting = [asyncio.ensure_future(stream.ask(a_job())) for _ in range(5)]
            await asyncio.sleep(0.05)
            for one in (*waiting, *asked):
                one.cancel()
            await asyncio.sleep(0.05)
        assert heard[:8] == [(number, False) for number in range(8)]
        assert sorted(heard[8:]) == [(number, True) for number in range(8)]

    with_worker(protocol, use)


@both_protocols
def test_one_late_tile_does_not_make_a_worker_silent(protocol: str) -> None:
    async def speak(comm: Comm) -> None:
        while True:
            answers = [(n, "ok", (b"x", 0.0, 0.0, 0.0)) for n, job in await comm.read() if job and job[3] != 13]
            await comm.write((1, answers))

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker, silence=0.3) as (stream, _told, _closed):
            start = time.monotonic()
            late = asyncio.ensure_future(stream.ask(a_job()._replace(top=13)))
            while not late.done():
                assert (await stream.ask(a_job())).data == b"x"
                await asyncio.sleep(0.02)
            with pytest.raises(TimeoutError, match="takes too long over a tile"):
                await late
            assert 1.2 <= time.monotonic() - start < 2.5

    with_worker(protocol, use)


@both_protocols
def test_what_waits_longer_than_the_deadline_is_not_sent(protocol: str) -> None:
    async def speak(comm: Comm) -> None:
        while True:
            requests = await comm.read()
            await asyncio.sleep(0.4)
            await comm.write((1, [(number, "ok", (b"x", 0.0, 0.0, 0.0)) for number, _ in requests]))

    async def use(_: Client, worker: Worker) -> None:
        worker.handlers[HANDLER] = speaking(speak)
        async with stream_to(worker, silence=5, deadline=0.6) as (stream, _told, _closed):
            results = await asyncio.gather(*(stream.ask(a_job()) for _ in range(40)), return_exceptions=True)
            refused = [one for one in results if isinstance(one, Unavailable)]
            assert 8 <= len(refused) <= 24
            assert len(refused) + sum(isinstance(one, Answer) for one in results) == 40

    with_worker(protocol, use)


@both_protocols
def test_answers_say_where_the_time_went(protocol: str) -> None:
    async def use(_: Client, worker: Worker) -> None:
        async with stream_to(worker) as (stream, _told, _closed):
            start = time.monotonic()
            answer = await stream.ask(a_job(a_recipe(delay=0.2)))
            assert 0.2 <= answer.timing.read < 0.4
            assert min(answer.timing) >= 0
            assert sum(answer.timing) <= time.monotonic() - start + 0.001

    with_worker(protocol, use)


@both_protocols
def test_front_ends_hear_of_each_other_at_once(protocol: str) -> None:
    async def use(_: Client, worker: Worker) -> None:
        async with stream_to(worker) as (_stream, told, _closed):
            async with stream_to(worker) as (_other, others, _):
                async with asyncio.timeout(5):
                    while told != [1, 2]:
                        await asyncio.sleep(0.01)
                assert others == [2]
            async with asyncio.timeout(5):
                while told != [1, 2, 1]:
                    await asyncio.sleep(0.01)

    with_worker(protocol, use)


def test_another_version_is_refused_by_name() -> None:
    async def use(_: Client, worker: Worker) -> None:
        stream = TileStream(worker.address, 1, 20, lambda _: None, lambda: None)
        with pytest.raises(ClusterError, match=f"runs visiomatic_dask {__version__}, this server 99"):
            await stream.open("99.0")

    with_worker("tcp", use)


def test_a_worker_without_the_plugin_does_not_answer() -> None:
    async def main() -> None:
        async with local_cluster(plugin=False) as (_, (worker,)):
            stream = TileStream(worker.address, 1, 20, lambda _: None, lambda: None)
            with pytest.raises(OSError, match="does not answer tiles"):
                await stream.open(__version__)

    asyncio.run(main())


def test_workers_keep_as_many_chunks_as_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CHUNKS, "limit", 1000)

    async def use() -> None:
        async with local_cluster("inproc", plugin=False) as (client, _):
            await client.register_plugin(TileStreamPlugin(__version__))
            assert CHUNKS.limit == 1000  # as it was
        async with local_cluster("inproc", plugin=False) as (client, _):
            await client.register_plugin(TileStreamPlugin(__version__, chunk_cache=5000))
            assert CHUNKS.limit == 5000

    asyncio.run(use())
