"""How the values of a layer are distributed: from what the store knows of all of them, else from a bounded sample."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine import distribution_tasks as tasks
from visiomatic_dask.engine import spectra_tasks
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.found_once import FoundOnce
from visiomatic_dask.engine.task_runner import TaskRunner
from visiomatic_dask.errors import InvalidRequest, StoreError
from visiomatic_dask.rendering import (
    Collapse,
    Content,
    Cut,
    Histogram,
    Mix,
    histogram_cut,
    known_cube_cut,
    known_range_cut,
    method_shares,
)

logger = logging.getLogger(__name__)

Source = Literal["exact", "sample", "header"]
"""All values, as counted while they were put into the store; a sample; or what the source has written down."""
StoredHistograms = Callable[[Layer, int | None], Awaitable[Histogram | None]]
"""Gives the histogram of all values of a channel, or with None of all channels, if the store knows it."""

_KEPT = 256
"""Answers that are kept: of tens of kilobytes at most."""


@dataclass(frozen=True, slots=True)
class FoundCut:
    """Cuts, and what they were found from."""

    cut: Cut
    source: Source


@dataclass(frozen=True, slots=True)
class FoundHistogram:
    """A histogram in its own bins, and what was counted."""

    histogram: Histogram
    source: Source


class Distributions:
    """Cuts, histograms and equalising stretches of layers.

    Parameters
    ----------
    runner : TaskRunner
        Runs what samples.
    settings : Settings
        What a sample may read.
    stored : callable, optional
        Gives what the store knows. Only cuts and histograms that somebody asks for by themselves are taken from there:
        what the bytes of a picture depend on must not change as its cube is put into the store.
    """

    def __init__(self, runner: TaskRunner, settings: Settings, stored: StoredHistograms | None = None) -> None:
        self._runner = runner
        self._settings = settings
        self._stored = stored
        self._known = FoundOnce(_KEPT)

    async def cut(self, layer: Layer, channel: int | None, method: str) -> FoundCut:
        """Find cuts of a channel, or with None of all of them together.

        Raises
        ------
        InvalidRequest
            If there is no such method; see `visiomatic_dask.rendering.sample_cut`.
        """
        method_shares(method)
        if method == "minmax" and layer.statistics is not None:
            known = layer.statistics
            cut = known_cube_cut(known) if channel is None else known_range_cut(known, channel)
            if cut is not None:
                return FoundCut(cut, "header")
        exact = await self._exact(layer, channel)
        if exact is not None:
            return FoundCut(await asyncio.to_thread(histogram_cut, exact, method), "exact")
        return FoundCut(await self._sampled(tasks.sampled_cut, "cuts", layer, channel, method), "sample")

    async def histogram(self, layer: Layer, channel: int | None) -> FoundHistogram:
        """Count the values of a channel, or with None of all of them together."""
        exact = await self._exact(layer, channel)
        if exact is not None:
            return FoundHistogram(exact, "exact")
        return FoundHistogram(await self._sampled(tasks.sampled_histogram, "histogram", layer, channel), "sample")

    async def equalisation(self, layer: Layer, content: Content) -> tuple[float, ...]:
        """Find the knots of the stretch that makes the levels of a picture equally frequent.

        They come from the same sample whatever the store holds; see `visiomatic_dask.rendering.equalisation`.

        Raises
        ------
        InvalidRequest
            Of a mix, whose three colours have no levels in common.
        TooLarge
            Of a range, if a chunk of each of its channels is more than ``visiomatic.read-limit``.
        """
        if isinstance(content, Mix):
            raise InvalidRequest(
                "the stretch histogram is for one channel or a collapsed range, not for a mix", "stretch"
            )
        if isinstance(content, Collapse):
            shown: tuple[Any, ...] = (content.first, content.last, content.method, content.cut)
            limits = self._settings.sample_limit, self._settings.read_limit
            return await self._found("equalisation", spectra_tasks.collapsed_equalisation, layer, *shown, *limits)
        return await self._sampled(tasks.sampled_equalisation, "equalisation", layer, content.channel, content.cut)

    async def _exact(self, layer: Layer, channel: int | None) -> Histogram | None:
        """Return what the store knows, which stays what it is once it is there."""
        stored = self._stored
        if stored is None:
            return None
        key = f"{layer.reader.token}|{channel}"
        found: Histogram | None
        try:
            found = await self._known.get(key, lambda: stored(layer, channel))
        except StoreError as error:
            logger.warning("statistics in the store are not used, but a sample: %s", error)
            found = None
        if found is None:
            self._known.forget(key)
        return found

    async def _sampled(self, function: Callable[..., Any], prefix: str, layer: Layer, *args: Any) -> Any:
        """Run a task that samples a layer, unless what it finds is known."""
        settings = self._settings
        limits = tasks.SampleLimits(layer.channels, settings.sample_limit, settings.sample_channels)
        return await self._found(prefix, function, layer, limits, *args)

    async def _found(self, prefix: str, function: Callable[..., Any], layer: Layer, *args: Any) -> Any:
        """Run a task on a layer, unless what it finds is known."""
        text = f"{layer.reader.token}|{(function.__name__, *args)!r}"
        key = f"{prefix}-{digest(text)}"
        return await self._known.get(key, lambda: self._runner.run(function, layer.reader, *args, key=key))
