"""Drafts of mixes on a real cluster: what is read, what is told, and that the exact picture follows."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from distributed import Client
from numpy.typing import NDArray

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Layer, Window
from visiomatic_dask.engine import bricks, drafts
from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.coarse_brick import CoarseBrick, standing_for
from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.draft_news import TOPIC
from visiomatic_dask.engine.keeper import BrickKeeper
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.mix_delta import MixDelta
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.errors import Unavailable
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Collapse, Content, Cut, Look, Mix, NaNPolicy, Style

from .made_up import MadeUp, layer_of
from .test_pyramids import Heard, Open, until
from .test_routes import on_cluster

pytestmark = pytest.mark.timeout(90)
PNG = Look(format="png")
CHANNELS, SIDE = 60, 256
PLANE = 4 * SIDE * SIDE
READ: list[int] = []


@dataclass(frozen=True)
class Read(MadeUp):
    """Counts the bytes that are read in this process, and has holes."""

    def read(self, window: Window) -> NDArray[np.float32]:
        READ.append(4 * window.size)
        pixels = super().read(window)
        c, y, x = np.ix_(*(np.array(one) for one in window.ranges))
        return np.where((c + 3 * y + 5 * x) % 11 == 0, np.float32(np.nan), pixels)


READER = Read((CHANNELS, SIDE, SIDE))
LAYER = layer_of(READER)


def mix_of(high: float = 90.0, channel: int = 7, nan: NaNPolicy = "lo") -> Mix:
    """All channels from blue to red, one with a cut of its own."""
    cuts = np.array([(100.0 * c, 100.0 * c + 90.0) for c in range(CHANNELS)])
    cuts[channel, 1] = 100.0 * channel + high
    ramp = np.linspace(0, 1, CHANNELS)
    weights = np.stack([ramp, 1 - np.abs(2 * ramp - 1), 1 - ramp], axis=1) / CHANNELS * 2
    return Mix(range(CHANNELS), cuts, weights, nan)


def tile(content: Content, layer: Layer = LAYER, *, settled: bool = False) -> TileRequest:
    return TileRequest(layer, 0, 0, 0, Style(content, PNG), settled)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have drafts of what is small enough for a test; coarse ones only where a test asks for them."""
    monkeypatch.setattr(drafts, "AT_ONCE", 2**20)
    READ.clear()


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "COARSE_FROM", 2**21)
    monkeypatch.setattr(drafts, "COARSE_READ", 2**20)


def compile_kernels(nan: NaNPolicy) -> None:
    """Have numba done with its work, which would look like a pause in a drag."""
    base, full = (MixBrick(READER, 0, Box(0, 0, 8, 8), mix_of(high, nan=nan)) for high in (90.0, 120.0))
    delta = MixDelta.between(Brick(base), full, full.read_cost)
    assert delta is not None
    delta.added_to(base.load())
    READ.clear()


@asynccontextmanager
async def showing(client: Client, heard: Heard, **settings: Any) -> AsyncIterator[Renderer]:
    loaded = load_settings(**settings)
    link = ClusterLink(client, __version__, loaded)
    renderer = Renderer(loaded, Open([LAYER]), heard)
    try:
        await link.start()
        renderer.use(link)
        yield renderer
    finally:
        await renderer.close()
        await link.close()


def cluster(use: Callable[[Client, Any], Awaitable[None]], **options: Any) -> None:
    on_cluster(use, **options)


def keys(renderer: Renderer, prefix: str) -> list[str]:
    assert renderer._link is not None
    return [one for one in renderer._link.dispatcher.keeper.residency._entries if one.startswith(prefix)]


@pytest.mark.parametrize("nan", ["lo", "renormalise"])
def test_a_drag_computes_differences_and_one_sum_at_its_end(nan: NaNPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "QUIET", 1.5)
    compile_kernels(nan)

    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            first = await renderer.tile(tile(mix_of(nan=nan), settled=True))
            assert not first.preview
            READ.clear()
            for step in range(20):
                request = tile(mix_of(100.0 + step, nan=nan))
                assert await renderer.is_passing(request)
                picture = await renderer.tile(request)
                assert picture.passing
                assert picture.preview
                assert not heard.said
            assert sum(READ) == 20 * PLANE
            await until(lambda: heard.said)
            assert sum(READ) == 20 * PLANE + CHANNELS * PLANE
            assert heard.said == [("exact", READER.token, 0, (0, CHANNELS), Box(0, 0, SIDE, SIDE))]
            assert not await renderer.is_passing(request)
            exact = await renderer.tile(request)
            assert not exact.preview
            settled = await renderer.tile(replace(request, settled=True))
            assert exact.data == settled.data
            assert sum(READ) == (20 + CHANNELS) * PLANE
            assert len(keys(renderer, "mix-delta")) == 20
            await until(lambda: len(keys(renderer, "mix-delta")) == 19)

    cluster(use, workers=2)


def test_no_difference_is_made_of_another_one() -> None:
    async def use(client: Client, workers: Any) -> None:
        async with showing(client, Heard()) as renderer:
            await renderer.tile(tile(mix_of(), settled=True))
            await renderer.tile(tile(mix_of(100.0, 7)))
            READ.clear()
            # It differs from the base in two channels, from the draft in one.
            cuts = mix_of(100.0, 7).cuts.copy()
            cuts[9, 1] += 5
            await renderer.tile(tile(Mix(range(CHANNELS), cuts, mix_of().weights)))
            assert sum(READ) == 2 * PLANE

    cluster(use)


def test_a_difference_whose_base_is_lost_is_the_sum() -> None:
    base, full = (MixBrick(READER, 0, Box(0, 0, SIDE, SIDE), mix_of(high)) for high in (90.0, 120.0))
    delta = MixDelta.between(Brick(base), full, full.read_cost)
    assert delta is not None
    np.testing.assert_array_equal(delta.load(), full.load())
    np.testing.assert_allclose(delta.added_to(base.load()), full.load(), rtol=1e-3, atol=1e-4)
    part = delta.part(Box(10, 20, 30, 60), 0)
    np.testing.assert_array_equal(part.load(), full.load()[:, 10:30, 20:60])

    async def use(client: Client, workers: Any) -> None:
        async with showing(client, Heard()) as renderer:
            await renderer.tile(tile(mix_of(), settled=True))
            request = tile(mix_of(120.0))
            for worker in workers:
                worker.data.clear()
            draft = await renderer.tile(request)
            assert draft.passing
            assert draft.data == (await renderer.tile(replace(request, settled=True))).data

    cluster(use)


def test_who_asks_for_the_exact_picture_waits_for_it() -> None:
    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), settled=True))
            request = tile(mix_of(100.0))
            draft, settled = await asyncio.gather(renderer.tile(request), renderer.tile(replace(request, settled=True)))
            assert not settled.preview
            assert draft.passing or draft.data == settled.data
            assert not await renderer.is_passing(replace(request, settled=True))
            await asyncio.sleep(2 * drafts.QUIET)
            assert (await renderer.tile(request)).data == settled.data

    cluster(use)


@pytest.mark.parametrize("content", [mix_of(), Collapse(0, CHANNELS, "mean", Cut(0, 6000))])
@pytest.mark.usefixtures("coarse")
def test_a_coarse_picture_comes_first(content: Content) -> None:
    async def use(client: Client, _: Any) -> None:
        heard, request = Heard(), tile(content)
        async with showing(client, heard) as renderer:
            assert await renderer.is_passing(request)
            picture = await renderer.tile(request)
            await until(lambda: heard.kinds == ["exact"])
            exact = await renderer.tile(request)
            assert not exact.preview
            assert exact.data == (await renderer.tile(replace(request, settled=True))).data
            assert picture.data != exact.data
            assert picture.passing
            assert sum(READ) <= CHANNELS * PLANE + 2**20 + CHANNELS * 4 * SIDE

    cluster(use)


@pytest.mark.usefixtures("coarse")
def test_of_mixes_passed_over_nothing_is_promised() -> None:
    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            for step in range(12):  # every channel is another: no difference is worth it
                mix = mix_of()
                await renderer.tile(tile(Mix(mix.channels, mix.cuts + step, mix.weights)))
            await until(lambda: heard.said)
            await asyncio.sleep(2 * drafts.QUIET)
            # The first may have begun, as it was no drag yet.
            assert 1 <= len(heard.said) <= 2
            assert sum(READ) <= 2 * CHANNELS * PLANE + 12 * (2**20 + CHANNELS * 4 * SIDE)

    cluster(use)


def test_viewers_do_not_give_up_what_others_look_at() -> None:
    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), settled=True))
            still = tile(mix_of(100.0))
            await renderer.tile(still, "one")
            for step in range(20):
                await renderer.tile(tile(mix_of(101.0 + step)), "other")
                await asyncio.sleep(0.05)
            await until(lambda: heard.said)
            assert not await renderer.is_passing(still)

    cluster(use)


def test_what_is_little_or_is_told_to_nobody_is_no_draft() -> None:
    async def use(client: Client, _: Any) -> None:
        async with showing(client, Heard()) as renderer:
            few = Mix(range(3), mix_of().cuts[:3], mix_of().weights[:3])
            assert not (await renderer.tile(tile(few))).preview
        loaded = load_settings()
        link = ClusterLink(client, __version__, loaded)
        renderer = Renderer(loaded)
        await link.start()
        renderer.use(link)
        for high in (90.0, 100.0):
            assert not (await renderer.tile(tile(mix_of(high)))).preview
        await link.close()

    cluster(use)


@pytest.mark.parametrize(("prefetch", "most"), [("1 MB", 1), ("1 GB", 9)])
def test_mixes_that_read_more_than_may_be_read_ahead_are_not(prefetch: str, most: int) -> None:
    wide = layer_of(Read((CHANNELS, 1024, 4096), "wide"))

    async def use(client: Client, _: Any) -> None:
        async with showing(client, Heard(), prefetch=prefetch) as renderer:
            await renderer.tile(tile(mix_of(), wide, settled=True))
            await asyncio.sleep(0.5)
            assert (renderer.bricks > 1) == (most > 1)
            assert renderer.bricks <= most

    cluster(use)


def test_files_that_have_changed_are_forgotten() -> None:
    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), settled=True))
            request = tile(mix_of(100.0))
            await renderer.tile(request)
            renderer.forget({READER.fingerprint})
            assert not await renderer.is_passing(request)
            await asyncio.sleep(2 * drafts.QUIET)
            assert not heard.said

    cluster(use)


def test_a_viewer_who_leaves_while_a_draft_is_made_takes_it_from_nobody() -> None:
    slow = layer_of(replace(READER, delay=0.03, fingerprint="slow"))

    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), slow, settled=True))
            request = tile(mix_of(100.0), slow)
            leaves = asyncio.create_task(renderer.tile(request, "leaves"))
            stays = asyncio.create_task(renderer.tile(request, "stays"))
            await asyncio.sleep(0.01)
            leaves.cancel()
            assert (await stays).passing
            await until(lambda: heard.said)
            assert leaves.cancelled()

    cluster(use)


def test_what_is_promised_comes_though_one_who_waited_for_it_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bricks, "_DEAR", 1)
    slow = layer_of(replace(READER, delay=0.03, fingerprint="slow"))

    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), slow, settled=True))
            request = tile(mix_of(100.0), slow)
            waits = asyncio.create_task(renderer.tile(replace(request, settled=True)))
            await asyncio.sleep(0.1)
            assert (await renderer.tile(request)).passing
            await asyncio.sleep(drafts.QUIET + 0.1)
            assert not waits.done()
            waits.cancel()
            await until(lambda: heard.said)
            assert waits.cancelled()

    cluster(use)


def test_a_coarse_brick_is_like_the_full_one() -> None:
    smooth = MixBrick(MadeUp((CHANNELS, SIDE, SIDE)), 1, Box(0, 0, 128, 128), mix_of())
    full = smooth.load()
    for read in (2**18, 2**20, 2**22):
        coarse = CoarseBrick(smooth, read)
        got = coarse.load()
        assert got.shape == full.shape
        np.testing.assert_allclose(np.nanmean(got, (1, 2)), np.nanmean(full, (1, 2)), rtol=0.1)
    for method in ("mean", "sum", "max", "min"):
        collapse = CollapseBrick(MadeUp((CHANNELS, SIDE, SIDE)), 0, Box(0, 0, SIDE, SIDE), (0, CHANNELS), method)
        got, full = CoarseBrick(collapse, 2**20).load(), collapse.load()
        assert got.shape == full.shape
        np.testing.assert_allclose(got.mean(), full.mean(), rtol=0.1, atol=400)


def test_channels_that_are_kept_stand_for_all() -> None:
    mix = mix_of()
    thin = standing_for(mix, [3, 20, 50])
    assert thin.channels == (3, 20, 50)
    assert thin.weight_sums == pytest.approx(mix.weight_sums)
    np.testing.assert_array_equal(thin.cuts, mix.cuts[[3, 20, 50]])
    np.testing.assert_allclose(thin.weights[0], mix.weights[:12].sum(axis=0))


@pytest.mark.usefixtures("coarse")
def test_other_front_ends_hear_of_it_too() -> None:
    async def use(client: Client, _: Any) -> None:
        here, there = Heard(), Heard()
        assert client.scheduler is not None
        async with (
            Client(client.scheduler.address, asynchronous=True, set_as_default=False) as other,
            showing(client, here) as renderer,
            showing(other, there) as listening,
        ):
            request = tile(mix_of())
            assert (await renderer.tile(request)).passing
            await until(lambda: here.said and there.said)
            assert here.said == there.said == [("exact", READER.token, 0, (0, CHANNELS), Box(0, 0, SIDE, SIDE))]
            read = sum(READ)
            # The brick is on the cluster, but this front end has to find that out.
            await listening.tile(request)
            await until(lambda: len(there.said) == 2)
            assert not (await listening.tile(request)).preview
            assert sum(READ) <= read + 2 * 2**20
            await other.log_event(TOPIC, ["something", "else"])
            await other.log_event(TOPIC, 7)
            await asyncio.sleep(0.2)
            assert len(here.said) == 2

    cluster(use)


def keeper_of(renderer: Renderer) -> BrickKeeper:
    assert renderer._link is not None
    return renderer._link.dispatcher.keeper


def test_what_is_promised_comes_though_it_was_read_ahead_for_one_who_has_turned_away() -> None:
    slow = layer_of(replace(READER, delay=0.02, fingerprint="slow"))

    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), slow, settled=True))
            request = tile(mix_of(100.0), slow)
            assert (await renderer.tile(request)).passing
            full = renderer.planner.plan(request, 1).brick
            await until(lambda: keeper_of(renderer).residency.state(full.key) is not None)
            keeper_of(renderer).ahead((), [full.key])
            await until(lambda: heard.said)
            assert not await renderer.is_passing(request)

    cluster(use)


@pytest.mark.usefixtures("coarse")
def test_what_a_lost_cluster_does_not_make_is_still_promised_of_the_next() -> None:
    slow = layer_of(replace(READER, delay=0.02, fingerprint="slow"))
    request = tile(mix_of(), slow)

    async def use(client: Client, _: Any) -> None:
        heard, settings = Heard(), load_settings()
        async with showing(client, heard) as renderer:
            lost = renderer._link
            assert lost is not None
            waits = asyncio.create_task(renderer.tile(replace(request, settled=True)))
            await asyncio.sleep(0.1)
            link = ClusterLink(client, __version__, settings)
            await link.start()
            renderer.use(link)
            assert (await renderer.tile(request)).passing
            await lost.dispatcher.keeper.close()
            with pytest.raises(Unavailable):
                await waits
            await until(lambda: heard.said)
            renderer.use(None)
            await link.close()

    cluster(use)


@pytest.mark.usefixtures("coarse")
def test_other_cuts_of_a_collapsed_range_do_not_begin_anew() -> None:
    slow = layer_of(replace(READER, delay=0.02, fingerprint="slow"))

    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            for step in range(10):
                await renderer.tile(tile(Collapse(0, CHANNELS, "mean", Cut(0, 6000.0 + step)), slow))
                await asyncio.sleep(0.05)
            await until(lambda: heard.said)
            assert len(heard.said) == 1
            assert sum(READ) <= CHANNELS * PLANE + 2**20 + CHANNELS * 4 * SIDE

    cluster(use)


@pytest.mark.usefixtures("coarse")
def test_a_draft_whose_base_has_gone_is_a_coarse_one() -> None:
    async def use(client: Client, _: Any) -> None:
        async with showing(client, Heard()) as renderer:
            base = tile(mix_of(), settled=True)
            await renderer.tile(base)
            request, keeper = tile(mix_of(100.0)), keeper_of(renderer)
            assert await renderer.is_passing(request)
            keeper.carry_out(keeper.residency.dispensable(renderer.planner.plan(base, 1).brick.key))
            READ.clear()
            assert (await renderer.tile(request)).passing
            assert not keys(renderer, "mix-delta")
            assert min(READ) < PLANE

    cluster(use)


def test_a_drag_leaves_nothing_behind() -> None:
    async def use(client: Client, _: Any) -> None:
        heard = Heard()
        async with showing(client, heard) as renderer:
            await renderer.tile(tile(mix_of(), settled=True))
            for step in range(20):
                await renderer.tile(tile(mix_of(100.0 + step)))
            assert renderer._drafts is not None
            assert len(renderer._drafts._drafts) <= 2
            await until(lambda: heard.said)
            assert not renderer._drafts._drafts
            renderer.planner.forget({READER.fingerprint})
            keeper_of(renderer).forget({READER.fingerprint})
            gc.collect()
            (mixes,) = renderer._drafts._bases._mixes.values()
            assert all(brick() is None for brick in mixes.values())

    cluster(use)
