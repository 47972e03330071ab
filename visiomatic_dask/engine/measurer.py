"""The measurer: statistics, cuts, pixel values and profiles, each by a task."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine import tasks
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.rendering import Background, Cut, interpolate_backgrounds, known_backgrounds, known_range_cut


class Measurer:
    """Statistics and measurements of layers.

    Parameters
    ----------
    runner : TaskRunner
        Runs them.
    settings : Settings
        What may be read, and how much an answer may hold.
    """

    def __init__(self, runner: TaskRunner, settings: Settings) -> None:
        self._runner = runner
        self._settings = settings

    async def backgrounds(self, layer: Layer) -> list[Background]:
        """Estimate the background of every channel from a bounded sample.

        Channels that were not sampled are interpolated. What the source has written down of them counts more.
        """
        limit, most = self._settings.sample_limit, self._settings.sample_channels
        key = _key("statistics", layer, limit, most)
        found = await self._runner.run(tasks.sample_statistics, layer.reader, layer.channels, limit, most, key=key)
        backgrounds = interpolate_backgrounds(found, layer.channels)
        return backgrounds if layer.statistics is None else known_backgrounds(backgrounds, layer.statistics)

    async def cut(self, layer: Layer, channel: int, method: str) -> Cut:
        """Find cuts of one channel by a named method; see `visiomatic_dask.rendering.sample_cut`.

        Where the source has written down the range, ``minmax`` is exact, and nothing is read.
        """
        if method == "minmax" and layer.statistics is not None:
            known = known_range_cut(layer.statistics, channel)
            if known is not None:
                return known
        limit = self._settings.sample_limit
        key = _key("cuts", layer, channel, method, limit)
        cut: Cut = await self._runner.run(tasks.sampled_cut, layer.reader, channel, method, limit, key=key)
        return cut

    async def values(self, layer: Layer, channels: Sequence[int] | None, x: int, y: int) -> list[float]:
        """Read one pixel (0-based, in the order of the file) of some channels, or with None of all.

        Raises
        ------
        TooLarge
            If those are more values than ``visiomatic.measure-limit``.
        """
        self._check(layer.channels if channels is None else len(channels))
        key = _key("values", layer, channels, x, y)
        values = await self._runner.run(tasks.read_values, layer.reader, channels, x, y, key=key)
        return [float(v) for v in values]

    async def profile(
        self, layer: Layer, channels: Sequence[int] | None, start: tuple[int, int], stop: tuple[int, int]
    ) -> tuple[list[int], list[int], list[list[float]]]:
        """Read the pixels along a line (0-based ends, in the order of the file): x, y and the values of each point.

        Raises
        ------
        TooLarge
            As of `values`.
        """
        points = max(abs(stop[0] - start[0]), abs(stop[1] - start[1])) + 1
        self._check(points * (layer.channels if channels is None else len(channels)))
        key = _key("profile", layer, channels, start, stop)
        x, y, values = await self._runner.run(tasks.read_profile, layer.reader, channels, start, stop, key=key)
        return x.tolist(), y.tolist(), values.tolist()

    def _check(self, values: int) -> None:
        if values > self._settings.measure_limit:
            raise TooLarge(
                f"the answer would hold {values:,} values; at most {self._settings.measure_limit:,} are allowed: "
                "ask for fewer channels or a shorter line"
            )


def _key(prefix: str, layer: Layer, *parts: Any) -> str:
    """Make a task's key, which says everything its result depends on."""
    text = f"{layer.reader.token}|{parts!r}"
    return f"{prefix}-{blake2b(text.encode(), digest_size=16).hexdigest()}"
