"""The measurer: statistics, cuts, pixel values and profiles, each by a task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.engine import spectra_tasks, tasks
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.distributions import Distributions, FoundCut, FoundHistogram, StoredHistograms
from visiomatic_dask.engine.spectral import SpectralCopies
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.errors import CubeChanged, TooLarge, UnreadableCube
from visiomatic_dask.rendering import (
    Background,
    CollapseMethod,
    Content,
    Cut,
    interpolate_backgrounds,
    known_backgrounds,
)
from visiomatic_dask.rendering.recipes import PrincipalComponents

logger = logging.getLogger(__name__)


class Measurer:
    """Statistics and measurements of layers.

    Parameters
    ----------
    runner : TaskRunner
        Runs them.
    settings : Settings
        What may be read, and how much an answer may hold.
    spectral : SpectralCopies, optional
        Of the store; those in ``visiomatic.store`` if there are none.
    stored : callable, optional
        Gives histograms of all values, of layers that are in the store.
    """

    def __init__(
        self,
        runner: TaskRunner,
        settings: Settings,
        spectral: SpectralCopies | None = None,
        stored: StoredHistograms | None = None,
    ) -> None:
        self._runner = runner
        self._settings = settings
        self._distributions = Distributions(runner, settings, stored)
        self.spectral = spectral or SpectralCopies(lambda: settings.store)

    async def backgrounds(self, layer: Layer) -> list[Background]:
        """Estimate the background of every channel from a bounded sample.

        Channels that were not sampled are interpolated. What the source has written down of them counts more.
        """
        limit, most = self._settings.sample_limit, self._settings.sample_channels
        key = _key("statistics", layer.reader, limit, most)
        found = await self._runner.run(tasks.sample_statistics, layer.reader, layer.channels, limit, most, key=key)
        backgrounds = interpolate_backgrounds(found, layer.channels)
        return backgrounds if layer.statistics is None else known_backgrounds(backgrounds, layer.statistics)

    async def cut(self, layer: Layer, channel: int | None, method: str) -> FoundCut:
        """Find cuts; see `visiomatic_dask.engine.distributions.Distributions.cut`."""
        return await self._distributions.cut(layer, channel, method)

    async def histogram(self, layer: Layer, channel: int | None) -> FoundHistogram:
        """Count values; see `visiomatic_dask.engine.distributions.Distributions.histogram`."""
        return await self._distributions.histogram(layer, channel)

    async def equalisation(self, layer: Layer, content: Content) -> tuple[float, ...]:
        """Find an equalising stretch; see `visiomatic_dask.engine.distributions.Distributions.equalisation`."""
        return await self._distributions.equalisation(layer, content)

    async def principal_components(self, layer: Layer, channels: tuple[int, ...]) -> PrincipalComponents:
        """Find the principal components of some channels from a bounded sample.

        Raises
        ------
        TooLarge
            If a chunk of each is more than ``visiomatic.read-limit``.
        """
        limits = self._settings.sample_limit, self._settings.read_limit
        key = _key("pca", layer.reader, channels, *limits)
        found: PrincipalComponents = await self._runner.run(
            spectra_tasks.principal_components, layer.reader, channels, *limits, key=key
        )
        return found

    async def collapsed_cut(self, layer: Layer, first: int, last: int, method: CollapseMethod) -> Cut:
        """Find default cuts of channels (`last` is one past them) made one; `TooLarge` as of `principal_components`."""
        limits = self._settings.sample_limit, self._settings.read_limit
        key = _key("collapsed-cuts", layer.reader, first, last, method, *limits)
        cut: Cut = await self._runner.run(
            spectra_tasks.collapsed_cut, layer.reader, first, last, method, *limits, key=key
        )
        return cut

    async def values(self, layer: Layer, channels: Sequence[int] | None, x: int, y: int) -> list[float]:
        """Read one pixel (0-based, in the order of the file) of some channels, or with None of all.

        Raises
        ------
        TooLarge
            If those are more values than ``visiomatic.measure-limit``.
        """
        self._check(layer.channels if channels is None else len(channels))
        values = await self._along_channels(layer, tasks.read_values, "values", channels, (x, y), (x, y))
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
        x, y, values = await self._along_channels(layer, tasks.read_profile, "profile", channels, start, stop)
        return x.tolist(), y.tolist(), values.tolist()

    async def _along_channels(
        self,
        layer: Layer,
        function: Callable[..., Any],
        prefix: str,
        channels: Sequence[int] | None,
        start: tuple[int, int],
        stop: tuple[int, int],
    ) -> Any:
        """Run what reads some channels along a line, on the layer or on its spectral copy, whichever is faster."""
        reader = await self.spectral.reader_for(layer, channels, start, stop)
        where = start if function is tasks.read_values else (start, stop)
        if reader is not layer.reader:
            try:
                return await self._runner.run(
                    function, reader, channels, *where, key=_key(prefix, reader, channels, *where)
                )
            except (CubeChanged, UnreadableCube) as error:
                logger.warning("a spectral copy is not used, but its source: %s", error)
                self.spectral.lost(layer)
        return await self._runner.run(
            function, layer.reader, channels, *where, key=_key(prefix, layer.reader, channels, *where)
        )

    def _check(self, values: int) -> None:
        if values > self._settings.measure_limit:
            raise TooLarge(
                f"the answer would hold {values:,} values; at most {self._settings.measure_limit:,} are allowed: "
                "ask for fewer channels or a shorter line"
            )


def _key(prefix: str, reader: Reader, *parts: Any) -> str:
    """Make a task's key, which says everything its result depends on."""
    text = f"{reader.token}|{parts!r}"
    return f"{prefix}-{digest(text)}"
