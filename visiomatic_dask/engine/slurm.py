"""Slurm: dask-jobqueue's cluster with the settings of a tile server, and what the queue says of its jobs.

The only module that imports dask-jobqueue, which is optional; it is imported by who wants jobs.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from dask_jobqueue import SLURMCluster
from dask_jobqueue.slurm import SLURMJob
from distributed import Status
from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import SpecCluster

from visiomatic_dask.engine.job_watch import BatchRefusal
from visiomatic_dask.engine.jobqueue_settings import configured, job_options
from visiomatic_dask.errors import ClusterError

logger = logging.getLogger(__name__)

_PATIENCE = 30.0
"""Seconds for one command of Slurm's."""
_COMMANDS = ("sbatch", "squeue", "scancel")
_ENDING = "COMPLETING"


async def ask_slurm(*command: str) -> str:
    """Run one of Slurm's commands, and return what it writes.

    Raises
    ------
    BatchRefusal
        If it fails, with what it says; if it cannot be run; or if it takes too long.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the server, which then has jobs to cancel
        )
    except OSError as error:
        raise BatchRefusal(f"{command[0]} cannot be run: {error}") from error
    try:
        async with asyncio.timeout(_PATIENCE):
            said, complaint = await process.communicate()
    except TimeoutError as error:
        raise BatchRefusal(f"{command[0]} has not answered within {_PATIENCE:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = "; ".join(complaint.decode(errors="replace").split("\n")).strip("; ")
        raise BatchRefusal(text or f"{command[0]} ended with status {process.returncode}")
    return said.decode(errors="replace")


class WorkerJob(SLURMJob):
    """One job, submitted by `ask_slurm`.

    Attributes
    ----------
    refusal : str
        Why it was not submitted; empty if it was. (An exception would leave the cluster counting it for ever.)
    arrived : bool
        Whether one of its workers has been there.
    """

    refusal = ""
    arrived = False

    @staticmethod
    async def _call(cmd: list[str], **_: Any) -> str:
        return await ask_slurm(*cmd)

    async def start(self) -> None:
        """Submit it."""
        try:
            await super().start()
        except (RuntimeError, ValueError) as error:  # ValueError: an answer without the number of a job
            self.refusal = str(error)
            self.status = Status.running

    async def close(self) -> None:
        """Cancel it."""
        await super().close()
        self.status = Status.closed


class SlurmJobs(SLURMCluster):
    """A scheduler in this process, and jobs that are told apart for good: no two have the same name."""

    job_cls = WorkerJob
    _submitted = 0

    def new_worker_spec(self) -> dict[str, Any]:
        """Name a new job. A name used again would let Dask take the new job for the lost one."""
        self._submitted += 1
        return {self._new_worker_name(self._submitted): self.new_spec}

    @property
    def processes(self) -> int:
        """Worker processes of a job."""
        return int(self.new_spec["options"]["processes"])

    @property
    def worker_key(self) -> Callable[[Any], Any] | None:
        """How workers that must go together are known, where a job has several."""
        return job_of if self.processes > 1 else None

    def scale(self, n: int | None = None, jobs: int = 0, memory: str | None = None, cores: int | None = None) -> Any:
        """Change the number of jobs; `n` counts workers. Where no scheduler has started, theirs could not be closed."""
        return SpecCluster.scale(self, jobs if n is None else math.ceil(n / self.processes), memory, cores)

    def without_worker(self) -> dict[str, WorkerJob]:
        """Return the jobs that none of their workers speaks for, by name; those that are being closed left out."""
        present = {str(worker.name) for worker in self.scheduler.workers.values()}
        missing = {}
        for name, job in self.workers.items():
            suffixes = self.worker_spec[name].get("group", [""]) if name in self.worker_spec else []
            if any(f"{name}{suffix}" in present for suffix in suffixes):
                job.arrived = True
            elif suffixes:
                missing[name] = job
        return missing

    async def queued(self) -> Collection[str]:
        """Return the ids of the jobs that wait or run."""
        return [job_id for job_id, (state, _) in (await self._queue()).items() if state != _ENDING]

    async def described(self) -> str:
        """Say for people how the jobs are."""
        try:
            queue = await self._queue()
        except BatchRefusal as error:
            return str(error)
        said = [f"job {job_id} is {state}" + (f": {why}" if why else "") for job_id, (state, why) in queue.items()]
        return ", ".join(said) or "none of its jobs is in the queue"

    async def last_words(self, job_id: str) -> str:
        """Say where the output of a job is."""
        try:
            shown = await ask_slurm("scontrol", "show", "job", job_id)
        except BatchRefusal as error:
            return str(error)
        files = [line.strip().partition("=")[2] for line in shown.splitlines() if line.strip().startswith("StdErr=")]
        return f"its output is in {files[0]}" if files else "its output is not to be found"

    async def give_up(self, names: Collection[str]) -> None:
        """Count jobs no more; the adaptive scaling then submits others."""
        await self.scale_down(names)

    async def _queue(self) -> dict[str, tuple[str, str]]:
        """Return state and reason of every job that is in the queue, by its id."""
        listed = await ask_slurm("squeue", "--noheader", "--name", self.name, "--format", "%A|%T|%r")
        rows = [line.strip().split("|", 2) for line in listed.splitlines() if line.strip()]
        return {job_id: (state, "" if why == "None" else why) for job_id, state, why in rows}


def job_of(worker: Any) -> str:
    """Name the job that a worker belongs to: its processes are numbered behind a last dash."""
    return str(worker.name).rpartition("-")[0]


class JobAdaptive(Adaptive):
    """Dask's adaptive scaling, in whole jobs.

    It counts workers, and would take back half a job, which is a whole one.
    """

    async def target(self) -> int:
        """Return how many workers there should be."""
        processes = self.cluster.processes
        return math.ceil(await super().target() / processes) * int(processes)


@asynccontextmanager
async def slurm_jobs(config: Mapping[str, Any]) -> AsyncIterator[SlurmJobs]:
    """Start a scheduler whose workers will be jobs; none is submitted yet, and at the end none is left.

    Parameters
    ----------
    config : mapping
        Dask's settings; those of workers (``distributed.worker.…``) go with the jobs.

    Raises
    ------
    InvalidSetting
        If ``jobqueue.slurm`` lacks something, or has what cannot be used.
    ClusterError
        If Slurm's commands are missing, or the scheduler cannot start.
    """
    name = f"{configured('name') or 'visiomatic'}-{uuid.uuid4().hex[:8]}"
    options = job_options(config) | {"job_name": name, "name": name}
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing:
        raise ClusterError(f"this machine cannot submit jobs to Slurm: {', '.join(missing)} not found")
    cluster = None
    try:
        cluster = SlurmJobs(asynchronous=True, **options)
        await cluster
    except (RuntimeError, ValueError, OSError) as error:
        if cluster is not None:
            await cluster.close()
        raise ClusterError(f"no scheduler for jobs can be started: {_root(error)}") from error
    try:
        yield cluster
    finally:
        try:
            await cluster.close()
        finally:
            await _cancel_by_name(name)


def _root(error: BaseException) -> BaseException:
    """Find what went wrong first: Dask says "failed to start" twice before it."""
    return error if error.__cause__ is None else _root(error.__cause__)


async def _cancel_by_name(name: str) -> None:
    """Cancel what may have been submitted without our learning its number."""
    try:
        await ask_slurm("scancel", "--name", name)
    except BatchRefusal as error:
        logger.warning("jobs of the name %s may be left in the queue: %s", name, error)
