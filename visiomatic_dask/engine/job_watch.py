"""Job watch: finds the jobs that have ended, so that others take their place.

dask-jobqueue counts a job until someone closes it. One that is killed in the queue, or before its worker has come, it
never misses; one whose worker was there, after 15 s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import Protocol

logger = logging.getLogger(__name__)

_INTERVAL = 1.0
_BETWEEN_QUESTIONS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_SETTLED = 120.0


class BatchRefusal(RuntimeError):
    """The batch system did not do what it was asked, or has not answered."""


class JobNotes(Protocol):
    """What is known of a job."""

    job_id: str | None
    refusal: str
    arrived: bool


class WatchedCluster(Protocol):
    """The cluster whose jobs are watched."""

    def without_worker(self) -> Mapping[str, JobNotes]:
        """Return the jobs that none of their workers speaks for, by name."""
        ...

    async def queued(self) -> Collection[str]:
        """Return the ids of the jobs that wait or run; `BatchRefusal` where it cannot be known."""
        ...

    async def give_up(self, names: Collection[str]) -> None:
        """Count jobs no more: what they leave free is filled again."""
        ...

    async def last_words(self, job_id: str) -> str:
        """Say where the output of a job is."""
        ...


class JobWatch:
    """Looks after the jobs of a cluster.

    The batch system is asked only about jobs whose worker is missing: those that wait, start, or have ended. While all
    workers are there it is left alone. What has ended is given up at once the first time; the pauses double from 1 s to
    a minute when it happens again and again, so that workers that cannot start do not flood the queue.

    Parameters
    ----------
    cluster : WatchedCluster
        Whose jobs.

    Attributes
    ----------
    died_young : str
        What became of the latest job that has ended before its worker came; empty if there was none.
    """

    def __init__(self, cluster: WatchedCluster) -> None:
        self.died_young = ""
        self._cluster = cluster
        self._asked = self._gave_up = float("-inf")
        self._pause = 0.0
        self._told: set[str] = set()

    async def keep_watching(self) -> None:
        """Look every second until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.look(time.monotonic())
            except (BatchRefusal, OSError) as error:
                logger.warning("the jobs cannot be looked after at the moment: %s", error)

    async def look(self, now: float) -> None:
        """Look once.

        Parameters
        ----------
        now : float
            The time, in seconds on any clock that only goes forward.
        """
        missing = self._cluster.without_worker()
        if not missing or now - self._asked < _BETWEEN_QUESTIONS:
            return
        self._asked = now
        queued = await self._cluster.queued()
        ended = {name: job for name, job in missing.items() if job.refusal or job.job_id not in queued}
        for name, job in ended.items():
            if name not in self._told:
                self._told.add(name)
                await self._tell(job)
        if now - self._gave_up > _SETTLED:
            self._pause = 0.0
        if not ended or now - self._gave_up < self._pause:
            return
        self._gave_up = now
        self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)
        self._told -= ended.keys()
        await self._cluster.give_up(ended.keys())

    async def _tell(self, job: JobNotes) -> None:
        if job.refusal:
            logger.warning("a job was refused: %s", job.refusal)
        elif job.arrived:
            logger.info("job %s has ended", job.job_id)
        else:
            where = await self._cluster.last_words(job.job_id or "")
            self.died_young = f"job {job.job_id} ended before its worker came; {where}"
            logger.warning("%s", self.died_young)
