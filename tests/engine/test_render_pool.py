"""The render pool: jobs run, fail, are dropped, and the threads end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from visiomatic_dask.engine.render_pool import RenderJob, RenderPool

from ..processes import wait_until


def pooled(threads: int, use: Callable[[RenderPool, list[RenderJob]], Any]) -> list[RenderJob]:
    """Run a coroutine function with a pool and the list that done jobs go to."""

    async def main() -> list[RenderJob]:
        done: list[RenderJob] = []
        pool = RenderPool(threads, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(20):
                await use(pool, done)
        finally:
            pool.close()
        return done

    return asyncio.run(main())


async def all_of(done: list[RenderJob], count: int) -> None:
    while len(done) < count:
        await asyncio.sleep(0.001)


def test_every_job_comes_back_on_the_loop() -> None:
    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        threads = set()

        def finish(job: RenderJob) -> None:
            threads.add(threading.current_thread())
            done.append(job)

        for number in range(500):
            pool.submit(RenderJob(lambda n: n * n, (number,), finish))
        await all_of(done, 500)
        assert threads == {threading.current_thread()}

    jobs = pooled(3, use)
    assert sorted(job.result for job in jobs) == [n * n for n in range(500)]
    assert all(job.error is None for job in jobs)


def test_quick_jobs_run_on_the_loop_in_order_and_let_others_in_between() -> None:
    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        turns: list[int] = []
        here = threading.current_thread()

        def work(number: int) -> int:
            assert threading.current_thread() is here
            time.sleep(0.0004)
            return number

        async def another() -> None:
            while len(done) < 30:
                turns.append(len(done))
                await asyncio.sleep(0)

        for number in range(30):
            pool.submit(RenderJob(work, (number,), done.append, quick=True))
        assert done == []  # not before the loop turns
        await another()
        assert [job.result for job in done] == list(range(30))
        assert len(turns) >= 8  # a millisecond a turn

    pooled(2, use)


def test_quick_jobs_fail_and_are_dropped_like_others() -> None:
    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        jobs = [RenderJob(lambda d: 4 // d, (divisor,), done.append, quick=True) for divisor in (1, 0, 2, 4)]
        for job in jobs:
            pool.submit(job)
        jobs[2].dropped = True
        await all_of(done, 3)
        assert [job.result for job in done] == [4, None, 1]
        assert isinstance(done[1].error, ZeroDivisionError)

    pooled(1, use)


def test_a_profiler_is_told_which_threads_are_at_work() -> None:
    async def main() -> None:
        active: dict[int, str] = {}
        pool = RenderPool(1, asyncio.get_running_loop(), active)
        seen: list[dict[int, str]] = []
        done: list[RenderJob] = []
        pool.submit(RenderJob(lambda: seen.append(dict(active)), (), done.append))
        await all_of(done, 1)
        pool.close()
        assert [list(one.values()) for one in seen] == [["render-tile"]]
        assert active == {}

    asyncio.run(main())


def test_an_error_is_handed_on_and_harms_nobody() -> None:
    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        for divisor in (1, 0, 2):
            pool.submit(RenderJob(lambda d: 4 // d, (divisor,), done.append))
        await all_of(done, 3)

    first, second, third = pooled(1, use)
    assert (first.result, third.result) == (4, 2)
    assert isinstance(second.error, ZeroDivisionError)


def test_a_callback_that_fails_harms_nobody() -> None:
    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context["exception"]))
        gate = threading.Event()

        def fail(_job: RenderJob) -> None:
            raise LookupError

        pool.submit(RenderJob(gate.wait, (), done.append))
        pool.submit(RenderJob(int, (), fail))
        pool.submit(RenderJob(int, (), done.append))
        time.sleep(0.05)  # all three are given back in one turn of the loop
        gate.set()
        time.sleep(0.05)
        await all_of(done, 2)

    seen: list[BaseException] = []
    assert len(pooled(1, use)) == 2
    assert [type(one) for one in seen] == [LookupError]


def test_dropped_jobs_are_passed_over() -> None:
    ran: list[int] = []

    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        gate = threading.Event()
        pool.submit(RenderJob(gate.wait, (), done.append))
        jobs = [RenderJob(ran.append, (number,), done.append) for number in range(10)]
        for job in jobs:
            pool.submit(job)
        for job in jobs[::2]:
            job.dropped = True
        gate.set()
        await all_of(done, 6)

    pooled(1, use)
    assert ran == [1, 3, 5, 7, 9]


def test_closing_ends_the_threads_once_the_queue_is_done() -> None:
    before = set(threading.enumerate())
    started: list[threading.Thread] = []

    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        started.extend(set(threading.enumerate()) - before)
        for _ in range(20):
            pool.submit(RenderJob(time.sleep, (0.002,), done.append))
        pool.close()
        await all_of(done, 20)

    assert len(pooled(2, use)) == 20
    assert len(started) == 2
    wait_until(lambda: not any(thread.is_alive() for thread in started), 10)


def test_a_job_that_outlives_the_loop_does_no_harm() -> None:
    gate = threading.Event()
    before = set(threading.enumerate())

    async def use(pool: RenderPool, done: list[RenderJob]) -> None:
        pool.submit(RenderJob(gate.wait, (), done.append))

    pooled(1, use)
    (thread,) = set(threading.enumerate()) - before
    gate.set()
    wait_until(lambda: not thread.is_alive(), 10)
