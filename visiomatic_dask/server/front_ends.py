"""Several front ends on one port, each an event loop in a process of its own, all clients of one cluster.

The kernel spreads connections over the sockets that listen on a port (SO_REUSEPORT). This process answers nobody: it
keeps the port, starts the cluster where there is none, and starts a front end again that has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.cluster import shared_cluster
from visiomatic_dask.errors import InvalidSetting, VisiomaticError
from visiomatic_dask.server.names import DataRoots
from visiomatic_dask.server.serve import ServeOptions, bound_sockets, port_error, run, serve, stop_signals
from visiomatic_dask.server.stores import with_store

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a front end is started again: doubles each time."""
_SETTLED = 60.0
"""A front end that has run this long was well: its pauses begin with the first again."""
_GRACE = 8
"""Seconds a front end has to end by itself."""


async def serve_from_several(
    count: int, options: ServeOptions, settings: Settings, ready: Callable[[str], None]
) -> None:
    """Serve from `count` processes until SIGINT or SIGTERM; `ready` is called with the URL once all of them answer.

    Raises
    ------
    InvalidSetting
        If a path or the port cannot be used, or this is not Linux.
    VisiomaticError
        If a front end cannot start. Once all have answered, one that ends is started again.
    """
    if sys.platform != "linux":
        raise InvalidSetting(
            "--front-ends is above 1; allowed: 1, as only Linux spreads the connections of a port over processes"
        )
    DataRoots(
        (*options.paths, *settings.remote_prefixes)
    )  # what is wrong with a path is said before anything is started
    stop = stop_signals()
    with reserved_port(options) as port:
        settings = with_store(settings, options.cluster)  # they will join what is started here as if it were anybody's
        async with shared_cluster(options.cluster, count) as cluster:
            shared = replace(options, port=port, cluster=cluster, reuse_port=True)
            await _Supervisor(count, shared, settings, ready).run(stop)


@contextlib.contextmanager
def reserved_port(options: ServeOptions) -> Iterator[int]:
    """Keep a port for several processes of this user that share it, and for nobody else; nothing listens yet.

    Sockets that are bound but do not listen get no connections. Should every front end be gone for a moment, clients
    are refused, and no other server takes the port.

    Raises
    ------
    InvalidSetting
        If someone has the port already.
    """
    with contextlib.ExitStack() as stack:
        # Once without sharing: with it, the kernel would let a second server in beside a first one.
        found = [stack.enter_context(one) for one in bound_sockets(options)]
        places = [(one.family, one.getsockname()) for one in found]
        stack.close()
        for family, place in places:
            one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # An earlier server's connections may linger on the port; but nobody is let in beside this socket that way.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(place)
            except OSError as error:  # someone was quicker, just now
                raise port_error(options, error) from error
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        yield int(places[0][1][1])


class _Supervisor:
    """Keeps front ends running.

    Parameters
    ----------
    count : int
        How many.
    options : ServeOptions
        What each of them serves, and where.
    settings : Settings
        Every limit.
    ready : callable
        Called with the URL once all of them answer.
    """

    def __init__(self, count: int, options: ServeOptions, settings: Settings, ready: Callable[[str], None]) -> None:
        self._options = options
        self._settings = settings
        self._ready = ready
        self._to_come = set(range(1, count + 1))

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or a front end cannot start; nothing is left behind."""
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._keep(one)) for one in sorted(self._to_come)]
        tasks.append(asyncio.create_task(stop.wait()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():  # then front ends may have been told to end, too
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """Start a front end, and start it again whenever it has ended."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                why = await self._run_once(number)
            except VisiomaticError as error:
                if number in self._to_come:
                    raise
                why = error.message
            if number in self._to_come:
                raise VisiomaticError(f"front end {number}: {why} before it could answer")
            if time.monotonic() - began > _SETTLED:
                pause = _FIRST_PAUSE
            logger.warning("front end %d: %s; it is started again in %g s", number, why, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _run_once(self, number: int) -> str:
        """Run a front end until it ends, and say how it has ended; `VisiomaticError` if it could not start."""
        ours, theirs = multiprocessing.Pipe(duplex=False)
        with ours:
            with theirs:
                options = replace(self._options, prebuild=self._options.prebuild and number == 1)  # once is enough
                process = _started(number, options, self._settings, theirs)
            try:
                await _readable(ours.fileno())
                try:
                    said: str | VisiomaticError | None = ours.recv()
                except EOFError:
                    said = None
                if isinstance(said, VisiomaticError):
                    raise said
                if said is not None:
                    self._answers(number, said)
                    await _readable(process.sentinel)
            finally:
                await _end(process)
        return f"process {process.pid} has ended with status {process.exitcode}"

    def _answers(self, number: int, url: str) -> None:
        if number in self._to_come:
            self._to_come.remove(number)
            if not self._to_come:
                self._ready(url)


async def _readable(fileno: int) -> None:
    """Wait until there is something to read, or the other end is gone."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(fileno, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(fileno)


async def _end(process: SpawnProcess) -> None:
    """End a process: politely, then not."""
    process.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await _readable(process.sentinel)
    except TimeoutError:
        logger.warning("process %s did not end within %d s, and is killed", process.pid, _GRACE)
        process.kill()
    process.join()


def _started(number: int, options: ServeOptions, settings: Settings, tell: Connection) -> SpawnProcess:
    """Start a front end's process."""
    context = multiprocessing.get_context("spawn")
    level = logging.getLogger().getEffectiveLevel()
    process = context.Process(
        target=_front_end, args=(number, options, settings, tell, level), name=f"front end {number}", daemon=True
    )
    # Ctrl-C goes to every process of a terminal. It is for this one alone, which then ends the others: they inherit
    # that it is blocked. (The tracker, which is started with the first child, would unblock it again.)
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return process


def _front_end(number: int, options: ServeOptions, settings: Settings, tell: Connection, level: int) -> None:
    """Serve, in a process of its own: tell the URL once requests are answered, or what is wrong."""
    logging.basicConfig(level=level, format=f"%(levelname)s front end {number}: %(name)s: %(message)s")

    def say(what: str | VisiomaticError) -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone, and so will this process be
            tell.send(what)

    try:
        run(_serve_while_supervised(options, settings, say))
    except VisiomaticError as error:
        say(error)


async def _serve_while_supervised(options: ServeOptions, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until told to stop, or until the supervisor is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("a front end is started by its supervisor")
    loop = asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(parent.sentinel)
        signal.alarm(_GRACE)  # the cluster may have gone too, and be waited for: this ends the process all the same
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(parent.sentinel, orphaned)
    await serve(options, settings, ready)
