"""The cluster: start an embedded one, start jobs, or join the one that is there.

Either way its workers can answer tiles afterwards.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.config
import distributed
from distributed import Client, LocalCluster, Worker

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.batch import BatchJobs, batch_cluster
from visiomatic_dask.engine.worker import HANDLER, TileStreamPlugin
from visiomatic_dask.errors import ClusterError

logger = logging.getLogger(__name__)

# Why each of these: docs/architecture.md, "What Dask does that a tile server must know".
RECOMMENDED_CONFIG: dict[str, Any] = {
    "distributed.scheduler.worker-saturation": float("inf"),
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
}
_IN_PROCESS_CORES = 4
_JOIN_TIMEOUT = 10
_PREPARE_TIMEOUT = 60
_LOOK_AGAIN = 0.05
_HOST = "127.0.0.1"
_LOOPBACK = f"{_HOST}:0"


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """A cluster to join.

    Attributes
    ----------
    address : str or None
        The scheduler's, as ``tcp://host:port`` or ``tls://host:port``.
    scheduler_file : Path or None
        The file that a scheduler wrote its address into.
    """

    address: str | None = None
    scheduler_file: Path | None = None


ClusterTarget = ClusterAddress | BatchJobs


@asynccontextmanager
async def open_cluster(target: ClusterTarget | None, version: str, settings: Settings) -> AsyncIterator[Client]:
    """Give an asynchronous client of a cluster whose workers have the tile plugin.

    Parameters
    ----------
    target : ClusterAddress, BatchJobs or None
        The cluster to join, or the jobs to start; None starts workers on this machine. What was started is ended
        afterwards.
    version : str
        Version of this package, which every worker has to have.
    settings : Settings
        Rendering threads of the workers, and the chunks they keep.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, jobs cannot be started, or workers cannot be used; the message says why.
    InvalidSetting
        If the configuration of jobs cannot be used.
    """
    match target:
        case None:
            opened = _embedded()
        case BatchJobs():
            opened = batch_cluster(target, RECOMMENDED_CONFIG)
        case ClusterAddress():
            opened = _joined(target)
    async with opened as client:
        try:
            async with asyncio.timeout(_PREPARE_TIMEOUT):
                await check_workers(client, version)
                await client.register_plugin(
                    TileStreamPlugin(version, settings.tile_threads, chunk_cache=settings.chunk_cache)
                )
                await client.run(_prepared)
        except TimeoutError as error:
            raise ClusterError(f"not every worker of the cluster has answered within {_PREPARE_TIMEOUT} s") from error
        yield client


async def _prepared(dask_worker: Worker) -> None:
    """Wait where a worker still prepares itself: a plugin that another front end has sent is not waited for by Dask."""
    deadline = time.monotonic() + _PREPARE_TIMEOUT / 2
    while HANDLER not in dask_worker.handlers and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_AGAIN)


@asynccontextmanager
async def shared_cluster(target: ClusterTarget | None, front_ends: int) -> AsyncIterator[ClusterAddress]:
    """Give a cluster that several processes can join: the one that is there, or one started here.

    Parameters
    ----------
    target : ClusterAddress, BatchJobs or None
        The cluster that is there, or the jobs to start; None starts workers on this machine. What was started is ended
        afterwards.
    front_ends : int
        How many processes are to join it. A cluster that is started here leaves them their share of the cores.
    """
    if isinstance(target, ClusterAddress):
        yield target
        return
    started = _embedded(front_ends) if target is None else batch_cluster(target, RECOMMENDED_CONFIG)
    async with started as client:
        yield ClusterAddress(client.scheduler.address)


@asynccontextmanager
async def _embedded(front_ends: int = 1) -> AsyncIterator[Client]:
    """Start a cluster sized to the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Scheduler and workers always have a small web server each. Unless told otherwise it listens on every interface.
    web = dict.fromkeys(("dashboard_address", "worker_dashboard_address"), _LOOPBACK)
    with dask.config.set(RECOMMENDED_CONFIG):
        async with (
            LocalCluster(
                **embedded_shape(cores, front_ends),
                **web,
                scheduler_kwargs={"dashboard": False},
                asynchronous=True,
                silence_logs=logging.ERROR,
            ) as cluster,
            Client(cluster, asynchronous=True, set_as_default=False) as client,
        ):
            yield client


def embedded_shape(cores: int, front_ends: int) -> dict[str, Any]:
    """Choose the workers of an embedded cluster, as arguments of ``LocalCluster``.

    Up to four cores everything lives in this process: it starts in half the time, a tile costs less, and nothing is
    copied between processes. Beyond that, processes of a few threads each keep the interpreter's lock from being what
    limits.

    Parameters
    ----------
    cores : int
        Cores of the machine.
    front_ends : int
        1 if the front end is this process itself; otherwise so many other processes, which need an address that they
        can reach, and a core each.
    """
    if cores <= _IN_PROCESS_CORES:
        shape = {"n_workers": 1, "threads_per_worker": cores, "processes": False}
        # Also then: a worker of two threads took 0.66 ms of CPU a tile here, 0.78 ms in a process of its own.
        return shape if front_ends == 1 else shape | {"protocol": "tcp", "host": _HOST}
    workers = cores // 4 if front_ends == 1 else (cores - front_ends) // 3
    return {"n_workers": max(2, workers), "threads_per_worker": 3, "processes": True, "host": _HOST}


@asynccontextmanager
async def _joined(target: ClusterAddress) -> AsyncIterator[Client]:
    where = target.address or str(target.scheduler_file)
    if target.scheduler_file is not None:
        _check_scheduler_file(target.scheduler_file)
    options: dict[str, Any] = {"asynchronous": True, "timeout": _JOIN_TIMEOUT, "set_as_default": False}
    source = {"address": target.address} if target.address else {"scheduler_file": where}
    client = None
    try:
        client = Client(**source, **options)
        await client
    except BaseException as error:
        if client is not None:
            await client.close()
        if isinstance(error, OSError | ValueError | TimeoutError | TypeError):  # TypeError: TLS without certificates
            raise ClusterError(f"no Dask scheduler answers at {where} within {_JOIN_TIMEOUT} s: {error}") from error
        raise
    try:
        yield client
    finally:
        with _reconnection_unsaid():
            await client.close()


@contextmanager
def _reconnection_unsaid() -> Iterator[None]:
    """Keep Dask from logging, with a traceback, that a client no longer looks for its scheduler: we have ended it."""

    def is_news(record: logging.LogRecord) -> bool:
        return not (record.exc_info and record.exc_info[0] is asyncio.CancelledError)

    client_logger = logging.getLogger("distributed.client")
    client_logger.addFilter(is_news)
    try:
        yield
    finally:
        client_logger.removeFilter(is_news)


def _check_scheduler_file(path: Path) -> None:
    """Read the file once before Dask does, which would hang or stumble over one that is none."""
    if not path.is_file():
        raise ClusterError(f"scheduler file {path} does not exist; is the scheduler running?")
    try:
        json.loads(path.read_text("utf-8"))["address"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"scheduler file {path} is none that a Dask scheduler wrote: {error!r}") from error


async def check_workers(client: Client, version: str) -> None:
    """Make sure that every worker runs the same versions of what has to be the same.

    Raises
    ------
    ClusterError
        If a worker lacks this package, or has another version of it, of distributed or of Python; the message lists
        which.
    """
    wanted = _versions(version)
    answers = await client.run(_worker_versions(), on_error="return")
    wrong = []
    for address, found in answers.items():
        if isinstance(found, BaseException):
            wrong.append(f"worker {address} cannot tell its versions: {found}")
            continue
        differing = [
            f"{name} {found.get(name) or 'missing'} (here {have})"
            for name, have in wanted.items()
            if found.get(name) != have
        ]
        if differing:
            wrong.append(f"worker {address} has {', '.join(differing)}")
    if wrong:
        raise ClusterError("the cluster's workers cannot render tiles. " + "; ".join(wrong))


def _versions(version: str) -> dict[str, str]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"visiomatic_dask": version, "distributed": distributed.__version__, "python": python}


def _worker_versions() -> Callable[[], dict[str, str]]:
    """Make a function that needs nothing of this package where it runs: a closure is pickled by value."""

    def probe() -> dict[str, str]:
        import importlib.metadata as metadata
        import sys as there

        found = {"python": f"{there.version_info.major}.{there.version_info.minor}"}
        for module, package in (("visiomatic_dask", "visiomatic-dask"), ("distributed", "distributed")):
            try:
                found[module] = metadata.version(package)
            except metadata.PackageNotFoundError:
                found[module] = ""
        return found

    probe.__module__ = "__main__"
    return probe
