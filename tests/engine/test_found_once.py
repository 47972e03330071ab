"""What is found once is kept while it is used, within bounds; what fails is tried again."""

from __future__ import annotations

import asyncio

import pytest

from visiomatic_dask.engine.found_once import FoundOnce
from visiomatic_dask.errors import InvalidRequest


def test_found_once_however_many_ask() -> None:
    found: list[int] = []

    async def main() -> None:
        cache, go = FoundOnce(), asyncio.Event()

        async def find() -> list[int]:
            await go.wait()
            found.append(1)
            return found

        asking = [asyncio.create_task(cache.get("key", find, 5)) for _ in range(4)]
        await asyncio.sleep(0)
        asking[0].cancel()  # whoever began it may go
        go.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert all(answer is found for answer in answers[1:])
        assert await cache.get("key", find, 5) is found
        assert found == [1]

    asyncio.run(main())


def test_failures_are_not_kept() -> None:
    async def main() -> None:
        cache = FoundOnce()

        async def fail() -> None:
            raise InvalidRequest("not this", "mix")

        async def succeed() -> int:
            return 7

        with pytest.raises(InvalidRequest, match="not this"):
            await cache.get("key", fail, 1)
        assert len(cache) == 0
        assert await cache.get("key", succeed, 1) == 7
        assert len(cache) == 1

    asyncio.run(main())


@pytest.mark.parametrize(("weight", "kept"), [(1, 64), (2**14, 8), (2**17, 1), (2**20, 1)])
def test_it_is_bounded_by_number_and_by_weight(weight: int, kept: int) -> None:
    async def main() -> None:
        cache = FoundOnce(64, 2**17)
        finds: list[int] = []

        async def get(key: int) -> None:
            async def find() -> int:
                finds.append(key)
                return key

            assert await cache.get(key, find, weight) == key

        for key in range(100):
            await get(key)
        assert len(cache) == kept
        await get(99)
        assert finds == list(range(100))
        await get(0)  # the least recently used is gone
        assert finds[-1] == 0

    asyncio.run(main())
