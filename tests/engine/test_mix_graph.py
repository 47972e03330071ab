"""Mixes of many channels: whatever they are cut into, the picture is that of plain NumPy in float64."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, Worker
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake
from visiomatic_dask.cube import Reader, SourceFile, Window
from visiomatic_dask.engine import channel_sums
from visiomatic_dask.engine.bricks import Brick, part_key
from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.errors import Unavailable
from visiomatic_dask.pyramid import Box
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling
from visiomatic_dask.rendering import Collapse, Cut, Look, LookTables, Mix, Mono, Style, render_mix

from .. import reference
from .clusters import local_cluster
from .made_up import MadeUp, layer_of
from .test_routes import on_cluster, renderer_of

pytestmark = pytest.mark.timeout(120)
PNG = Look(format="png")


def big_endian(array: NDArray[np.float32], folder: Path) -> Reader:
    """Write a cube as FITS would have it, without the header."""
    path = folder / "pixels"
    path.write_bytes(array.astype(">f4").tobytes())
    return RawReader(SourceFile.of(path), 0, array.shape, Scaling(">f4"))


@st.composite
def arrays(draw: st.DrawFn) -> NDArray[np.float32]:
    """Cubes with missing pixels here and there, in whole channels, and in places where no channel has any."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 70)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    array = random.normal(50, 30, shape).astype(np.float32)
    for value in draw(st.lists(st.sampled_from([np.nan, np.inf, -np.inf]), max_size=3)):
        array[random.random(shape) < draw(st.sampled_from([0.01, 0.5]))] = value
    if draw(st.booleans()):
        array[draw(st.integers(0, shape[0] - 1))] = np.nan
    if draw(st.booleans()):
        array[:, : shape[1] // 2, : shape[2] // 3] = np.nan
    return array


def mix_of(channels: int, nan: Any, seed: int) -> Mix:
    random = np.random.default_rng(seed)
    weights = random.normal(0, 1 / np.sqrt(channels), (channels, 3))
    weights[random.random((channels, 3)) < 0.3] = 0
    lows = random.uniform(-20, 40, channels)
    return Mix(range(channels), np.stack([lows, lows + random.uniform(50, 100, channels)], 1), weights, nan)


def in_numpy(array: NDArray[np.float32], level: int, mix: Mix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours of a mix and sums of the weights behind them, (3, rows, columns) each."""
    # What float32 holds of a mean is all that there is of it.
    finite_or_not = np.where(np.isfinite(array), array, np.nan)
    planes = np.stack([reference.level_of(plane, level) for plane in finite_or_not]).astype(np.float32).astype(float)
    there = np.isfinite(planes)
    v = np.where(there, (planes - mix.cuts[:, :1, None]) / (mix.cuts[:, 1] - mix.cuts[:, 0])[:, None, None], 0)
    colours = np.einsum("cyx,ck->kyx", v, mix.weights)
    shares = np.einsum("cyx,ck->kyx", there.astype(float), np.abs(mix.weights))
    if mix.nan == "renormalise":
        total = np.abs(mix.weights).sum(axis=0)[:, None, None]
        colours = np.where(shares > 0, colours * total / np.where(shares > 0, shares, 1), 0)
    weighty = mix.weights.any(axis=1)
    if weighty.any():
        colours[:, ~there[weighty].any(axis=0)] = np.nan
    return colours, shares


def shown(planes: NDArray[Any], mix: Mix) -> NDArray[np.int64]:
    """Pixels of a mixed brick, as a tile would have them."""
    scale, offset = Style(mix, PNG).scale_offset
    brick = np.ascontiguousarray(planes, np.float32)
    return render_mix(brick, 0, 0, brick.shape[1:], scale, offset, LookTables.of(PNG)).astype(np.int64)


def made_in_parts(recipe: MixBrick | CollapseBrick, count: int) -> NDArray[np.float32]:
    """Make a brick of so many parts, each of which has travelled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel_sums, "MIX_READ", max(1, recipe.read_cost // count))
        assembly = Brick(recipe).assembly
        if assembly is None:
            assert count == 1 or len(recipe._sizes) <= 1
            return recipe.load()
        assert len({part_key(part) for part in assembly.parts}) == len(assembly.parts) > 1
        partials = [pickle.loads(pickle.dumps(part)).load() for part in assembly.parts]
        return assembly.combination.of(partials)


@settings(deadline=None, max_examples=80)
@given(arrays(), st.sampled_from(["lo", "renormalise"]), st.integers(0, 9), st.data())
def test_a_mix_is_that_of_numpy(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[np.float32], nan: Any, seed: int, data: st.DataObject
) -> None:
    mix = mix_of(len(array), nan, seed)
    level = data.draw(st.integers(0, 3))
    reader: Reader
    if data.draw(st.booleans()):
        reader = big_endian(array, tmp_path_factory.mktemp("cube"))
    else:
        chunks = [data.draw(st.integers(1, size)) for size in array.shape]
        reader = ChunkedFake(array, tuple(chunks))
    colours, shares = in_numpy(array, level, mix)
    rows, columns = colours.shape[1:]
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    recipe = MixBrick(reader, level, Box(top, left, rows, columns), mix)
    brick = made_in_parts(recipe, data.draw(st.integers(1, 5)))
    colours, shares = colours[:, top:, left:], shares[:, top:, left:]
    assert brick.dtype == np.float32
    assert brick.nbytes == recipe.nbytes
    np.testing.assert_allclose(brick[:3], colours, rtol=1e-4, atol=2e-5)
    if nan == "renormalise":
        np.testing.assert_allclose(brick[3:], shares, rtol=1e-6, atol=1e-12)
    expected = reference.displayed(np.moveaxis(np.nan_to_num(colours), 0, -1))
    # As far as float32 tells pixels apart: next to black, the gamma makes a step of its last digits.
    near = np.abs(np.moveaxis(np.nan_to_num(colours), 0, -1)) < 1e-4
    assert (np.abs(shown(brick[:3], mix) - expected)[~near] <= 1).all()


@settings(deadline=None, max_examples=60)
@given(arrays(), st.sampled_from(["max", "min", "mean", "sum"]), st.data())
def test_a_collapse_is_that_of_numpy(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[np.float32], method: Any, data: st.DataObject
) -> None:
    level = data.draw(st.integers(0, 2))
    reader = (
        big_endian(array, tmp_path_factory.mktemp("cube"))
        if data.draw(st.booleans())
        else ChunkedFake(array, tuple(data.draw(st.integers(1, size)) for size in array.shape))
    )
    first = data.draw(st.integers(0, len(array) - 1))
    planes = np.stack([reference.level_of(np.where(np.isfinite(one), one, np.nan), level) for one in array[first:]])
    finite = np.isfinite(planes)
    fills = {"max": -np.inf, "min": np.inf, "mean": 0.0, "sum": 0.0}
    values = getattr(np, "sum" if method == "mean" else method)(np.where(finite, planes, fills[method]), axis=0)
    if method == "mean":
        values = values / np.maximum(finite.sum(axis=0), 1)
    expected = np.where(finite.any(axis=0), values, np.nan)
    recipe = CollapseBrick(reader, level, Box(0, 0, *expected.shape), (first, len(array)), method)
    brick = made_in_parts(recipe, data.draw(st.integers(1, 4)))
    assert brick.dtype == np.float32
    assert brick.nbytes == recipe.nbytes
    np.testing.assert_allclose(brick[0], expected, rtol=1e-5, atol=1e-3)


def test_thousands_of_channels_that_cancel_are_exact() -> None:
    random = np.random.default_rng(3)
    array = random.normal(1000, 3, (4000, 2, 50)).astype(np.float32)
    weights = np.where(np.arange(4000) < 2000, 1.0, -1.0)[:, None] * np.ones(3)
    mix = Mix(range(4000), [(1000.3, 1020.1)] * 4000, weights)
    reader = ChunkedFake(array, (4000, 2, 50))
    exact, _ = in_numpy(array, 0, mix)
    for count in (1, 5):
        brick = made_in_parts(MixBrick(reader, 0, Box(0, 0, 2, 50), mix), count)
        assert np.abs(brick - exact).max() < 1 / 255 / 10


def test_how_a_brick_is_cut_follows_from_its_recipe() -> None:
    mix = mix_of(4000, "lo", 0)
    recipe = MixBrick(MadeUp((4000, 1024, 1024)), 0, Box(0, 0, 256, 1024), mix)
    one, other = Brick(recipe), Brick(pickle.loads(pickle.dumps(recipe)))
    assert one.key == other.key
    assert one.key.startswith("mix-combine-")
    assert one.assembly is not None
    assert other.assembly is not None
    keys = [part_key(part) for part in one.assembly.parts]
    assert keys == [part_key(part) for part in other.assembly.parts]
    assert all(key.startswith("mix-partial-") for key in keys)
    assert 8 <= len(keys) <= 16
    assert max(len(pickle.dumps(part)) for part in one.assembly.parts) < 50_000
    few = Brick(replace(recipe, mix=mix_of(300, "lo", 0)))
    assert few.assembly is None
    assert few.key.startswith("mix-partial-")
    renormalised = Brick(replace(recipe, mix=mix_of(16_000, "renormalise", 0), reader=MadeUp((16_000, 1024, 1024))))
    assert renormalised.assembly is not None
    assert len(renormalised.assembly.parts) * renormalised.nbytes <= 64 * 2**20
    assert Brick(replace(recipe, preview_read=10**6)).assembly is None


def split(patch: pytest.MonkeyPatch, nbytes: int) -> None:
    patch.setattr(channel_sums, "MIX_READ", nbytes)


@pytest.mark.parametrize("route", ["direct", "scheduler"])
@pytest.mark.parametrize("nan", ["lo", "renormalise"])
def test_tiles_of_a_graph_are_the_reference_rendering(monkeypatch: pytest.MonkeyPatch, nan: Any, route: str) -> None:
    split(monkeypatch, 20 * 600 * 900 * 4)
    reader = MadeUp((128, 600, 900))
    mix = Mix(range(128), [(100.0 * c, 100.0 * c + 89) for c in range(128)], np.full((128, 3), 1 / 128), nan)
    collapse = Collapse(0, 128, "mean", Cut(6350, 6439))
    plane = reference.level_of(reader.read(Window((0, 0, 0), (1, 600, 900)))[0], 0)
    grey = reference.mono(plane, 0, 89)

    async def use(client: Client, workers: list[Worker]) -> None:
        async with renderer_of(client, tile_route=route) as renderer:
            for content, whole in ((mix, np.stack([grey] * 3, -1)), (collapse, grey)):
                request = TileRequest(layer_of(reader), 0, 1, 2, Style(content, PNG))
                plan = renderer.planner.plan(request, 2)
                assert plan.brick.assembly is not None
                assert isinstance(content, Collapse) or plan.job(request.style).recipe == b""
                picture = await renderer.tile(request)
                reference.assert_close(picture.data, reference.tile_of(whole, 1, 2), 1)
            held = {str(key).rsplit("-", 1)[0] for worker in workers for key in worker.data}
            while "mix-partial" in held:  # parts end with their brick
                await asyncio.sleep(0.05)
                held = {str(key).rsplit("-", 1)[0] for worker in workers for key in worker.data}
            assert "mix-combine" in held

    on_cluster(use, workers=2)


RUN: list[int] = []


@dataclass(frozen=True)
class Noted(MadeUp):
    """Notes which channels are read, in this process."""

    def read(self, window: Window) -> NDArray[np.float32]:
        RUN.append(window.start[0])
        return super().read(window)


def on_one_thread(use: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with local_cluster(threads_per_worker=1) as (client, _), asyncio.timeout(60):
            await use(client)

    asyncio.run(main())


def test_parts_that_nobody_wants_any_more_do_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    split(monkeypatch, 64 * 64 * 4)
    monkeypatch.setattr("visiomatic_dask.engine.bricks._DEAR", 1)
    RUN.clear()
    reader = Noted((12, 64, 64), delay=0.25)
    style = Style(Mix(range(12), [(0.0, 1.0)] * 12, np.ones((12, 3))), PNG)

    async def use(client: Client) -> None:
        async with renderer_of(client) as renderer:
            asked = asyncio.ensure_future(renderer.tile(TileRequest(layer_of(reader), 0, 0, 0, style)))
            while len(RUN) < 2:
                await asyncio.sleep(0.02)
            asked.cancel()
            await asyncio.sleep(1.5)  # six more, were they not dropped
            assert len(set(RUN)) <= 4
            # Whoever wants it again gets it, of all channels.
            await renderer.tile(TileRequest(layer_of(reader), 0, 0, 0, style))
            assert set(RUN) == set(range(12))

    on_one_thread(use)


def test_what_takes_longer_than_the_deadline_is_there_when_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    split(monkeypatch, 64 * 64 * 4)
    monkeypatch.setattr("visiomatic_dask.engine.bricks._DEAR", 1)
    monkeypatch.setattr("visiomatic_dask.engine.mix_brick._MOST_CARRIED", 1)  # no tile is made but of the brick
    RUN.clear()
    reader = Noted((8, 64, 64), delay=0.25)
    style = Style(Mix(range(8), [(0.0, 1.0)] * 8, np.ones((8, 3))), PNG)

    async def use(client: Client) -> None:
        async with renderer_of(client, deadline="0.6 s", silence="0.3 s") as renderer:
            request = TileRequest(layer_of(reader), 0, 0, 0, style)
            with pytest.raises(Unavailable, match="within"):
                await renderer.tile(request)
            for _ in range(8):
                with contextlib.suppress(Unavailable):
                    await renderer.tile(request)
                    break
            else:
                pytest.fail("never there")
            assert sorted(RUN) == list(range(8))  # each once

    on_one_thread(use)


def test_a_mono_tile_still_carries_its_recipe() -> None:
    async def use(client: Client, _: list[Worker]) -> None:
        async with renderer_of(client) as renderer:
            request = TileRequest(layer_of(MadeUp()), 0, 0, 0, Style(Mono(0, Cut(0, 90)), PNG))
            assert renderer.planner.plan(request, 1).job(request.style).recipe

    on_cluster(use)


@pytest.mark.parametrize("nan", ["lo", "renormalise"])
@pytest.mark.parametrize("count", [1, 3])
def test_what_float32_does_not_reach_is_as_bright_or_dark_as_can_be(nan: Any, count: int) -> None:
    array = np.ones((6, 4, 5), np.float32)
    array[:, 0], array[:, 1] = 3e38, -3e38
    array[0, 2], array[:, 3] = np.nan, np.nan
    reader, box = ChunkedFake(array, (1, 4, 5)), Box(0, 0, 4, 5)
    mix = Mix(range(6), [(0.0, 1e-3)] * 6, np.ones((6, 3)), nan)
    brick = made_in_parts(MixBrick(reader, 0, box, mix), count)[:, ::-1]
    assert np.isfinite(brick[:3, :3]).all()
    assert np.isnan(brick[:3, 3]).all()
    picture = shown(brick[:3], mix)
    assert (picture[0] == 255).all()
    assert (picture[1] == 0).all()
    total = made_in_parts(CollapseBrick(reader, 0, box, (0, 6), "sum"), count)[0, ::-1]
    assert np.isfinite(total[:3]).all()
    assert total[0, 0] > 3e38
