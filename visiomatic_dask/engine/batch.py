"""Batch jobs: a scheduler in this process, and workers that a batch system starts, held at their number."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dask.config
from distributed import Client

from visiomatic_dask.engine.job_watch import JobWatch
from visiomatic_dask.errors import ClusterError, InvalidSetting

if TYPE_CHECKING:
    from visiomatic_dask.engine.slurm import SlurmJobs

logger = logging.getLogger(__name__)

_JOBS_ARE_LOST: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 10,  # a brick is not to blame for jobs that were lost while it was read
}
_FIRST_WORKER = 10.0
"""Seconds to wait for the first worker before serving starts without one."""
_LOOK = 0.1
_SCALING = {"interval": "1s", "wait_count": 60}
"""Jobs are given back after a minute: hot tiles look like idleness to Dask, and a new job may have to queue."""


@dataclass(frozen=True, slots=True)
class BatchJobs:
    """A cluster to start as jobs of a batch system.

    Everything but their number is up to dask-jobqueue's own configuration: ``jobqueue.slurm`` for Slurm.

    Attributes
    ----------
    minimum, maximum : int
        Between how many jobs there are. At least one: tiles look like idleness to Dask, which would keep none.
    system : str
        The batch system: ``slurm``.

    Raises
    ------
    InvalidSetting
        If the numbers cannot be used.
    """

    minimum: int
    maximum: int
    system: Literal["slurm"] = "slurm"

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.maximum:
            raise InvalidSetting(
                f"{self.minimum}:{self.maximum} jobs cannot be held; allowed: MIN:MAX with 1 <= MIN <= MAX", "jobs"
            )

    @classmethod
    def between(cls, text: str, system: Literal["slurm"] = "slurm") -> BatchJobs:
        """Read ``MIN:MAX``.

        Raises
        ------
        InvalidSetting
            If it is anything else.
        """
        low, colon, high = text.partition(":")
        if not (colon and low.isdecimal() and high.isdecimal()):
            raise InvalidSetting(f"{text!r} is no range of jobs; allowed: MIN:MAX with 1 <= MIN <= MAX, as 1:4", "jobs")
        return cls(int(low), int(high), system)


@asynccontextmanager
async def batch_cluster(target: BatchJobs, config: Mapping[str, Any]) -> AsyncIterator[Client]:
    """Start a scheduler here and workers as jobs, and give an asynchronous client; every job is cancelled at the end.

    Where the queue is long there may be no worker yet: they join as their jobs start. Jobs that end are replaced.

    Parameters
    ----------
    target : BatchJobs
        How many jobs.
    config : mapping
        Dask's settings for the scheduler and the workers.

    Raises
    ------
    InvalidSetting
        If dask-jobqueue's configuration lacks something, or has what cannot be used.
    ClusterError
        If dask-jobqueue or the batch system is missing, a job is refused, or the first one ends before its worker came.
    """
    if importlib.util.find_spec("dask_jobqueue") is None:
        raise ClusterError("jobs need dask-jobqueue, which is not installed: pip install dask-jobqueue")
    with _signals_kept():
        from visiomatic_dask.engine.slurm import JobAdaptive, slurm_jobs  # it needs what may not be installed

    with dask.config.set({**_JOBS_ARE_LOST, **config}):
        async with slurm_jobs(config) as cluster:
            await _submit(cluster, target.minimum)
            cluster.adapt(
                Adaptive=JobAdaptive,
                minimum_jobs=target.minimum,
                maximum_jobs=target.maximum,
                worker_key=cluster.worker_key,
                **_SCALING,
            )
            watch = JobWatch(cluster)
            watching = asyncio.create_task(watch.keep_watching())
            watching.add_done_callback(_tell_failure)
            try:
                await _first_worker(cluster, watch)
                async with Client(cluster, asynchronous=True, set_as_default=False) as client:
                    yield client
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handler of Ctrl-C: dask-jobqueue, when imported, puts one there that leaves without an end."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("ended jobs are not replaced any more", exc_info=error)


async def _submit(cluster: SlurmJobs, jobs: int) -> None:
    """Submit the first jobs here, where a refusal can still be told to whoever started the server."""
    cluster.scale(jobs=jobs)
    await cluster
    refusals = [job.refusal for job in cluster.workers.values() if job.refusal]
    if refusals:
        raise ClusterError(f"the first jobs were refused: {refusals[0]}")


async def _first_worker(cluster: SlurmJobs, watch: JobWatch) -> None:
    """Wait for the first worker, but not for as long as a queue may take."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_WORKER):
            while not cluster.scheduler.workers:
                if watch.died_young:
                    raise ClusterError(watch.died_young)
                await asyncio.sleep(_LOOK)
            return
    logger.warning(
        "no worker has come within %g s (%s); tiles are answered with 503 until one does",
        _FIRST_WORKER,
        await cluster.described(),
    )
