"""The builder: has pyramids built on a Dask cluster, together with all others that build there."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import count
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker, NoValidWorkerError

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.build_news import BuildNews
from visiomatic_dask.engine.build_slots import BuildSlots
from visiomatic_dask.engine.build_task import build_key, build_task
from visiomatic_dask.engine.pyramid_build import ClaimedPiece, PyramidBuild
from visiomatic_dask.engine.results import result_of
from visiomatic_dask.errors import VisiomaticError
from visiomatic_dask.pyramid.store.buildable import Buildable
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece

logger = logging.getLogger(__name__)

_PRIORITY_URGENT, _PRIORITY = 3, -10
"""Both behind bricks; what nobody waits for also behind what others run on a shared cluster."""
_LOOK = 1.0
"""Seconds between two looks at the cluster."""
_TRIES = 5
"""How often a piece is tried while the worker is lost that builds it."""
_PAUSE = 10.0
"""Seconds for which a pyramid that has failed is not tried again."""
_PATIENCE = 5.0
"""Seconds that what is under way has to end when the builder is closed."""


def new_owner(what: str) -> str:
    """Make a name to claim pieces under, which no other builder has, in any process, ever."""
    return f"{what}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A piece that a worker builds."""

    build: PyramidBuild
    piece: Piece
    worker: str
    future: Future


class Builder:
    """Builds pyramids: submits pieces as there is room for them, and writes down in ledgers what is done.

    Parameters
    ----------
    get_client : callable
        Gives an asynchronous client of the cluster, or None while there is none.
    workers : callable
        Gives the addresses of the workers that can be used now.
    owner : str
        What it claims pieces under; see `new_owner`.
    told : callable
        Called in the loop with what there is new.
    """

    def __init__(
        self,
        get_client: Callable[[], Client | None],
        workers: Callable[[], Sequence[str]],
        owner: str,
        told: Callable[[BuildNews], None],
    ) -> None:
        self._get_client = get_client
        self._workers = workers
        self._owner = owner
        self._told = told
        self._numbers = count()
        self._builds: dict[str, PyramidBuild] = {}
        self._failed: dict[str, float] = {}
        self._under_way: set[_UnderWay] = set()
        self._deaths: Counter[str] = Counter()
        self._slots = BuildSlots()
        self._client: Client | None = None
        self._watch: asyncio.Task[None] | None = None
        self._keeping: set[asyncio.Task[None]] = set()
        self._collecting: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False

    def want(self, pyramid: Buildable, reader: Reader, pieces: Sequence[Piece], *, urgent: bool) -> None:
        """Have pieces built, with all that lies below them. Returns at once; `told` hears what becomes of it.

        A pyramid that has failed is not tried again for some seconds.

        Parameters
        ----------
        pyramid : Buildable
            Which; it is in the store.
        reader : Reader
            Of its source.
        pieces : sequence of Piece
            Which; they may be made as they are asked for, as `TopPieces` are.
        urgent : bool
            Whether somebody looks at them.
        """
        if self._closing or self._failed.get(pyramid.address, 0.0) > time.monotonic():
            return
        build = self._builds.get(pyramid.address)
        if build is None:
            build = PyramidBuild(pyramid, reader, f"{self._owner}-{next(self._numbers)}")
            self._builds[pyramid.address] = build
            self._idle.clear()
            task = asyncio.create_task(self._keep(build))
            self._keeping.add(task)
            task.add_done_callback(self._kept)
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._keep_watch())
        build.want(pieces, urgent=urgent)

    async def finish(self) -> None:
        """Wait until nothing is left to build, or what is has failed."""
        await self._idle.wait()

    def forget(self, fingerprints: Container[str]) -> None:
        """Build no more of files that are others now, or gone."""
        for build in list(self._builds.values()):
            if build.pyramid.fingerprint in fingerprints:
                self._drop(build)

    async def close(self) -> None:
        """Stop. What is under way has a moment to end; what has not begun is left to others."""
        self._closing = True
        for build in list(self._builds.values()):
            self._drop(build)
        if self._keeping and self._client is not None and self._client is self._get_client():
            await asyncio.wait(self._keeping, timeout=_PATIENCE)
        tasks = [*self._keeping, *self._collecting, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What has not ended by now may still be written to: its claims expire in their time.
        for one in self._under_way:
            one.future.release()
        self._under_way.clear()

    async def _keep(self, build: PyramidBuild) -> None:
        """Build a pyramid until nothing is left to build of it."""
        try:
            while not build.is_stopped:
                done = await build.turn(lambda: self._room(build))
                self._fill()
                if done or build.is_over or build.is_news_due:
                    self._tell(build, done)
                if build.is_over:
                    self._drop(build)
                else:
                    await build.wait()
        except VisiomaticError as error:
            self._fail(build, str(error))
        except Exception:
            logger.exception("building %s failed", build.pyramid.address)
            self._fail(build, "the pyramid could not be built; the log says why")
        try:
            await build.let_go()
        except VisiomaticError as error:
            logger.warning("claims of a pyramid are left to expire: %s", error)

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._keeping.discard(task)
        if not self._keeping:
            self._idle.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("keeping a pyramid failed", exc_info=error)

    def _fail(self, build: PyramidBuild, why: str) -> None:
        if not build.is_stopped:
            self._failed[build.pyramid.address] = time.monotonic() + _PAUSE
            self._drop(build)
            self._told(build.news((), why))

    def _tell(self, build: PyramidBuild, done: tuple[Piece, ...]) -> None:
        if not build.is_stopped:
            self._told(build.news(done))

    def _drop(self, build: PyramidBuild) -> None:
        build.stop()
        if self._builds.get(build.pyramid.address) is build:
            del self._builds[build.pyramid.address]

    def _room(self, build: PyramidBuild) -> int:
        """How many pieces a pyramid may claim, so that as many wait as are under way; those of later builds apart."""
        most = self._slots.count
        held = urgent = 0
        for one in self._builds.values():
            held += len(one.claimed)
            urgent += sum(claimed.urgent for claimed in one.claimed)
            if one is build:
                break
        return min(most - urgent, 2 * most - held) if build.has_urgent else most - held

    def _fill(self) -> None:
        """Submit as much as there is room for."""
        client = self._client
        if client is None or client is not self._get_client():
            return
        usable = set(self._workers())
        busy = Counter(one.worker for one in self._under_way)
        while (worker := self._slots.choose(usable, busy)) is not None:
            build = self._next()
            if build is None:
                return
            self._submit(client, build, build.take(), worker)
            busy[worker] += 1

    def _next(self) -> PyramidBuild | None:
        """Choose the pyramid whose turn it is: one that somebody looks at, or the first that was wanted."""
        ready = [build for build in self._builds.values() if build.claimed]
        return next((build for build in ready if build.claimed[0].urgent), ready[0] if ready else None)

    def _submit(self, client: Client, build: PyramidBuild, claimed: ClaimedPiece, worker: str) -> None:
        loop = asyncio.get_running_loop()
        future = client.submit(
            build_task,
            build.pyramid,
            build.reader,
            claimed.piece,
            key=build_key(build.pyramid, claimed.piece),
            # This worker or none: Dask leaves a task that may go elsewhere where it is, if there is none when
            # its worker is lost. We see that it is; and no worker gets more than it has memory for.
            workers=[worker],
            priority=_PRIORITY_URGENT if claimed.urgent else _PRIORITY,
        )
        one = _UnderWay(build, claimed.piece, worker, future)
        self._under_way.add(one)

        def ended(_: Future) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._collect_soon, one)

        future.add_done_callback(ended)

    def _collect_soon(self, one: _UnderWay) -> None:
        if one in self._under_way:
            task = asyncio.create_task(self._collect(one))
            self._collecting.add(task)
            task.add_done_callback(self._collecting.discard)

    async def _collect(self, one: _UnderWay) -> None:
        """Take what has become of a piece."""
        built: BuiltPiece | None = None
        try:
            built = await result_of(one.future)
        except (CancelledError, OSError) as error:  # Dask's cancellation, not asyncio's: the cluster is lost
            logger.info("a piece is built again: %r", error)
            if one.future.status == "error":  # the task's own
                self._fail(one.build, f"a piece could not be built: {error}")
        except (KilledWorker, NoValidWorkerError):
            self._lose(one)
        except VisiomaticError as error:
            self._fail(one.build, str(error))
        except Exception:
            logger.exception("building %s of %s failed", one.piece, one.build.pyramid.address)
            self._fail(one.build, "the pyramid could not be built; the log says why")
        self._end(one, built)
        self._fill()

    def _lose(self, one: _UnderWay) -> None:
        """Take note that the worker is lost that was to build a piece, which may be the reason why."""
        key = one.future.key
        self._deaths[key] += 1
        if self._deaths[key] >= _TRIES:
            del self._deaths[key]
            self._fail(one.build, "workers were lost again and again while they built it: have they enough memory?")

    def _end(self, one: _UnderWay, built: BuiltPiece | None) -> None:
        if one in self._under_way:
            self._under_way.discard(one)
            if built is not None:
                self._deaths.pop(one.future.key, None)
            one.future.release()
            one.build.ended(one.piece, built)

    def _learn(self, client: Client, workers: Mapping[str, Mapping[str, Any]]) -> None:
        """Take note of the workers there are; what those were to build that are gone is built by others."""
        if client is not self._get_client():
            return
        self._slots.learn(workers)
        for one in [one for one in self._under_way if one.worker not in workers]:
            self._lose(one)
            self._end(one, None)

    async def _keep_watch(self) -> None:
        """Look at the cluster as long as there is something to build."""
        while self._keeping:
            client = self._get_client()
            if client is not self._client:
                self._client = client
                self._slots.learn({})
                for one in list(self._under_way):
                    self._end(one, None)
            if client is not None:
                try:
                    identity = await client.scheduler.identity(n_workers=-1)
                except OSError as error:
                    logger.info("the scheduler does not say what workers there are: %s", error)
                else:
                    self._learn(client, identity["workers"])
            self._fill()
            for build in self._builds.values():
                build.changed.set()
            await asyncio.sleep(_LOOK)
