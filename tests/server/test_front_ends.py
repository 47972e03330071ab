"""A port that several processes of ours share, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.errors import InvalidSetting
from visiomatic_dask.server.front_ends import reserved_port
from visiomatic_dask.server.serve import ServeOptions, bound_sockets, running_server

# Tornado leaves a socket that it could not bind to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
ANYWHERE = ServeOptions([], "127.0.0.1", 0, None, __version__)


@contextlib.contextmanager
def listening(options: ServeOptions) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(one) for one in bound_sockets(options)]


def refused(options: ServeOptions) -> None:
    with pytest.raises(InvalidSetting, match=f"port {options.port} of .* is in use already"), reserved_port(options):
        pass
    with pytest.raises(InvalidSetting, match="is in use already"), listening(options):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_reserved_for_those_who_share_it(host: str) -> None:
    options = replace(ANYWHERE, host=host)
    with reserved_port(options) as port:
        strangers = replace(options, port=port)
        ours = replace(strangers, reuse_port=True)
        refused(strangers)  # before anyone listens
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with listening(ours), listening(ours):
            refused(strangers)
            socket.create_connection(("127.0.0.1", port)).close()
        refused(strangers)  # while none of ours is there
    with listening(strangers):
        refused(strangers)


def test_nothing_listens_before_it_can_answer(tmp_path: Path) -> None:
    """Others serve from the port meanwhile: a connection that came here would wait for the cluster."""

    async def main() -> None:
        ready, done = asyncio.Event(), asyncio.Event()

        async def serve(options: ServeOptions) -> None:
            async with running_server(options, load_settings()):
                ready.set()
                await done.wait()

        with reserved_port(ANYWHERE) as port:
            task = asyncio.create_task(serve(replace(ANYWHERE, paths=[tmp_path], port=port, reuse_port=True)))
            while not ready.is_set():
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port))
                await asyncio.sleep(0.01)
            socket.create_connection(("127.0.0.1", port)).close()
            done.set()
            await task

    asyncio.run(main())


def test_an_earlier_servers_connections_do_not_keep_it_busy() -> None:
    with listening(ANYWHERE) as (server,):
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # first: its side lingers
        client.close()
    with reserved_port(replace(ANYWHERE, port=port)) as found:
        assert found == port


def test_connections_are_spread() -> None:
    with reserved_port(ANYWHERE) as port:
        ours = replace(ANYWHERE, port=port, reuse_port=True)
        with listening(ours) as (one,), listening(ours) as (two,), contextlib.ExitStack() as stack:
            for _ in range(64):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            counts = [accepted(server) for server in (one, two)]
        assert sum(counts) == 64
        assert min(counts) > 8


def accepted(server: socket.socket) -> int:
    server.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count
