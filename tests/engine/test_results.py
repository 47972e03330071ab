"""Results of tasks: whoever gives up takes nothing from the others."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from distributed import Client, Future

from visiomatic_dask.engine.results import finished, result_of

from .clusters import local_cluster


def slow(number: int) -> int:
    time.sleep(0.3)
    return number


def failing() -> None:
    raise ValueError("as it should")


async def squares(client: Client, numbers: range) -> list[Future]:
    futures = [client.submit(pow, number, 2, pure=False) for number in numbers]
    for future in futures:
        await finished(future)
    return futures


def test_those_who_give_up_take_nothing_from_the_others() -> None:
    async def main() -> None:
        async with local_cluster("inproc", plugin=False) as (client, _):
            for turns in range(8):  # loop turns until they give up: before, while and after it is fetched
                futures = await squares(client, range(40))
                fetched = [asyncio.create_task(result_of(one)) for one in futures]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in fetched[::2]:
                    task.cancel()
                async with asyncio.timeout(10):
                    found = await asyncio.gather(*fetched, return_exceptions=True)
                    assert found[1::2] == [number**2 for number in range(1, 40, 2)]
                    (later,) = await squares(client, range(7, 8))
                    assert await result_of(later) == 49

    asyncio.run(main())


def test_who_gives_up_lets_go() -> None:
    async def main() -> None:
        async with local_cluster("inproc", plugin=False) as (client, _):
            future = client.submit(slow, 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await result_of(future)
            async with asyncio.timeout(10):  # Dask lets go a turn of the loop later
                while future.key in client.futures:
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_errors_are_those_of_the_task() -> None:
    async def main() -> Any:
        async with local_cluster("inproc", plugin=False) as (client, _):
            await result_of(client.submit(failing))

    with pytest.raises(ValueError, match="as it should"):
        asyncio.run(main())
