"""Sweeps as jobs: started, watched, fetched and cancelled, by whichever front end is asked.

The front end that starts a job holds its futures. What is known of its jobs it writes to the scheduler's metadata once
a second, where other front ends read it; one that is told to cancel somebody else's job leaves a note there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.band_cuts import check_read
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.region_costs import region_costs
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.engine.results import finished, result_of
from visiomatic_dask.engine.sweep_file import SweepFile, fetch_file
from visiomatic_dask.engine.sweep_job import SweepJob, SweepRequest, result_key, submit_sweep
from visiomatic_dask.errors import JobNotFound, TooLarge, Unavailable, VisiomaticError

logger = logging.getLogger(__name__)

MOST_FRAMES = 4096
_FRAME_PIXELS = 4 * 2**20
_ALL_PIXELS = {"mp4": 2**30, "webp": 2**27}
"""Of all frames together. A WebP animation is put together from decoded frames, all of them in memory."""
_MOST_RUNNING, _MOST_OF_VIEWER = 4, 2
_KEPT = 600.0
"""Seconds that a file is kept."""
_MOST_KEPT = 256 * 2**20
"""Bytes of the files that are kept for one front end."""
_MOST_ENDED = 64
"""Jobs that have ended, well or not, and are still known."""
_INTERVAL = 1.0
_STALE = 20.0
"""Seconds after which a front end that writes nothing any more is gone, and its jobs with it."""
_LOST = "the cluster was lost while it worked on this"
_RECORDS, _CANCELS = "visiomatic-sweeps", "visiomatic-sweep-cancels"


class Sweeps:
    """The sweeps of one front end, and a look at those of others.

    Parameters
    ----------
    link : callable
        Gives the link to the cluster; `Unavailable` where there is none.
    settings : Settings
        What may be read.
    planner : Planner
        Knows what is in the store.
    """

    def __init__(self, link: Callable[[], ClusterLink], settings: Settings, planner: Planner) -> None:
        self._link = link
        self._settings = settings
        self._planner = planner
        self._owner = secrets.token_hex(8)
        self._jobs: dict[str, SweepJob] = {}
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._telling: asyncio.Task[None] | None = None

    async def start(self, request: SweepRequest, viewer: str) -> dict[str, Any]:
        """Start a sweep, and describe its job as `describe` does; all front ends know of it from then on.

        Raises
        ------
        TooLarge
            If it has too many frames or pixels, or reads too much.
        Unavailable
            If there is no worker, or enough jobs run already.
        """
        self._check(request)
        self._check_running(viewer)  # before anything is added up
        reader, below = await self._source(request)
        link = self._link()
        self._check_running(viewer)
        if not link.dispatcher.members.all:
            raise Unavailable("the cluster has no workers at the moment", retry_after=5)
        identity = secrets.token_urlsafe(18)
        job = submit_sweep(link.client, identity, request, viewer, reader, below)
        self._jobs[identity] = job
        self._watching[identity] = asyncio.create_task(self._watch(identity, job))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(link.client))
        try:
            await self._write(link.client)
        except OSError as error:
            if identity in self._jobs:
                self._forget(identity)
            raise Unavailable("the cluster was lost; try again in a moment") from error
        return _described(identity, job)

    async def describe(self, identity: str) -> dict[str, Any]:
        """Say how far a job is: ``{"id", "state", "frames", "done", "format", "bytes", "message"}``.

        Raises
        ------
        JobNotFound
            If there is no such job, or none any more.
        """
        job = self._jobs.get(identity)
        if job is not None:
            return _described(identity, job)
        owners = await self._link().client.get_metadata([_RECORDS], default=None) or {}
        for owner, told in owners.items():
            if owner != self._owner and time.time() - told["time"] < _STALE and identity in told["jobs"]:
                record: dict[str, Any] = told["jobs"][identity]
                return record
        raise JobNotFound("there is no such job; one that is done is kept for ten minutes, as far as there is room")

    async def file(self, identity: str) -> SweepFile:
        """Begin to fetch the file of a job that is done, even if its front end has not said so yet.

        Raises
        ------
        JobNotFound
            If the workers do not have it any more.
        """
        job = self._jobs.get(identity)
        done = job.result if job is not None and job.state == "done" else None
        file = await fetch_file(self._link().client, result_key(identity), done)
        if file is not None:
            return file
        raise JobNotFound("the file of this job is no longer there; start it again")

    async def cancel(self, identity: str) -> None:
        """Cancel a job, or let go of its file.

        Raises
        ------
        JobNotFound
            If there is no such job.
        """
        await self.describe(identity)
        if identity in self._jobs:
            self._forget(identity)
        else:
            await self._link().client.set_metadata([_CANCELS, identity], value=True)

    async def close(self) -> None:
        """Let go of all jobs."""
        for identity in list(self._jobs):
            self._forget(identity)
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    def _check(self, request: SweepRequest) -> None:
        frames, pixels, most = len(request.styles), request.box.rows * request.box.columns, _ALL_PIXELS[request.format]
        if frames > MOST_FRAMES:
            raise TooLarge(f"the sweep has {frames:,} frames; allowed: {MOST_FRAMES:,}", "channels")
        if pixels > _FRAME_PIXELS:
            raise TooLarge(
                f"a frame has {request.box.columns:,} x {request.box.rows:,} pixels; allowed: {_FRAME_PIXELS:,}", "box"
            )
        if frames * pixels > most:
            raise TooLarge(
                f"the sweep has {frames * pixels:,} pixels in all; allowed for {request.format}: {most:,}", "box"
            )

    def _check_running(self, viewer: str) -> None:
        running = [job for job in self._jobs.values() if job.state == "running"]
        if len(running) >= _MOST_RUNNING or sum(job.viewer == viewer for job in running) >= _MOST_OF_VIEWER:
            raise Unavailable("enough sweeps are being made already; try again when one is done", retry_after=10)

    async def _source(self, request: SweepRequest) -> tuple[Reader, int]:
        """Choose what the frames are read from; the source, where each reads no more than a brick may."""
        limit = self._settings.read_limit
        reader, below = request.layer.at(request.level)
        costs = await asyncio.to_thread(_costs, reader, below, request)
        if max(costs) > limit:
            places = (RegionRequest(request.layer, request.level, request.box, style) for style in request.styles)
            stored = [self._planner.stored_reader(place) for place in places]
            if stored[0] is None or None in stored:
                raise TooLarge(
                    f"a frame would read {max(costs) / 1e6:,.1f} MB; {limit / 1e6:,.1f} MB are allowed", "box"
                )
            reader, below = stored[0], 0
            costs = await asyncio.to_thread(_costs, reader, 0, request)
        check_read(sum(costs), self._settings.export_read)
        return reader, below

    async def _watch(self, identity: str, job: SweepJob) -> None:
        """Wait until the file is there, and then until it has been kept for long enough."""
        await finished(job.result)
        try:
            if job.result.status == "finished":
                sizes = await self._link().client.nbytes([job.result.key], summary=False)
                self._done(job, int(sizes[job.result.key]))
            else:
                job.message, job.state = await _complaint(job), "failed"
        except (KeyError, OSError, Unavailable):  # gone with the cluster
            job.message, job.state = _LOST, "failed"
        job.release_frames()
        self._make_room()
        await asyncio.sleep(_KEPT)
        self._forget(identity)

    def _done(self, job: SweepJob, nbytes: int) -> None:
        if nbytes > _MOST_KEPT:
            job.result.release()
            job.message = f"the file has {nbytes / 1e6:,.0f} MB; {_MOST_KEPT / 1e6:,.0f} MB are allowed: a smaller box"
            job.state = "failed"
        else:
            job.nbytes, job.state = nbytes, "done"

    def _make_room(self) -> None:
        """Let go of those that have ended first where they are too many, or their files too large."""
        ended = [identity for identity, job in self._jobs.items() if job.state != "running"]
        while len(ended) > _MOST_ENDED or sum(self._jobs[identity].nbytes for identity in ended) > _MOST_KEPT:
            self._forget(ended.pop(0))

    def _forget(self, identity: str) -> None:
        self._jobs.pop(identity).release()
        self._watching.pop(identity).cancel()

    async def _write(self, client: Client) -> None:
        jobs = {identity: _described(identity, job) for identity, job in self._jobs.items()}
        await client.set_metadata([_RECORDS, self._owner], value={"time": time.time(), "jobs": jobs})

    async def _tell(self, client: Client) -> None:
        """Tell other front ends of the jobs, and hear which to cancel, as long as there are any."""
        with contextlib.suppress(OSError):  # with the cluster all jobs are lost
            while True:
                await self._write(client)
                if not self._jobs:
                    return
                await asyncio.sleep(_INTERVAL)
                cancels = await client.get_metadata([_CANCELS], default=None) or {}
                for identity in [one for one in self._jobs if cancels.get(one)]:
                    self._forget(identity)
                    await client.set_metadata([_CANCELS, identity], value=False)


def _costs(reader: Reader, below: int, request: SweepRequest) -> list[int]:
    """Bytes that each frame reads; for thousands it takes a while to add up."""
    return [region_costs(reader, below, request.box, style)[0] for style in request.styles]


async def _complaint(job: SweepJob) -> str:
    """Say why a job has failed."""
    try:
        await result_of(job.result)
    except VisiomaticError as error:
        return error.message
    except (CancelledError, KilledWorker, OSError):  # Dask's cancellation, not asyncio's
        return _LOST
    except Exception:
        logger.exception("a sweep has failed")
    return "the workers could not make this"


def _described(identity: str, job: SweepJob) -> dict[str, Any]:
    return {
        "id": identity,
        "state": job.state,
        "frames": len(job.request.styles),
        "done": job.done,
        "format": job.request.format,
        "bytes": job.nbytes,
        "message": job.message,
    }
