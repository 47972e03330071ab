"""Big answers, in parts and beside the tiles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from distributed import Client, Worker

from visiomatic_dask import __version__
from visiomatic_dask.engine.bulk import PART, NotThere, fetch_in_parts
from visiomatic_dask.engine.stream import TileStream

from .clusters import a_job, local_cluster

pytestmark = pytest.mark.timeout(60)
both_protocols = pytest.mark.parametrize("protocol", ["tcp", "inproc"])


def with_cluster(protocol: str, use: Callable[[Client, Worker], Awaitable[None]]) -> None:
    async def main() -> None:
        async with local_cluster(protocol) as (client, (worker,)), asyncio.timeout(40):
            await use(client, worker)

    asyncio.run(main())


def some_bytes(count: int) -> bytes:
    return bytes(range(251)) * (count // 251) + bytes(count % 251)


@both_protocols
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 5 * PART + 7])
def test_what_is_there_comes_whole(protocol: str, size: int) -> None:
    async def use(client: Client, worker: Worker) -> None:
        future = client.submit(some_bytes, size, key="big")
        await future
        for _ in range(3):  # the comm is used again
            assert await fetch_in_parts(client, worker.address, "big") == some_bytes(size)

    with_cluster(protocol, use)


@both_protocols
def test_what_is_not_there_or_no_bytes_is_said_so(protocol: str) -> None:
    async def use(client: Client, worker: Worker) -> None:
        future = client.submit(int, 7, key="seven")
        await future
        for key in ("seven", "none"):
            with pytest.raises(NotThere, match=key):
                await fetch_in_parts(client, worker.address, key)

    with_cluster(protocol, use)


def test_a_fetch_that_is_given_up_harms_no_other() -> None:
    async def use(client: Client, worker: Worker) -> None:
        future = client.submit(some_bytes, 64 * PART, key="big")
        await future
        given_up = asyncio.ensure_future(fetch_in_parts(client, worker.address, "big"))
        await asyncio.sleep(0.005)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert await fetch_in_parts(client, worker.address, "big") == some_bytes(64 * PART)

    with_cluster("tcp", use)


def test_tiles_do_not_wait_for_it() -> None:
    async def use(client: Client, worker: Worker) -> None:
        future = client.submit(some_bytes, 200_000_000, key="big")
        await future
        stream = TileStream(worker.address, 5, 20, lambda _: None, lambda: None)
        await stream.open(__version__)
        fetching = asyncio.ensure_future(fetch_in_parts(client, worker.address, "big"))
        times = []
        while not fetching.done():
            start = time.monotonic()
            await stream.ask(a_job())
            times.append(time.monotonic() - start)
        assert len(await fetching) == 200_000_000
        await stream.close()
        # On one comm they would all have come after it: some did on the way
        assert len(times) > 3

    with_cluster("tcp", use)
