"""What is found once is kept while it is used, within bounds; what fails is tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.server.content_cache import ContentCache

from ..service import serving


def test_found_once_however_many_ask() -> None:
    found: list[int] = []

    async def main() -> None:
        cache, go = ContentCache(), asyncio.Event()

        async def find() -> list[int]:
            await go.wait()
            found.append(1)
            return found

        asking = [asyncio.create_task(cache.get("key", 5, find)) for _ in range(4)]
        await asyncio.sleep(0)
        asking[0].cancel()  # whoever began it may go
        go.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert all(answer is found for answer in answers[1:])
        assert await cache.get("key", 5, find) is found
        assert found == [1]

    asyncio.run(main())


def test_failures_are_not_kept() -> None:
    async def main() -> None:
        cache = ContentCache()

        async def fail() -> None:
            raise InvalidRequest("not this", "mix")

        async def succeed() -> int:
            return 7

        with pytest.raises(InvalidRequest, match="not this"):
            await cache.get("key", 1, fail)
        assert len(cache) == 0
        assert await cache.get("key", 1, succeed) == 7
        assert len(cache) == 1

    asyncio.run(main())


@pytest.mark.parametrize(("channels", "kept"), [(1, 64), (2**14, 8), (2**17, 1), (2**20, 1)])
def test_it_is_bounded_by_number_and_by_channels(channels: int, kept: int) -> None:
    async def main() -> None:
        cache = ContentCache()
        finds: list[int] = []

        async def get(key: int) -> None:
            async def find() -> int:
                finds.append(key)
                return key

            assert await cache.get(key, channels, find) == key

        for key in range(100):
            await get(key)
        assert len(cache) == kept
        await get(99)
        assert finds == list(range(100))
        await get(0)  # the least recently used is gone
        assert finds[-1] == 0

    asyncio.run(main())


def test_a_query_that_says_nothing_means_another_thing_in_each_api(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).standard_normal((3, 40, 40)).astype(np.float32)
    fits.writeto(tmp_path / "cube.fits", pixels)
    paths = ("/api?FIF=cube.fits&JTL=0,0", "/cubes/cube.fits/tiles/0/0/0.jpg")
    with serving(tmp_path) as one, serving(tmp_path) as other:
        first = {path: one.ok(path).body for path in paths}
        second = {path: other.ok(path).body for path in reversed(paths)}
    assert first == second
    assert len(set(first.values())) == 2
