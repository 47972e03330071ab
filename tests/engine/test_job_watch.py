"""The job watch: what it asks, what it gives up, and how often."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from visiomatic_dask.engine.job_watch import BatchRefusal, JobWatch


@dataclass
class Job:
    job_id: str | None
    refusal: str = ""
    arrived: bool = False


@dataclass
class Queue:
    """A cluster whose jobs and queue are what the test says."""

    missing: dict[str, Job] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    questions: int = 0
    given_up: list[list[str]] = field(default_factory=list)

    def without_worker(self) -> dict[str, Job]:
        return self.missing

    async def queued(self) -> Collection[str]:
        self.questions += 1
        return self.ids

    async def give_up(self, names: Collection[str]) -> None:
        self.given_up.append(sorted(names))
        self.missing = {name: job for name, job in self.missing.items() if name not in names}

    async def last_words(self, job_id: str) -> str:
        return f"its output is in {job_id}.out"


def look(watch: JobWatch, *times: float) -> None:
    async def main() -> None:
        for now in times:
            await watch.look(now)

    asyncio.run(main())


def test_nothing_is_asked_while_all_workers_are_there() -> None:
    queue = Queue()
    look(JobWatch(queue), *range(100))
    assert queue.questions == 0


def test_jobs_that_wait_are_left_alone_and_asked_about_every_two_seconds() -> None:
    queue = Queue({"a": Job("1"), "b": Job("2")}, ["1", "2"])
    watch = JobWatch(queue)
    look(watch, *range(20))
    assert queue.questions == 10
    assert queue.given_up == []
    assert watch.died_young == ""


def test_what_has_ended_is_given_up_at_once() -> None:
    queue = Queue({"a": Job("1", arrived=True), "b": Job("2"), "c": Job("3", arrived=True)}, ["2"])
    watch = JobWatch(queue)
    look(watch, 0)
    assert queue.given_up == [["a", "c"]]
    assert watch.died_young == ""


def test_a_job_without_a_worker_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue({"a": Job("7")})
    watch = JobWatch(queue)
    look(watch, 0)
    assert watch.died_young == "job 7 ended before its worker came; its output is in 7.out"
    assert watch.died_young in caplog.text


def test_a_refused_job_is_given_up_and_told(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue({"a": Job(None, "too many jobs")})
    watch = JobWatch(queue)
    look(watch, 0)
    assert queue.given_up == [["a"]]
    assert "a job was refused: too many jobs" in caplog.text
    assert watch.died_young == ""


def test_pauses_double_up_to_a_minute_and_start_anew() -> None:
    queue = Queue()
    watch = JobWatch(queue)
    times = []
    for now in range(400):
        queue.missing = queue.missing or {f"job-{now}": Job(str(now))}
        before = len(queue.given_up)
        look(watch, now)
        if len(queue.given_up) > before:
            times.append(now)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses == [2, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]

    queue.missing = {}
    look(watch, 600)
    queue.missing = {"x": Job("x")}
    look(watch, 601)
    assert queue.given_up[-1] == ["x"]
    queue.missing = {"y": Job("y")}
    look(watch, 603)
    assert queue.given_up[-1] == ["y"]


def test_a_queue_that_cannot_be_asked_is_said_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(Queue):
        async def queued(self) -> Collection[str]:
            await super().queued()
            if self.questions == 1:
                raise BatchRefusal("slurmctld is out of reach")
            return self.ids

    queue = Silent({"a": Job("1", arrived=True)})

    async def main() -> None:
        task = asyncio.create_task(JobWatch(queue).keep_watching())
        async with asyncio.timeout(10):
            while not queue.given_up:
                await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(main())
    assert "slurmctld is out of reach" in caplog.text
