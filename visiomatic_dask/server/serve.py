"""Serving: from paths and a cluster to a listening port, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from tornado.httpserver import HTTPServer
from tornado.httputil import ParseBodyConfig, ParseUrlEncodedConfig, set_parse_body_config
from tornado.netutil import bind_sockets

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.engine.cluster import ClusterTarget
from visiomatic_dask.engine.renderer import open_renderer
from visiomatic_dask.errors import InvalidSetting
from visiomatic_dask.readers import UnpackCache
from visiomatic_dask.rendering import Background
from visiomatic_dask.server.application import make_application
from visiomatic_dask.server.base import Services
from visiomatic_dask.server.browse import Browser
from visiomatic_dask.server.catalog import Catalog
from visiomatic_dask.server.events import EventHub
from visiomatic_dask.server.names import DataRoots
from visiomatic_dask.server.pictures import PictureDesk
from visiomatic_dask.server.prebuild import prebuilding
from visiomatic_dask.server.stores import with_store
from visiomatic_dask.server.tile_lane import TileLane
from visiomatic_dask.server.tile_paths import StyleCache

_LARGEST_HEADER = 512 * 1024
"""Bytes: of a mix of 16,000 channels that is written channel by channel."""
_MOST_KEYS = 2**15
"""Of a query, for the same reason; Tornado's own limit is 1,000, beyond which it sends an empty 400."""
_COLLECT_AFTER = 20_000
_BATCHES = 2
"""Batches of positions that are converted at a time."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where and what to serve.

    Attributes
    ----------
    paths : sequence of Path or str
        Cubes and data roots; also URLs, see `visiomatic_dask.server.names.DataRoots`.
    host : str
        Interface to listen on.
    port : int
        TCP port; 0 for any free one.
    cluster : ClusterAddress, BatchJobs or None
        Cluster to join, or jobs to start; None for an embedded one.
    version : str
        Version of this package.
    reuse_port : bool
        Whether other processes of this user listen on the same port.
    prebuild : bool
        Whether the pyramids of the cubes among the paths are built from the start.
    """

    paths: Sequence[Path | str]
    host: str
    port: int
    cluster: ClusterTarget | None
    version: str
    reuse_port: bool = False
    prebuild: bool = False


def bound_sockets(options: ServeOptions) -> list[socket.socket]:
    """Listen on the port.

    Raises
    ------
    InvalidSetting
        If the port cannot be used.
    """
    try:
        return bind_sockets(options.port, options.host, reuse_port=options.reuse_port)
    except OSError as error:
        raise port_error(options, error) from error


def port_error(options: ServeOptions, error: OSError) -> InvalidSetting:
    """Say why the port cannot be used."""
    why = "is in use already" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
    return InvalidSetting(f"port {options.port} of {options.host} {why}; choose another with --port")


@asynccontextmanager
async def open_services(options: ServeOptions, settings: Settings, roots: DataRoots) -> AsyncIterator[Services]:
    """Give what handlers work with, on a cluster that is started or joined.

    Raises
    ------
    InvalidSetting
        If the store cannot be written to.
    ClusterError
        If the cluster cannot be used.
    """
    settings = with_store(settings, options.cluster)
    if options.prebuild and settings.pyramid == "memory":
        raise InvalidSetting(
            "--prebuild has no store to build in: give --store, and do not set visiomatic.pyramid to memory"
        )
    desk, styles = PictureDesk(settings.tile_cache), StyleCache()

    async def backgrounds(layer: Layer) -> list[Background]:
        return await renderer.measure.backgrounds(layer)

    def forget(cube: Cube, fingerprints: frozenset[str]) -> None:
        renderer.forget(fingerprints)
        desk.forget(fingerprints)
        styles.forget(cube)

    cache = UnpackCache.of(settings)
    catalog = Catalog(roots, backgrounds, settings.open_cubes, forget, cache)
    events = EventHub()
    async with (
        open_renderer(options.cluster, options.version, settings, catalog, events) as renderer,
        catalog.watched(),
    ):
        with (
            contextlib.closing(catalog),
            contextlib.closing(Browser(roots, cache)) as browser,
            _threads_for_batches() as batches,
            contextlib.closing(events),
        ):
            yield Services(renderer, catalog, browser, desk, styles, batches, events, settings, options.version)


@contextlib.contextmanager
def _threads_for_batches() -> Iterator[Executor]:
    """Give threads that convert batches of positions; what waits for them in the end is given up."""
    threads = ThreadPoolExecutor(_BATCHES, "positions")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def running_server(options: ServeOptions, settings: Settings) -> AsyncIterator[str]:
    """Run a server on the current event loop, and give its URL.

    Raises
    ------
    InvalidSetting
        If a path or the port cannot be used.
    ClusterError
        If the cluster cannot be used.
    """
    roots = DataRoots((*options.paths, *settings.remote_prefixes))
    # A port of our own is taken before anything else. One that others serve from already comes last: the kernel sends
    # connections to whoever listens, and they would wait here while the others could answer them.
    sockets = [] if options.reuse_port else bound_sockets(options)
    async with AsyncExitStack() as stack:
        for one in sockets:
            stack.callback(one.close)  # where no server comes to own them; closing twice does no harm
        services = await stack.enter_async_context(open_services(options, settings, roots))
        if options.prebuild:
            await stack.enter_async_context(prebuilding(services, list(roots.single)))
        set_parse_body_config(ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=_MOST_KEYS)))
        server = HTTPServer(TileLane(make_application(services), services), max_header_size=_LARGEST_HEADER)
        sockets = sockets or bound_sockets(options)
        server.add_sockets(sockets)
        host, port = sockets[0].getsockname()[:2]
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        finally:
            server.stop()
            await server.close_all_connections()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop, where a request costs less than on asyncio's own loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def stop_signals() -> asyncio.Event:
    """Have SIGINT and SIGTERM set an event."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def spare_what_stays() -> None:
    """Have the garbage collector leave alone what is alive now, and stays so, while tiles go by."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


async def serve(options: ServeOptions, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called with the URL once requests are answered."""
    stop = stop_signals()
    async with running_server(options, settings) as url:
        spare_what_stays()
        ready(url)
        await stop.wait()
