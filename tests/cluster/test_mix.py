"""A mix of thousands of channels on small workers: bounded memory, fair shares, and a worker that is killed over it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from distributed import Client

from tests.processes import Started, dask_cluster
from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.link import ClusterLink
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.worker import TileStreamPlugin
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Look, Mix, Style

from .. import reference

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(150)]
CHANNELS, SIDE = 4000, 1024
BRIGHT = {0: 40.0, 1234: 80.0, 3999: 100.0}
"""Channels with data, in the first 128 rows; all else is 0."""


def sparse_cube(path: Path) -> Layer:
    cards = {"SIMPLE": "T", "BITPIX": -32, "NAXIS": 3, "NAXIS1": SIDE, "NAXIS2": SIDE, "NAXIS3": CHANNELS}
    header = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    with path.open("wb") as file:
        file.write(header.ljust(2880).encode("ascii"))
        for channel, value in BRIGHT.items():  # the last 128 rows of the file's plane are the first of the picture
            file.seek(2880 + 4 * SIDE * (SIDE * (channel + 1) - 128))
            file.write(np.full((128, SIDE), value, ">f4").tobytes())
        size = 4 * SIDE * SIDE * CHANNELS
        file.truncate(2880 + -(-size // 2880) * 2880)
    return open_cube(path).layers[0]


def style_of(first: float) -> Style:
    """All channels contribute; another value, another mix."""
    weights = np.tile([0.25, 0.5, 1.0], (CHANNELS, 1)) / 3
    weights[0] *= first
    return Style(Mix(range(CHANNELS), [(0.0, 100.0)] * CHANNELS, weights), Look(format="png"))


def expected(style: Style) -> np.ndarray[Any, Any]:
    content = style.content
    assert isinstance(content, Mix)
    v = np.zeros((256, 256, 3))
    v[:128] = sum(content.weights[channel] * value / 100 for channel, value in BRIGHT.items())
    return reference.displayed(v)


async def watch(pids: list[int], peaks: dict[int, int], statuses: set[str], client: Client) -> None:
    while True:
        for pid in pids:
            if psutil.pid_exists(pid):
                peaks[pid] = max(peaks.get(pid, 0), psutil.Process(pid).memory_info().rss)
        identity = await client.scheduler.identity(n_workers=-1)
        statuses |= {worker["status"] for worker in identity["workers"].values()}
        await asyncio.sleep(0.1)


async def mixed(renderer: Renderer, layer: Layer, style: Style) -> None:
    pictures = await asyncio.gather(*(renderer.tile(TileRequest(layer, 0, 0, column, style)) for column in range(4)))
    for picture in pictures:
        assert not picture.preview
        reference.assert_close(picture.data, expected(style), 1)


async def check(address: str, workers: list[Started], layer: Layer) -> None:
    settings = load_settings(deadline="60 s")
    async with Client(address, asynchronous=True, set_as_default=False) as client:
        await client.register_plugin(TileStreamPlugin(__version__))
        link = ClusterLink(client, __version__, settings)
        renderer = Renderer(settings)
        await link.start()
        renderer.use(link)
        peaks: dict[int, int] = {}
        statuses: set[str] = set()
        watching = asyncio.ensure_future(watch([one.pid for one in workers], peaks, statuses, client))
        try:
            stream = await _ask_task_stream(client)
            await mixed(renderer, layer, style_of(1.0))
            done = [task for task in await _ask_task_stream(client) if task not in stream]
            shares = Counter(task["worker"] for task in done if task["key"].startswith("mix-partial-"))
            assert sum(shares.values()) == 11
            assert len(shares) == 2
            assert all(0.25 <= share / sum(shares.values()) <= 0.75 for share in shares.values())
            assert sum(task["key"].startswith("mix-combine-") for task in done) == 1
            assert statuses == {"running"}
            assert len(peaks) == 2
            assert max(peaks.values()) < 10**9, peaks
            assert all(one.process.poll() is None for one in workers)
            # A worker is killed over the next one: what it had, and was to make, is made by the other.
            again = asyncio.ensure_future(mixed(renderer, layer, style_of(0.5)))
            await asyncio.sleep(0.6)
            assert not again.done()
            os.kill(workers[0].pid, signal.SIGKILL)
            await again
        finally:
            watching.cancel()
            await link.close()


async def _ask_task_stream(client: Client) -> list[dict[str, Any]]:
    return list(await client.get_task_stream())


def test_four_thousand_channels_on_two_small_workers(tmp_path: Path) -> None:
    layer = sparse_cube(tmp_path / "cube.fits")
    with dask_cluster(tmp_path, 2) as (address, workers):
        asyncio.run(check(address, workers, layer))
