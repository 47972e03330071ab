"""Zoomed-out views that would read too much: a preview, then the exact picture, kept for ever."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.cube import SourceFile
from visiomatic_dask.engine import ways

from .. import reference
from ..service import Response, Service, serving
from .conftest import Sky
from .websockets import websocket

pytestmark = pytest.mark.timeout(120)
TILE = "/cubes/sky.fits/tiles/3/0/0.png?cuts=-12,20&bad=lo"
MIX = "/cubes/sky.fits/tiles/3/0/0.png?mix=0:1,0.5,0&mix=2:0,0.5,1&cuts=0:-12,20&cuts=2:-10,25"
STOCK = "/api?FIF=sky.fits&CHAN=1&MINMAX=1:-12,20&QLT=90&JTL=0,0"
SMALL: dict[str, Any] = {"exact_read": "64 kB", "preview_read": "400 kB", "tile_threads": 1}
"""Limits by which planes of 4 MB are large."""


def stored(folder: Path, store: Path, **settings: Any) -> AbstractContextManager[Service]:
    store.mkdir(exist_ok=True)
    return serving(folder, store=str(store), **(SMALL | settings))


def is_preview(response: Response) -> bool:
    """Whether it is a preview; nothing is in between."""
    headers = response.headers
    if "X-Visiomatic-Quality" in headers:
        assert headers["X-Visiomatic-Quality"] == "preview"
        assert headers["Cache-Control"] == "no-store"
        assert "ETag" not in headers
        return True
    assert headers["ETag"]
    return False


def exact(service: Service, path: str) -> Response:
    """Ask until the exact picture is there, as a client would that has heard that it is."""
    end = time.monotonic() + 30
    while is_preview(response := service.ok(path)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return response


@contextmanager
def reads() -> Iterator[list[int]]:
    """Bytes that are read of local files meanwhile, by workers in this process, too."""
    counts: list[int] = []
    read_ranges = SourceFile.read_ranges

    def counting(self: SourceFile, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        counts.append(sum(sizes))
        read_ranges(self, offsets, sizes, out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SourceFile, "read_ranges", counting)
        yield counts


def mono(cubes: Sky, channel: int, level: int = 3) -> Any:
    return reference.mono(reference.level_of(cubes.sky[channel], level), -12, 20)


def colour(cubes: Sky) -> Any:
    planes = [reference.level_of(plane, 3) for plane in cubes.sky[[0, 2]]]
    return reference.mix(planes, [(-12, 20), (-10, 25)], [[1, 0.5, 0], [0, 0.5, 1]])


def test_a_preview_first_and_the_exact_picture_for_ever(cubes: Sky, tmp_path: Path) -> None:
    with stored(cubes.folder, tmp_path / "store") as service:
        first = service.ok(TILE)
        assert is_preview(first)
        difference = np.abs(reference.decoded(first.body) - mono(cubes, 0))
        assert 0 < difference.mean() < 25  # like it, but not it
        then = exact(service, TILE)
        reference.assert_close(then.body, mono(cubes, 0), 1)
        assert is_preview(service.ok(MIX))
        mixed = exact(service, MIX)
        reference.assert_close(mixed.body, colour(cubes), 1)
        assert service.ok(TILE).headers["ETag"] == then.headers["ETag"]
        assert service.get(TILE, {"If-None-Match": then.headers["ETag"]}).status == 304
        assert is_preview(service.ok(TILE.replace("?", "?channel=1&")))  # each plane by itself
    with stored(cubes.folder, tmp_path / "store") as service:
        service.ok("/cubes/sky.fits")
        with reads() as counts:
            for path, before in ((TILE, then), (MIX, mixed)):
                again = service.ok(path)
                assert (again.headers["ETag"], again.body) == (before.headers["ETag"], before.body)
        assert not counts
        assert service.get(TILE, {"If-None-Match": then.headers["ETag"]}).status == 304
    assert len(list((tmp_path / "store").glob("sky.fits-*.zarr"))) == 1


def test_all_tiles_of_a_stored_level(cubes: Sky, tmp_path: Path) -> None:
    with stored(cubes.folder, tmp_path / "store", tile_size=64) as service:
        for level in (1, 2, 5):
            whole = mono(cubes, 1, level)
            rows, columns = (-(-size // 64) for size in whole.shape)
            for row, column in {(0, 0), (rows - 1, columns - 1), (rows // 2, columns - 1)}:
                path = f"/cubes/sky.fits/tiles/{level}/{row}/{column}.png?channel=1&cuts=-12,20"
                reference.assert_close(exact(service, path).body, reference.tile_of(whole, row, column, 64), 1)


def test_what_reads_little_is_made_from_the_source(cubes: Sky, tmp_path: Path) -> None:
    with stored(cubes.folder, tmp_path / "store", exact_read="80 MB") as service:
        first = service.ok(TILE)
        assert not is_preview(first)
    assert not list((tmp_path / "store").iterdir())
    with serving(cubes.folder, pyramid="memory", tile_threads=1) as service:
        assert service.ok(TILE).headers["ETag"] == first.headers["ETag"]


def test_in_memory_nothing_is_kept(cubes: Sky, tmp_path: Path) -> None:
    with stored(cubes.folder, tmp_path / "store", pyramid="memory") as service:
        reference.assert_close(service.ok(TILE).body, mono(cubes, 0), 1)
    assert not list((tmp_path / "store").iterdir())


def test_the_etag_says_what_is_kept_of_the_pixels(cubes: Sky, tmp_path: Path) -> None:
    etags = set()
    for mantissa in (23, 8):
        with stored(cubes.folder, tmp_path / "store", store_mantissa=mantissa) as service:
            etags.add(exact(service, TILE).headers["ETag"])
    with stored(cubes.folder, tmp_path / "store", pyramid="memory") as service:
        etags.add(exact(service, TILE).headers["ETag"])
    assert len(etags) == 3


def test_two_servers_share_a_store(cubes: Sky, tmp_path: Path) -> None:
    with stored(cubes.folder, tmp_path / "store") as one, stored(cubes.folder, tmp_path / "store") as other:
        assert is_preview(one.ok(TILE))
        first, second = exact(one, TILE), exact(other, TILE)
        assert (first.headers["ETag"], first.body) == (second.headers["ETag"], second.body)
        first = exact(one, MIX)
        other.ok("/cubes/sky.fits")
        with reads() as counts:
            second = exact(other, MIX)
        assert second.body == first.body
        assert sum(counts) < cubes.sky[0].nbytes / 2  # a preview or two, until it has noticed


async def events(service: Service, query: str) -> AsyncGenerator[dict[str, Any]]:
    async with websocket(f"ws://{service.host}:{service.port}/events?{query}") as socket:
        while (text := await asyncio.wait_for(socket.read_message(), 30)) is not None:
            yield json.loads(text)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_it_is_told_when_the_exact_picture_is_there(cubes: Sky, tmp_path: Path, elsewhere: bool) -> None:
    """Also by another front end than the one that has it built."""

    async def main(asked: Service, listened: Service) -> list[str]:
        kinds = []
        async with aclosing(events(listened, "cube=sky.fits")) as heard:
            async for event in heard:
                kinds.append(event["type"])
                if event["type"] == "hello":
                    assert event["builds"]
                    response = await asyncio.to_thread(asked.ok, TILE)
                    assert is_preview(response)
                elif event["type"] == "exact" and event["level"] == 3:
                    assert (event["planes"], event["box"]) == ([0, 1], [0, 0, 129, 129])
                    response = await asyncio.to_thread(listened.ok, TILE)
                    assert not is_preview(response)  # at once
                    reference.assert_close(response.body, mono(cubes, 0), 1)
                    return kinds
        raise AssertionError(kinds)

    with stored(cubes.folder, tmp_path / "store") as one, stored(cubes.folder, tmp_path / "store") as other:
        kinds = asyncio.run(main(one, other if elsewhere else one))
    assert kinds[0] == "hello"
    assert ("building" in kinds) == (not elsewhere)


def test_the_stock_client_waits_for_what_will_stay(cubes: Sky, tmp_path: Path) -> None:
    with stored(cubes.folder, tmp_path / "store") as service:
        first = service.ok(STOCK)
        assert not is_preview(first)
        assert first.headers["Cache-Control"] == "no-cache"
        assert np.abs(reference.decoded(first.body) - mono(cubes, 0)).mean() < 3  # as a JPEG may err
        assert service.ok(STOCK).body == first.body
        ours = service.ok("/cubes/sky.fits/tiles/3/0/0.jpg?cuts=-12,20&quality=90")
        assert (ours.headers["ETag"], ours.body) == (first.headers["ETag"], first.body)


def test_the_stock_client_gets_a_sample_of_what_takes_too_long(
    cubes: Sky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "SETTLED_READ", 1_000_000)
    with stored(cubes.folder, tmp_path / "store", read_limit="2 MB") as service:
        first = service.ok(STOCK)
        assert not list((tmp_path / "store").iterdir())
        ours = exact(service, "/cubes/sky.fits/tiles/3/0/0.jpg?cuts=-12,20&quality=90")
        again = service.ok(STOCK)  # whatever is in the store by now
        assert (again.headers["ETag"], again.body) == (first.headers["ETag"], first.body)
        assert (ours.headers["ETag"], ours.body) != (first.headers["ETag"], first.body)


def test_an_evicted_pyramid_is_built_again(cubes: Sky, tmp_path: Path) -> None:
    store = tmp_path / "store"
    other = TILE.replace("?", "?channel=1&")
    with stored(cubes.folder, store) as service:
        before = exact(service, TILE), exact(service, other)
    with stored(cubes.folder, store) as service:
        assert not is_preview(service.ok(TILE))  # it knows of the pyramid, but has not read all of it
        shutil.rmtree(next(store.glob("*.zarr")))
        assert is_preview(service.ok(other))
        after = exact(service, TILE), exact(service, other)
    assert [one.body for one in after] == [one.body for one in before]


def test_a_changed_file_has_another_pyramid(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / "a.fits"
    tile = "/cubes/a.fits/tiles/2/0/0.png?cuts=-3,3"

    def write() -> Any:
        pixels = rng.standard_normal((700, 900)).astype(np.float32)
        fits.writeto(path, pixels, overwrite=True)
        return reference.mono(reference.level_of(pixels, 2), -3, 3)

    with stored(tmp_path, tmp_path / "store") as service:
        expected = write()
        first = exact(service, tile)
        reference.assert_close(first.body, expected, 1)
        expected = write()
        time.sleep(1.1)
        second = exact(service, tile)
        reference.assert_close(second.body, expected, 1)
        assert first.headers["ETag"] != second.headers["ETag"]


@pytest.mark.parametrize("how", ["ahead", "prebuild"])
def test_all_is_built_ahead(cubes: Sky, tmp_path: Path, how: str) -> None:
    path = cubes.folder / "sky.fits"
    settings = {"pyramid": "ahead"} if how == "ahead" else {"prebuild": True}
    with stored(path, tmp_path / "store", **settings) as service:
        if how == "ahead":
            service.ok("/cubes/sky.fits")
        paths = [f"/cubes/sky.fits/tiles/{level}/0/0.png?cuts=-12,20&channel=2" for level in (1, 2, 3)]
        wait_for(lambda: list((tmp_path / "store").glob("*.zarr/3/data/c/0/0/0")), "a shard of the last level")
        time.sleep(1.5)  # until somebody has noticed
        with reads() as counts:
            assert not any(is_preview(service.ok(one)) for one in paths)
        assert not counts


def wait_for(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
