"""Tile metrics: what Dask's dashboard shows of the tiles, which its task stream does not see.

They travel with the worker's heartbeat, and stand in the table of the dashboard's *Workers* page.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from distributed import Worker

from visiomatic_dask.engine.bricks import BRICK_PREFIXES
from visiomatic_dask.engine.worker_memory import in_memory


class TileMetrics:
    """Counts the tiles of a worker.

    Attributes
    ----------
    tiles : int
        Tiles answered so far.
    seconds : float
        Sum of the times from a tile's arrival to its answer.
    dropped : int
        Tiles that were given up before they had begun.
    """

    def __init__(self) -> None:
        self.tiles = 0
        self.seconds = 0.0
        self.dropped = 0

    def answered(self, seconds: float) -> None:
        """Count a tile."""
        self.tiles += 1
        self.seconds += seconds

    @property
    def by_name(self) -> dict[str, Callable[[Worker], float]]:
        """Metrics as `distributed.Worker.metrics` holds them: the dashboard's column titles, and what fills them."""
        rate, latency = _Change(), _Change()

        def tiles_a_second(_: Worker) -> float:
            return round(rate.ratio(self.tiles, time.monotonic()), 1)

        def tile_latency(_: Worker) -> float:
            return round(1000 * latency.ratio(self.seconds, self.tiles), 2)

        return {"tiles/s": tiles_a_second, "tile ms": tile_latency, "brick MiB": lambda w: round(brick_mib(w), 1)}


class _Change:
    """Change of one quantity by the change of another, between two looks at both."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def ratio(self, above: float, below: float) -> float:
        last, self._last = self._last, (above, below)
        if last is None or below == last[1]:
            return 0.0
        return (above - last[0]) / (below - last[1])


def brick_mib(worker: Worker) -> float:
    """MiB of bricks in a worker's memory."""
    bricks = (
        value for key, value in in_memory(worker).items() if isinstance(key, str) and key.startswith(BRICK_PREFIXES)
    )
    return float(sum(brick.nbytes for brick in bricks)) / 2**20
