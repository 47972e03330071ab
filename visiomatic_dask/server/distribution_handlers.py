"""How values are distributed: ``/cubes/{name}/cuts`` and ``/cubes/{name}/histogram``."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.distributions import FoundHistogram
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Histogram, background
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.cube_handlers import LayerHandler

_SCOPES = ("plane", "cube")
_BINS = (16, 1024)
_CENTRAL = np.array([0.001, 0.999])
"""What lies between these shares of the values is shown where no range is asked for."""
_RANKS = 2**14
_PAIR = re.compile(r"([^,]{1,40}),([^,]{1,40})")


class CutsHandler(LayerHandler):
    """``/cubes/{name}/cuts``."""

    async def get(self, name: str) -> None:
        """Send cuts of a channel, or of all together, found by a named method."""
        arguments = self.arguments
        arguments.check_names(("channel", "method", "scope", "layer"))
        _, layer = await self.open(name, arguments)
        method = arguments.text("method") or "mad"
        found = await self.services.renderer.measure.cut(layer, _scope(arguments, layer), method)
        self.set_header("Cache-Control", "no-cache")
        self.write_json({"cuts": [found.cut.low, found.cut.high], "method": method, "source": found.source})


class HistogramHandler(LayerHandler):
    """``/cubes/{name}/histogram``."""

    async def get(self, name: str) -> None:
        """Send the histogram of a channel, or of all together."""
        arguments = self.arguments
        arguments.check_names(("channel", "scope", "bins", "range", "layer"))
        _, layer = await self.open(name, arguments)
        bins = arguments.integer("bins", 256, *_BINS)
        channel, limits = _scope(arguments, layer), _range(arguments)
        found = await self.services.renderer.measure.histogram(layer, channel)
        self.set_header("Cache-Control", "no-cache")
        self.write_json(await asyncio.to_thread(_described, found, bins, limits))


def _scope(arguments: Arguments, layer: Layer) -> int | None:
    """Return the channel that is asked for, or None for all."""
    channel = arguments.integer("channel", 0, 0, layer.channels - 1)
    scope = arguments.text("scope") or "plane"
    if scope not in _SCOPES:
        raise InvalidRequest.value("scope", scope, ", ".join(_SCOPES))
    if scope == "cube" and "channel" in arguments:
        raise InvalidRequest("channel and scope=cube exclude each other: one channel is meant, or all", "channel")
    return None if scope == "cube" else channel


def _range(arguments: Arguments) -> tuple[float, float] | str:
    """Return what is to be shown: two numbers, ``central`` or ``minmax``."""
    text = arguments.text("range") or "central"
    if text in ("central", "minmax"):
        return text
    allowed = "central, minmax, or lo,hi: two finite numbers, lo below hi"
    pair = _PAIR.fullmatch(text)
    if pair is None:
        raise InvalidRequest.value("range", text[:100], allowed)
    most = float(np.finfo(np.float64).max) / 4
    low, high = (Arguments({"range": [one]}).number("range", 0.0, -most, most) for one in pair.groups())
    if not low < high:
        raise InvalidRequest.value("range", text, allowed)
    return low, high


def _described(found: FoundHistogram, bins: int, limits: tuple[float, float] | str) -> dict[str, Any]:
    histogram = found.histogram
    edges = _edges(histogram, bins, limits)
    counts = histogram.rebinned(edges)
    known = background(histogram.values(_RANKS))
    below, above = histogram.beside(edges[0], edges[-1])
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "below": below,
        "above": above,
        "total": histogram.total,
        "minimum": histogram.minimum if histogram.counts.size else None,
        "maximum": histogram.maximum if histogram.counts.size else None,
        "background": {"level": known.level, "mad": known.mad} if histogram.counts.size else None,
        "source": found.source,
    }


def _edges(histogram: Histogram, bins: int, limits: tuple[float, float] | str) -> NDArray[np.float64]:
    if isinstance(limits, tuple):
        low, high = limits
    elif not histogram.counts.size:
        low, high = 0.0, 1.0
    else:
        low, high = histogram.quantiles(_CENTRAL) if limits == "central" else (histogram.minimum, histogram.maximum)
        if not low < high:
            low, high = histogram.minimum, histogram.maximum
    if not high - low > abs(low) * 1e-12:  # alike, or so nearly that bins cannot be told apart
        half = max(0.5, abs(low) * 1e-6)
        low, high = low - half, high + half
    edges: NDArray[np.float64] = np.linspace(low, high, bins + 1)
    return edges
