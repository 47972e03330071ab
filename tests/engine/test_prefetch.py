"""Reading ahead: what is expected next, how much of it, and that it gives way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.contracts.chunked_fake import ChunkedFake
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.prefetch import View, next_tiles
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

from .made_up import MadeUp, layer_of
from .test_routes import bricks_of, on_cluster, renderer_of

PNG = Look(format="png")
LAYER = layer_of(MadeUp((20, 2048, 1024)))  # with bricks of 256 kB: eight bands of one row of tiles each
PLANNER = Planner(load_settings(brick_size="1 MiB"))


def tile(row: int, channel: int = 5, level: int = 0) -> TileRequest:
    return TileRequest(LAYER, level, row, 0, Style(Mono(channel, Cut(0, 90)), PNG))


def seen(*requests: TileRequest, seconds: float = 0.0) -> View:
    view = View(requests[0])
    for number, request in enumerate(requests):
        view.saw(request, PLANNER.plan(request, 1).brick.recipe.box, number * seconds)
    return view


def rows(view: View) -> list[int]:
    return [request.row for request in next_tiles(view, PLANNER)]


def test_around_the_view_as_far_as_it_is_high() -> None:
    assert rows(seen(tile(3))) == [2, 4]
    assert sorted(rows(seen(tile(3), tile(4)))) == [1, 2, 5, 6]
    assert rows(seen(tile(3), tile(4)))[:2] in ([2, 5], [5, 2])  # the nearest first
    assert rows(seen(tile(0))) == [1]


def test_what_was_seen_long_ago_is_not_the_view() -> None:
    assert rows(seen(tile(0), tile(1), tile(6), seconds=0.9)) != rows(seen(tile(6)))
    assert rows(seen(tile(0), tile(1), tile(6), seconds=1.1)) == rows(seen(tile(6)))


def test_another_level_is_another_view() -> None:
    assert {request.level for request in next_tiles(seen(tile(3), tile(1, level=1)), PLANNER)} == {1}


STEPS = [((5, 6, 7), [8, 9]), ((9, 7, 5), [3, 1]), ((17, 18, 19), []), ((2, 4, 4, 6), [8, 10])]


@pytest.mark.parametrize(("channels", "expected"), STEPS)
def test_the_next_channels_while_one_steps_through_them(channels: tuple[int, ...], expected: list[int]) -> None:
    found = list(next_tiles(seen(*(tile(3, channel) for channel in channels)), PLANNER))
    assert [one.style.content.channel for one in found if isinstance(one.style.content, Mono)] == expected
    assert {one.row for one in found} <= {3}


def test_who_takes_his_time_does_not_step() -> None:
    assert seen(tile(3, 5), tile(3, 6), tile(3, 7), seconds=1.9).step == 1
    assert seen(tile(3, 5), tile(3, 6), tile(3, 7), seconds=2.1).step == 0


@pytest.mark.parametrize("channels", [(5, 6), (5, 6, 9), (5, 5, 5)])
def test_no_step_no_channels(channels: tuple[int, ...]) -> None:
    found = list(next_tiles(seen(*(tile(3, channel) for channel in channels)), PLANNER))
    assert {one.style.content for one in found} == {Mono(channels[-1], Cut(0, 90))}


def test_around_a_mix() -> None:
    style = Style(Mix((0, 1), (Cut(0, 90),) * 2, ((1, 0, 0), (0, 1, 1))), PNG)
    view = seen(TileRequest(LAYER, 0, 1, 1, style))  # the bricks of mixes are 1024 x 1024
    assert [(one.row, one.column, one.style) for one in next_tiles(view, PLANNER)] == [(4, 0, style)]


def test_the_next_brick_is_read_while_one_steps_through_a_deep_one() -> None:
    layer = layer_of(MadeUp((40, 400, 400)))  # bricks of 13 whole planes
    planner = Planner(load_settings())
    keys = [planner.plan(TileRequest(layer, 0, 0, 0, Style(Mono(c, Cut(0, 90)), PNG)), 1).brick.key for c in range(40)]
    assert keys[12] != keys[13]

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            for channel in (3, 4):
                await renderer.tile(TileRequest(layer, 0, 0, 0, Style(Mono(channel, Cut(0, 90)), PNG)), "someone")
            await asyncio.sleep(0.3)
            assert await bricks_of(client) == [keys[3]]
            await renderer.tile(TileRequest(layer, 0, 0, 0, Style(Mono(5, Cut(0, 90)), PNG)), "someone")
            assert set(await settled(client, 3)) == {keys[3], keys[13], keys[26]}

    on_cluster(use)


async def settled(client: Any, count: int) -> list[str]:
    async with asyncio.timeout(10):
        while len(await bricks_of(client)) < count:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    return await bricks_of(client)


def test_it_is_read_and_no_more_than_allowed() -> None:
    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, brick_size="1 MiB", prefetch="3 MiB") as renderer:
            for row in (3, 4):
                await renderer.tile(tile(row), "someone")
            found = await settled(client, 5)
            plans = {row: renderer.planner.plan(tile(row), 1).brick.key for row in range(8)}
            assert len(found) == 5
            assert {plans[2], plans[3], plans[4], plans[5]} <= set(found)
            # What was read ahead comes into view: that is news, and more is read around it
            await renderer.tile(tile(5), "someone")
            assert plans[6] in await settled(client, 6)

    on_cluster(use)


def test_with_nothing_allowed_nothing_is_read() -> None:
    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, brick_size="1 MiB", prefetch=0) as renderer:
            await renderer.tile(tile(3), "someone")
            assert len(await settled(client, 1)) == 1

    on_cluster(use)


def test_what_somebody_waits_for_comes_first() -> None:
    """Two threads, slow bricks: those read ahead do not hold up a view elsewhere by more than what has begun."""
    slow = layer_of(MadeUp((1, 8192, 1024), delay=0.2))

    def at(row: int) -> TileRequest:
        return TileRequest(slow, 0, row, 0, Style(Mono(0, Cut(0, 90)), PNG))

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, brick_size="1 MiB", prefetch="16 MiB") as renderer:
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(renderer.tile(at(row), "someone") for row in (10, 11, 12, 13)))
            await asyncio.sleep(0.15)  # reading ahead has begun: eight bricks, 0.8 s in all
            start = loop.time()
            await renderer.tile(at(30), "another")
            assert loop.time() - start < 0.75

    on_cluster(use)


def test_a_view_that_has_moved_on_takes_what_it_expected_with_it() -> None:
    # What is expected around the view takes three seconds, and the view moves on after one.
    slow = layer_of(MadeUp((1, 16384, 1024), delay=0.4))

    def at(row: int) -> TileRequest:
        return TileRequest(slow, 0, row, 0, Style(Mono(0, Cut(0, 90)), PNG))

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, brick_size="1 MiB", prefetch="16 MiB") as renderer:
            await asyncio.gather(*(renderer.tile(at(row), "someone") for row in range(20, 28)))
            await asyncio.sleep(1.05)
            await renderer.tile(at(50), "someone")
            found = set(await settled(client, 9))
            left = {renderer.planner.plan(at(row), 1).brick.key for row in (*range(12, 20), *range(28, 36))}
            assert len(found & left) < 16
            assert {renderer.planner.plan(at(row), 1).brick.key for row in (49, 51)} <= set(await settled(client, 11))

    on_cluster(use)


def test_stepping_through_deep_chunks_looks_beyond_the_brick() -> None:
    array = np.broadcast_to(np.float32(0), (100, 512, 512))
    layer = replace(LAYER, reader=ChunkedFake(array, (16, 64, 64)))
    planner = Planner(load_settings())

    def at(channel: int) -> TileRequest:
        return TileRequest(layer, 0, 0, 0, Style(Mono(channel, Cut(0, 90)), PNG))

    def channels(*steps: int) -> list[int]:
        view = View(at(steps[0]))
        for channel in steps:
            view.saw(at(channel), planner.plan(at(channel), 1).brick.recipe.box, 0.0)
        return [one.style.content.channel for one in next_tiles(view, planner) if isinstance(one.style.content, Mono)]

    assert channels(4, 5, 6) == [16, 32]
    assert channels(40, 39, 38) == [31, 15]
    assert channels(90, 91, 92) == [96]
    assert channels(10, 20, 30) == [40, 50]
