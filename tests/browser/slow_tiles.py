"""Workers on which every tile takes 200 ms more, and is counted: ``python -m tests.browser.slow_tiles ADDRESS``.

Registers the plugin that a server would install, but slow, with the cluster at that address; the server finds it there
and installs no other. ``SLOW_TILES`` in the workers' environment says where the time goes: ``waiting`` delays a tile
before a rendering thread takes it, as a long queue or a far network would; ``rendering`` holds the thread. With
``--count`` it prints how many tiles were begun so far instead.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

from distributed import Client, Worker
from numpy.typing import NDArray

from visiomatic_dask import __version__
from visiomatic_dask.engine.render_pool import RenderJob, RenderPool
from visiomatic_dask.engine.tile_job import Rendered, TileJob, render_job
from visiomatic_dask.engine.worker import TileStreamPlugin
from visiomatic_dask.rendering import Canvas, TableCache

DELAY = 0.2
THREADS = 12
counted: list[float] = []


def slow_render(job: TileJob, brick: NDArray[Any] | None, tables: TableCache, canvas: Canvas) -> Rendered:
    counted.append(time.monotonic())
    if os.environ["SLOW_TILES"] == "rendering":
        time.sleep(DELAY)
    return render_job(job, brick, tables, canvas)


class LatePool(RenderPool):
    """Takes jobs later than they come, if that is what is wanted; never on the event loop, which others need."""

    def submit(self, job: RenderJob) -> None:
        job.quick = False
        delay = DELAY if os.environ["SLOW_TILES"] == "waiting" else 0.0
        asyncio.get_running_loop().call_later(delay, super().submit, job)


class SlowTiles(TileStreamPlugin):
    """The plugin, with a pool that has threads for everyone."""

    async def setup(self, worker: Worker) -> None:
        await super().setup(worker)
        self.pool.close()
        self.pool = LatePool(THREADS, asyncio.get_running_loop())


def count() -> int:
    return len(counted)


def main(address: str, *options: str) -> None:
    with Client(address) as client:
        if "--count" in options:
            print(*client.run(count).values())
        else:
            client.register_plugin(SlowTiles(__version__, THREADS, slow_render))


if __name__ == "__main__":
    from tests.browser import slow_tiles  # its functions travel by this name, not as those of __main__

    slow_tiles.main(*sys.argv[1:])
