"""The renderer on a real cluster: tiles, statistics, limits, memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import dask.config
import numpy as np
import pytest
from numpy.typing import NDArray

from visiomatic_dask.cube import PlaneStatistics, Window
from visiomatic_dask.engine.distribution_tasks import SampleLimits, sampled_cut
from visiomatic_dask.engine.distributions import FoundCut
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import Picture, RegionRequest, TileRequest
from visiomatic_dask.engine.tasks import sample_statistics
from visiomatic_dask.errors import TooLarge, Unavailable
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

from .. import reference
from .clusters import local_cluster
from .made_up import MadeUp, layer_of, plane_of
from .test_routes import on_cluster, renderer_of

pytestmark = pytest.mark.timeout(90)
PNG = Look(format="png")


@dataclass(frozen=True)
class Counted(MadeUp):
    """Counts the bytes that are read, in a list that all copies in this process share."""

    counts: tuple[list[int], ...] = ()

    def read(self, window: Window) -> NDArray[np.float32]:
        self.counts[0].append(window.size * 4)
        return super().read(window)

    def __reduce__(self) -> tuple[Any, ...]:
        return _counted, (self.shape, self.fingerprint)


COUNTS: list[int] = []


def _counted(shape: tuple[int, ...], fingerprint: str) -> Counted:
    return Counted(shape, fingerprint, counts=(COUNTS,))


def test_tiles_are_the_reference_rendering() -> None:
    reader = MadeUp((3, 600, 900))
    layer = layer_of(reader)
    mix = Mix((0, 2), (Cut(0, 90), Cut(200, 290)), ((1, 0.5, -0.25), (-0.5, 0.5, 1)))

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            for level in range(3):
                planes = [reference.level_of(plane_of(reader, c), level) for c in range(3)]
                mono = reference.mono(planes[1], 95, 195)
                colour = reference.mix([planes[0], planes[2]], [(0, 90), (200, 290)], mix.weights)
                columns, rows = renderer.planner.tiles(layer).count(level)
                for row in range(rows):
                    for column in range(columns):
                        for content, whole in ((Mono(1, Cut(95, 195)), mono), (mix, colour)):
                            request = TileRequest(layer, level, row, column, Style(content, PNG))
                            picture = await renderer.tile(request)
                            assert not picture.preview
                            reference.assert_close(picture.data, reference.tile_of(whole, row, column), 1)

    on_cluster(use, workers=2)


async def region(renderer: Renderer, request: RegionRequest) -> Picture:
    return await renderer.regions.render(await renderer.regions.plan(request))


def test_bricks_are_evicted_when_the_budget_is_used_up() -> None:
    reader = MadeUp((40, 512, 1024))
    layer = layer_of(reader)

    async def use(client: Any, workers: Any) -> None:
        async with renderer_of(client, brick_cache="8 MiB", brick_size="2 MiB") as renderer:
            most = 0
            for channel in range(40):
                style = Style(Mono(channel, Cut(0, 5000)), PNG)
                await renderer.tile(TileRequest(layer, 0, channel % 2, channel % 4, style))
                most = max(most, sum(value.nbytes for value in workers[0].data.values()))
            # One brick beyond the budget may be there for a moment, and one more until Dask has let go of it
            assert 4 * 2**20 <= most <= 8 * 2**20 + 3 * 2 * 2**20
            async with asyncio.timeout(10):
                while sum(value.nbytes for value in workers[0].data.values()) > 8 * 2**20:
                    await asyncio.sleep(0.02)
            again = Style(Mono(0, Cut(0, 5000)), PNG)  # released long ago: made anew
            assert (await renderer.tile(TileRequest(layer, 0, 0, 0, again))).data
        async with asyncio.timeout(10):
            while workers[0].data:
                await asyncio.sleep(0.02)

    on_cluster(use)


def test_a_brick_is_read_once_however_many_tiles_are_cut_from_it() -> None:
    layer = layer_of(_counted((1, 512, 1024), "once"))
    style = Style(Mono(0, Cut(0, 90)), PNG)

    async def use(client: Any, _: Any) -> None:
        COUNTS.clear()
        async with renderer_of(client) as renderer:
            tiles = [TileRequest(layer, 0, row, column, style) for row in range(2) for column in range(4)]
            await asyncio.gather(*(renderer.tile(tile) for tile in tiles * 5))
            assert sum(COUNTS) == 512 * 1024 * 4

    on_cluster(use)


def test_statistics_read_no_more_than_they_may() -> None:
    for channels, most in ((1, 16), (7, 16), (300, 16), (300, 1)):
        reader = _counted((channels, 900, 1000), "bounded")
        COUNTS.clear()
        found = sample_statistics(reader, channels, 2_000_000, most)
        assert len(found) <= most
        assert 100_000 < sum(COUNTS) <= 2_000_000
        assert {0, channels - 1} <= set(found) or most == 1
    COUNTS.clear()
    sampled_cut(_counted((1, 9000, 1000), "bounded"), SampleLimits(1, 2_000_000, 16), 0, "minmax")
    assert 1_000_000 < sum(COUNTS) <= 2_000_000


def test_statistics_of_every_channel() -> None:
    layer = layer_of(MadeUp((40, 100, 100)))

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, sample_channels=5) as renderer:
            backgrounds = await renderer.measure.backgrounds(layer)
            assert len(backgrounds) == 40
            for channel, one in enumerate(backgrounds):  # which lie on a line, so that interpolation is exact
                assert one.low == pytest.approx(100 * channel, abs=2)
                assert one.high == pytest.approx(100 * channel + 88, abs=2)
            found = await renderer.measure.cut(layer, 3, "minmax")
            assert (found.cut.low, found.cut.high, found.source) == (300, 388, "sample")

    on_cluster(use)


def test_what_the_source_knows_is_not_read() -> None:
    known = PlaneStatistics((-5.0, float("nan")), (1000.0, float("nan")), (40.0, float("nan")))
    layer = replace(layer_of(_counted((2, 100, 100), "known")), statistics=known)

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            COUNTS.clear()
            assert await renderer.measure.cut(layer, 0, "minmax") == FoundCut(Cut(-5, 1000), "header")
            assert not COUNTS
            found = await renderer.measure.cut(layer, 1, "minmax")
            assert found == FoundCut(Cut(100, 188), "sample")  # nothing is known of it
            assert (await renderer.measure.cut(layer, None, "minmax")).source == "sample"  # nor of all together
            whole = replace(layer, statistics=PlaneStatistics((-5.0, 1.0), (9.0, 70.0), (1.0, 2.0)))
            assert await renderer.measure.cut(whole, None, "minmax") == FoundCut(Cut(-5, 70), "header")
            assert COUNTS
            first, second = await renderer.measure.backgrounds(layer)
            assert (first.low, first.high, first.mean) == (-5, 1000, 40)
            assert (second.low, second.high) == (100, 188)

    on_cluster(use)


def test_measures_and_their_limit() -> None:
    layer = layer_of(MadeUp())

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, measure_limit=100) as renderer:
            assert await renderer.measure.values(layer, None, 5, 7) == [64, 164, 264]
            assert await renderer.measure.values(layer, (2, 0), 0, 0) == [200, 0]
            x, y, values = await renderer.measure.profile(layer, (1,), (0, 0), (2, 0))
            assert (x, y, values) == ([0, 1, 2], [0, 0, 0], [[100], [103], [106]])
            with pytest.raises(TooLarge, match="at most 100"):
                await renderer.measure.profile(layer, None, (0, 0), (40, 0))
            with pytest.raises(TooLarge):
                await renderer.measure.values(layer, tuple(range(101)), 0, 0)

    on_cluster(use)


def test_regions_and_their_limits() -> None:
    reader = MadeUp()
    layer = layer_of(reader)
    style = Style(Mono(1, Cut(95, 195)), PNG)

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, region_tiles=4, read_limit="1.5 MB") as renderer:
            request = RegionRequest(layer, 0, Box(10, 20, 200, 320), style)
            whole = reference.mono(reference.level_of(plane_of(reader, 1), 0), 95, 195)
            picture = await region(renderer, request)
            assert not picture.preview
            reference.assert_close(picture.data, whole[10:200, 20:320], 1)
            assert (await region(renderer, replace(request, level=1, box=Box(0, 0, 350, 450)))).preview
            with pytest.raises(TooLarge, match="4 tiles"):
                await region(renderer, replace(request, box=Box(0, 0, 600, 600)))
            with pytest.raises(TooLarge, match="65500"):
                await region(renderer, replace(request, box=Box(0, 0, 1, 70_000)))
        async with renderer_of(client, read_limit="300 kB") as renderer:
            # A subsample may repeat a row as often as rows are binned, and no oftener.
            assert (await region(renderer, replace(request, level=2, box=Box(0, 0, 175, 225)))).preview
            with pytest.raises(TooLarge, match=r"would read 0\.6 MB at least; 0\.3 MB"):
                await region(renderer, replace(request, level=1, box=Box(0, 0, 350, 450)))

    on_cluster(use)


def test_dask_is_left_as_it_was() -> None:
    """Neither the scheduler that others get nor the current client is changed by serving tiles."""
    layer = layer_of(MadeUp())
    style = Style(Mono(1, Cut(95, 195)), PNG)
    before = dict(dask.config.config)

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            tiles = [TileRequest(layer, 0, row, column, style) for row in range(2) for column in range(2)]
            await asyncio.gather(*map(renderer.tile, tiles))
            assert "scheduler" not in dask.config.config

    on_cluster(use)
    assert dask.config.config.get("scheduler") == before.get("scheduler")


def test_too_many_tiles_at_once_are_refused() -> None:
    layer = layer_of(MadeUp((1, 600, 600), delay=0.3))
    style = Style(Mono(0, Cut(0, 90)), PNG)

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client, queue_limit=6) as renderer:
            tiles = [TileRequest(layer, 0, row, column, style) for row in range(3) for column in range(3)]
            greedy = [asyncio.ensure_future(renderer.tile(tile, "greedy")) for tile in tiles]
            await asyncio.sleep(0)
            assert renderer.waiting == 3
            assert (await renderer.tile(tiles[0], "modest")).data  # there is room for whoever comes new
            results = await asyncio.gather(*greedy, return_exceptions=True)
            refused = [one for one in results if isinstance(one, Unavailable)]
            assert len(refused) == 6
            assert all("waiting already" in one.message and one.retry_after >= 1 for one in refused)
            assert renderer.waiting == 0

    on_cluster(use)


def test_too_many_measurements_at_once_are_refused() -> None:
    layer = layer_of(MadeUp((1, 600, 600), delay=0.05))

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            asked = [renderer.measure.values(layer, None, number, 0) for number in range(300)]
            results = await asyncio.gather(*asked, return_exceptions=True)
            refused = [one for one in results if isinstance(one, Unavailable)]
            assert len(refused) == 44
            assert "256 regions and measurements are under way already" in refused[0].message
            assert await renderer.measure.values(layer, None, 5, 0)  # there is room again

    on_cluster(use)


def test_deadline() -> None:
    layer = layer_of(MadeUp((1, 64, 64), delay=3))
    style = Style(Mono(0, Cut(0, 90)), PNG)

    async def main() -> None:
        async with local_cluster() as (client, _), renderer_of(client, deadline=0.5) as renderer:
            with pytest.raises(Unavailable, match=r"within 0\.5 s"):
                await renderer.tile(TileRequest(layer, 0, 0, 0, style))
            with pytest.raises(Unavailable, match=r"within 0\.5 s"):
                await renderer.measure.backgrounds(layer)

    asyncio.run(main())
