"""Queries to styles and places: the one spot where both web APIs are parsed.

A style is parsed in two steps, for the default cuts of channels that a query does not give cuts for have to be sampled
first: `StyleQuery` is what was asked for, and `StyleQuery.resolve` makes a `visiomatic_dask.rendering.Style` of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box, TileGrid, level_size
from visiomatic_dask.rendering import Background, Cut, Look, Mix, Mono, Style, check_colormap
from visiomatic_dask.rendering.style import BRIGHTNESS, CONTRAST, GAMMA, QUALITY, ImageFormat
from visiomatic_dask.server.arguments import Arguments, pair

API_COLORMAPS = ("grey", "jet", "cold", "cool", "hot")
STYLE_KEYS = ("channel", "cuts", "mix", "brightness", "contrast", "gamma", "colormap", "invert", "quality")

Weights = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class StyleQuery:
    """What a query asks of the rendering.

    Attributes
    ----------
    weights : tuple of (int, (float, float, float))
        Channels, from 0 and ascending, with their weights in red, green and blue; empty for a single channel.
    channel : int
        The single channel.
    cuts : tuple of (int, Cut)
        Those that were given.
    look : Look
        Everything else.
    """

    weights: tuple[tuple[int, Weights], ...]
    channel: int
    cuts: tuple[tuple[int, Cut], ...]
    look: Look

    @property
    def needs_backgrounds(self) -> bool:
        """Whether default cuts have to be known."""
        given = {channel for channel, _ in self.cuts}
        return not given.issuperset([c for c, _ in self.weights] or [self.channel])

    def resolve(self, backgrounds: Sequence[Background] | None) -> Style:
        """Fill in the default cuts."""
        given = dict(self.cuts)

        def cut(channel: int) -> Cut:
            if channel in given:
                return given[channel]
            assert backgrounds is not None
            return backgrounds[channel].cut

        if not self.weights:
            return Style(Mono(self.channel, cut(self.channel)), self.look)
        # A weight of zero changes nothing but the cost; one channel has to stay.
        rows = [row for row in self.weights if any(row[1])] or [self.weights[0]]
        channels, weights = zip(*rows, strict=True)
        return Style(Mix(channels, tuple(map(cut, channels)), weights), self.look)


def resource_style(arguments: Arguments, layer: Layer, settings: Settings, image_format: ImageFormat) -> StyleQuery:
    """Parse the rendering keys of the resource API (channels from 0)."""
    last = layer.channels - 1
    if "mix" in arguments and "channel" in arguments:
        raise InvalidRequest("channel and mix exclude each other: channel shows one, mix several", "channel")
    colormap = check_colormap(arguments.text("colormap") or "grey")
    look = Look(
        contrast=arguments.number("contrast", 1.0, *CONTRAST),
        brightness=arguments.number("brightness", 0.0, *BRIGHTNESS),
        gamma=arguments.number("gamma", settings.gamma, *GAMMA),
        colormap=colormap,
        invert=arguments.flag("invert", default=False),
        quality=arguments.integer("quality", settings.quality, *QUALITY),
        format=image_format,
    )
    channel = arguments.integer("channel", 0, 0, last)
    weights = arguments.channel_numbers("mix", 3, 0, last, "c:r,g,b: a channel and its weights")
    if weights and colormap != "grey":
        raise InvalidRequest.value("colormap", colormap, "grey, or a channel instead of a mix")
    text = arguments.text("cuts")
    if not weights and text is not None and ":" not in text:
        arguments = Arguments({"cuts": [f"{channel}:{text}"]})
    cuts = arguments.channel_numbers("cuts", 2, 0, last, "lo,hi or c:lo,hi: the cuts of a channel")
    rows = tuple((c, (w[0], w[1], w[2])) for c, w in sorted(weights.items()))
    return StyleQuery(rows, channel, _cuts(cuts, 0, "cuts"), look)


def api_style(arguments: Arguments, layer: Layer, settings: Settings) -> StyleQuery:
    """Parse the rendering keys of VisiOmatic's API (channels from 1)."""
    count = layer.channels
    colormap = arguments.text("CMP") or "grey"
    if colormap not in API_COLORMAPS:
        raise InvalidRequest.value("CMP", colormap, ", ".join(API_COLORMAPS))
    channels = arguments.integers("CHAN", 1, count)
    look = Look(
        contrast=arguments.number("CNT", 1.0, *CONTRAST),
        brightness=arguments.number("BRT", 0.0, *BRIGHTNESS),
        gamma=arguments.number("GAM", settings.gamma, *GAMMA),
        colormap=colormap if channels else "grey",
        invert="INV" in arguments,
        quality=arguments.integer("QLT", settings.quality, *QUALITY),
    )
    given = arguments.channel_numbers("MINMAX", 2, 1, count, "c:lo,hi: the cuts of a channel")
    cuts = _cuts(given, 1, "MINMAX")
    if channels:
        return StyleQuery((), channels[0] - 1, cuts, look)
    mix = arguments.channel_numbers("MIX", 3, 1, count, "c:r,g,b: a channel and its weights")
    return StyleQuery(tuple(enumerate(_interpolated(mix, count))), 0, cuts, look)


def _cuts(found: dict[int, tuple[float, ...]], first: int, name: str) -> tuple[tuple[int, Cut], ...]:
    for channel, (low, high) in found.items():
        if low == high:
            raise InvalidRequest.value(name, f"{channel}:{low:g},{high:g}", "two finite numbers that differ")
    return tuple((channel - first, Cut(low, high)) for channel, (low, high) in sorted(found.items()))


def _interpolated(mix: dict[int, tuple[float, ...]], count: int) -> list[Weights]:
    """Spread the given rows over all channels, as VisiOmatic does; without any, every channel has weight 1."""
    if not mix:
        return [(1.0, 1.0, 1.0)] * count
    given = sorted(mix)
    columns = [np.interp(np.arange(1, count + 1), given, [mix[c][k] for c in given]) * (3 / count) for k in range(3)]
    return [(float(r), float(g), float(b)) for r, g, b in zip(*columns, strict=True)]


def api_tile(text: str, grid: TileGrid) -> tuple[int, int, int]:
    """Parse ``JTL=z,i`` into level, row and column.

    The client counts its columns on level sizes that are rounded down, while levels are rounded up, so `i` is decoded
    by its rule.
    """
    z, index = pair("JTL", text)
    if not 0 <= z < grid.levels:
        raise InvalidRequest.value("JTL", text, f"z,i with z from 0 (coarsest) to {grid.levels - 1}")
    level = grid.levels - 1 - z
    columns = -(-max(1, grid.width >> level) // grid.tile_size)
    row, column = divmod(index, columns)
    if not 0 <= row < grid.count(level)[1]:
        raise InvalidRequest.value("JTL", text, f"z,i with i from 0 to {columns * grid.count(level)[1] - 1} at z = {z}")
    return level, row, column


def api_region(arguments: Arguments, layer: Layer) -> tuple[int, Box]:
    """Parse ``RGN=x1,y1:x2,y2`` and ``BIN=n`` into a level and a rectangle there, clipped to the frame."""
    binning = arguments.integer("BIN", 1, 1, 65536)
    if binning & (binning - 1):
        raise InvalidRequest.value("BIN", binning, "a power of two from 1 to 65536")
    level = binning.bit_length() - 1
    (x1, y1), (x2, y2) = arguments.line("RGN")
    box = Box(
        max(0, (min(y1, y2) - 1) >> level),
        max(0, (min(x1, x2) - 1) >> level),
        min(level_size(layer.height, level), ((max(y1, y2) - 1) >> level) + 1),
        min(level_size(layer.width, level), ((max(x1, x2) - 1) >> level) + 1),
    )
    if box.rows < 1 or box.columns < 1:
        raise InvalidRequest.value(
            "RGN", arguments.text("RGN"), f"a rectangle that overlaps 1,1:{layer.width},{layer.height}"
        )
    return level, box
