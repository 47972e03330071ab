"""Pyramids of what is looked at: with a real store, and a cluster in this process."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Cube, Layer, SourceFile
from visiomatic_dask.engine import pyramids, store_room
from visiomatic_dask.engine.build_news import BuildProgress
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import RegionRequest, TileRequest
from visiomatic_dask.errors import Unavailable
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Background, Cut, Look, Mix, Mono, Style

from .. import reference
from .made_up import MadeUp, layer_of, plane_of
from .test_routes import on_cluster

pytestmark = pytest.mark.timeout(90)
READER = MadeUp((6, 600, 900))
LAYER = layer_of(READER)
PNG = Look(format="png")
STYLE = Style(Mono(1, Cut(95, 195)), PNG)
TOP = TileRequest(LAYER, 2, 0, 0, STYLE)
SMALL: dict[str, Any] = {"exact_read": "64 kB", "preview_read": "100 kB"}


@dataclass
class Heard:
    """What has been said, and which layers are watched."""

    watched: frozenset[str] = frozenset()
    said: list[tuple[Any, ...]] = field(default_factory=list)

    def exact(self, layer_token: str, level: int, planes: tuple[int, int], box: Box) -> None:
        self.said.append(("exact", layer_token, level, planes, box))

    def building(self, layer_token: str, progress: BuildProgress) -> None:
        self.said.append(("building", layer_token, progress))

    def built(self, layer_token: str) -> None:
        self.said.append(("built", layer_token))

    def failed(self, layer_token: str, message: str) -> None:
        self.said.append(("failed", layer_token, message))

    @property
    def kinds(self) -> list[str]:
        return [one[0] for one in self.said]


@dataclass
class Open:
    """Layers that are open, each in a cube of its own."""

    layers: list[Layer]

    def find(self, layer_token: str) -> tuple[Cube, Layer] | None:
        layer = next((one for one in self.layers if one.reader.token == layer_token), None)
        if layer is None:
            return None
        return Cube("made-up.fits", "FITS", SourceFile("/made-up.fits", 1, 1), (layer,)), layer

    async def backgrounds(self, layer: Layer) -> list[Background]:
        return [Background(100.0 * channel, 10, 0, 1000) for channel in range(layer.channels)]


@asynccontextmanager
async def looking(
    client: Client, store: Path, heard: Heard, *layers: Layer, **settings: Any
) -> AsyncIterator[Renderer]:
    store.mkdir(exist_ok=True)
    loaded = load_settings(store=str(store), **(SMALL | settings))
    link = ClusterLink(client, __version__, loaded)
    renderer = Renderer(loaded, Open(list(layers) or [LAYER]), heard)
    try:
        await link.start()
        renderer.use(link)
        renderer.start()
        yield renderer
    finally:
        await renderer.close()
        await link.close()


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def exact(renderer: Renderer, request: TileRequest) -> bytes:
    async with asyncio.timeout(20):
        while (picture := await renderer.tile(request)).preview:
            assert picture.passing
            await asyncio.sleep(0.05)
    return picture.data


def check(data: bytes, channel: int = 1, level: int = 2) -> None:
    expected = reference.mono(reference.level_of(plane_of(READER, channel), level), 95, 195)
    reference.assert_close(data, expected, 1)


def cluster(use: Callable[[Client], Awaitable[None]]) -> None:
    async def main(client: Any, _: Any) -> None:
        await use(client)

    on_cluster(main)


def test_what_is_looked_at_is_built_and_told(tmp_path: Path) -> None:
    async def use(client: Client) -> None:
        heard = Heard()
        async with looking(client, tmp_path / "store", heard) as renderer:
            assert await renderer.is_passing(TOP)
            first = await renderer.tile(TOP)
            assert (first.preview, first.passing) == (True, True)
            check(await exact(renderer, TOP))
            assert not await renderer.is_passing(TOP)
            # Its plane, and no other; at its level, and what that is made from.
            told = {one[2:] for one in heard.said if one[0] == "exact"}
            assert {(level, planes) for level, planes, _ in told} == {(1, (1, 2)), (2, (1, 2))}
            await until(lambda: "built" in heard.kinds)
            assert "building" in heard.kinds
            assert {one[1] for one in heard.said} == {READER.token}

    cluster(use)


def test_it_is_exact_before_it_is_told(tmp_path: Path) -> None:
    async def use(client: Client) -> None:
        pictures: list[asyncio.Task[Any]] = []

        class Asking(Heard):
            def exact(self, layer_token: str, level: int, planes: tuple[int, int], box: Box) -> None:
                super().exact(layer_token, level, planes, box)
                if level == 2:
                    pictures.append(asyncio.ensure_future(renderer.tile(TOP)))

        async with looking(client, tmp_path / "store", Asking()) as renderer:
            await renderer.tile(TOP)
            await until(lambda: pictures)
            picture = await pictures[0]
            assert not picture.preview
            check(picture.data)

    cluster(use)


def test_a_mix_waits_for_all_its_channels(tmp_path: Path) -> None:
    mix = Mix((1, 2, 5), (Cut(95, 195),) * 3, ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    request = replace(TOP, style=Style(mix, PNG))
    planes = [reference.level_of(plane_of(READER, channel), 2) for channel in mix.channels]

    async def use(client: Client) -> None:
        async with looking(client, tmp_path / "store", Heard()) as renderer:
            await exact(renderer, TOP)
            assert (await renderer.tile(request)).preview
            data = await exact(renderer, request)
            reference.assert_close(data, reference.mix(planes, [(95, 195)] * 3, mix.weights), 1)

    cluster(use)


def test_who_hears_nothing_waits(tmp_path: Path) -> None:
    async def use(client: Client) -> None:
        async with looking(client, tmp_path / "store", Heard()) as renderer:
            picture = await renderer.tile(replace(TOP, settled=True))
            assert (picture.preview, picture.passing) == (False, False)
            check(picture.data)
        slow = layer_of(MadeUp((6, 600, 900), "slow", delay=1.0))
        async with looking(client, tmp_path / "store", Heard(), slow, deadline="1 s") as renderer:
            with pytest.raises(Unavailable, match="is being built") as raised:
                await renderer.tile(TileRequest(slow, 2, 0, 0, STYLE, settled=True))
            assert raised.value.retry_after > 1
            assert renderer.waiting == 0

    cluster(use)


def test_what_others_build_is_noticed(tmp_path: Path) -> None:
    """Whoever listens here hears of it, also if nobody has asked here."""

    async def use(client: Client) -> None:
        listening, asking = Heard(frozenset({READER.token})), Heard()
        async with (
            looking(client, tmp_path / "store", listening) as other,
            looking(client, tmp_path / "store", asking) as renderer,
        ):
            await exact(renderer, TOP)
            await until(lambda: any(one[0] == "exact" and one[2] == 2 for one in listening.said))
            picture = await other.tile(TOP)
            assert not picture.preview
            assert listening.kinds.count("exact") == asking.kinds.count("exact")  # each once

    cluster(use)


def test_previews_go_on_where_nothing_can_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramids, "_TRY_AGAIN", 1.0)

    async def use(client: Client) -> None:
        heard, store = Heard(), tmp_path / "store"
        async with looking(client, store, heard) as renderer:
            store.rmdir()
            store.write_text("in the way")
            assert (await renderer.tile(TOP)).passing
            await until(lambda: "failed" in heard.kinds)
            assert str(tmp_path) not in str(heard.said)
            assert (await renderer.tile(TOP)).passing
            with pytest.raises(Unavailable):
                await renderer.tile(replace(TOP, settled=True))
            assert heard.kinds == ["failed"]
            store.unlink()
            store.mkdir()
            check(await exact(renderer, TOP))  # nobody has to start anything anew

    cluster(use)


def test_an_evicted_pyramid_is_noticed_and_built_again(tmp_path: Path) -> None:
    other = replace(TOP, style=Style(Mono(4, Cut(395, 495)), PNG))

    async def use(client: Client) -> None:
        store = tmp_path / "store"
        async with looking(client, store, Heard()) as renderer:
            await exact(renderer, TOP)
            await exact(renderer, other)
        region = RegionRequest(LAYER, 2, Box(0, 0, 150, 225), STYLE)
        async with looking(client, store, Heard(), read_limit="1.5 MB") as renderer:
            plan = await renderer.regions.plan(region)
            assert plan.is_stored
            check((await renderer.regions.render(plan)).data)
            shutil.rmtree(next(store.iterdir()))
            assert (await renderer.tile(other)).passing
            await exact(renderer, other)
            assert (await renderer.regions.plan(region)).preview_read is not None  # that plane was not asked for

    cluster(use)


@pytest.mark.parametrize("harm", ["lost", "cut", "overwritten"])
def test_a_shard_that_cannot_be_read_is_built_again(tmp_path: Path, harm: str) -> None:
    async def use(client: Client) -> None:
        store = tmp_path / "store"
        async with looking(client, store, Heard()) as renderer:
            await exact(renderer, TOP)
        (shard,) = (path for path in store.glob("*.zarr/2/data/c/**/*") if path.is_file())
        content = shard.read_bytes()
        if harm == "lost":
            shard.unlink()
        else:
            shard.write_bytes(content[: len(content) // 3] if harm == "cut" else bytes(len(content)))
        heard = Heard()
        async with looking(client, store, heard) as renderer:
            check(await exact(renderer, TOP))
            await until(lambda: "built" in heard.kinds)
            check((await renderer.tile(TOP)).data)
            assert shard.read_bytes() == content
            # What had been there all the time was told of once, and what was not when it was there again.
            assert len([one for one in heard.said if one[0] == "exact" and one[2] == 1]) == 1
            assert len([one for one in heard.said if one[0] == "exact" and one[2] == 2]) == 2

    cluster(use)


def test_what_could_not_be_built_ahead_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramids, "_TRY_AGAIN", 0.5)

    async def use(client: Client) -> None:
        heard, store = Heard(), tmp_path / "store"
        async with looking(client, store, heard) as renderer:
            store.rmdir()
            store.write_text("no folder")
            renderer.prebuild(LAYER)
            await until(lambda: "failed" in heard.kinds)
            store.unlink()
            store.mkdir()
            await until(lambda: "built" in heard.kinds)

    cluster(use)


def test_the_least_recently_used_pyramid_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_room, "_PACE", 0.0)
    first, second = (layer_of(MadeUp((1, 600, 900), name)) for name in ("first", "second"))
    style = Style(Mono(0, Cut(0, 90)), PNG)

    async def use(client: Client) -> None:
        store = tmp_path / "store"
        async with looking(client, store, Heard(), first, second) as renderer:
            await exact(renderer, TileRequest(first, 2, 0, 0, style))
        (evicted,) = store.glob("*.zarr")
        time.sleep(0.05)
        async with looking(client, store, Heard(), first, second, store_limit="10 kB") as renderer:
            await exact(renderer, TileRequest(second, 2, 0, 0, style))
            await until(lambda: not evicted.exists())
            await asyncio.sleep(1.5)
            assert len(list(store.glob("*.zarr"))) == 1  # what is looked at stays, even if it alone is too large

    cluster(use)


def test_all_of_a_layer_is_built_ahead(tmp_path: Path) -> None:
    async def use(client: Client) -> None:
        heard = Heard()
        async with looking(client, tmp_path / "store", heard, pyramid="ahead") as renderer:
            renderer.opened(LAYER)
            renderer.opened(LAYER)
            await until(lambda: "built" in heard.kinds)
            for channel in range(6):
                style = Style(Mono(channel, Cut(95, 195)), PNG)
                await exact(renderer, replace(TOP, style=style))
                assert (await renderer.tile(TileRequest(LAYER, 1, 1, 1, style))).preview is False

    cluster(use)


def test_small_layers_are_not_built_ahead(tmp_path: Path) -> None:
    async def use(client: Client) -> None:
        async with looking(client, tmp_path / "store", Heard(), pyramid="ahead", exact_read="80 MB") as renderer:
            renderer.opened(LAYER)
            await asyncio.sleep(0.3)
            assert not list((tmp_path / "store").iterdir())

    cluster(use)


def test_what_is_let_go_of_is_not_built(tmp_path: Path) -> None:
    async def use(client: Client) -> None:
        heard = Heard()
        async with looking(client, tmp_path / "store", heard) as renderer:
            assert renderer.pyramids is not None
            before = renderer.pyramids.version(LAYER)
            await exact(renderer, TOP)
            assert renderer.pyramids.version(LAYER) != before
            renderer.forget({READER.fingerprint})
            assert renderer.pyramids.reader(LAYER, 2) is None
            assert not renderer.pyramids.is_done(LAYER, 2, (1, 2), Box(0, 0, 1, 1))
            assert not (await renderer.tile(TOP)).preview  # it is found again, as the file is the same after all

    cluster(use)
