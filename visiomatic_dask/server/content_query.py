"""Queries to contents: which channels are shown, at which cuts. Both web APIs are parsed here.

A query is understood first, which reads nothing, and then given the cuts it leaves to us, which may have to be sampled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.measurer import Measurer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Collapse, Content, Cut, Mix, Mono
from visiomatic_dask.rendering.content import NAN_POLICIES, NaNPolicy
from visiomatic_dask.rendering.recipes import (
    ChannelCoordinates,
    Collapsed,
    Components,
    Weighted,
    component_mix,
    parse_recipe,
    resolve,
)
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.catalog import OpenedCube

CONTENT_KEYS = ("channel", "cuts", "mix", "nan")
_API_KEYS = ("CHAN", "MINMAX", "MIX")
_CUTS = "lo,hi or c:lo,hi: the cuts of all channels, or of channel c"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a query asks for, before what it leaves to us is known.

    Attributes
    ----------
    shown : int, Weighted, Components or Collapsed
        A channel from 0, or what a recipe was resolved to.
    cut : (float, float) or None
        Cuts of everything that has none of its own.
    cuts : mapping of int to (float, float)
        Cuts by channel, from 0.
    nan : {"lo", "renormalise"}
        See `Mix`.
    """

    shown: int | Weighted | Components | Collapsed
    cut: tuple[float, float] | None
    cuts: Mapping[int, tuple[float, float]]
    nan: NaNPolicy = "lo"


async def resource_content(arguments: Arguments, opened: OpenedCube, layer: Layer, measurer: Measurer) -> Content:
    """Find what the keys of the resource API show (channels from 0)."""

    async def find() -> Content:
        if "mix" in arguments:  # in a thread: hundreds of elements take seconds on an axis of 16,000 channels
            asked = await asyncio.to_thread(ask_resource, arguments, layer)
        else:
            asked = ask_resource(arguments, layer)
        return await _content(asked, opened, layer, measurer)

    found: Content = await opened.contents.get(_key(arguments, layer, CONTENT_KEYS), find, layer.channels)
    return found


async def api_content(arguments: Arguments, opened: OpenedCube, layer: Layer, measurer: Measurer) -> Content:
    """Find what the keys of VisiOmatic's API show (channels from 1)."""

    async def find() -> Content:
        return await _content(_ask_api(arguments, layer), opened, layer, measurer)

    found: Content = await opened.contents.get(_key(arguments, layer, _API_KEYS), find, layer.channels)
    return found


def ask_resource(arguments: Arguments, layer: Layer) -> Asked:
    """Understand the keys of the resource API, without reading any pixels."""
    last = layer.channels - 1
    if "mix" in arguments and "channel" in arguments:
        raise InvalidRequest("channel and mix exclude each other: channel shows one, mix several", "channel")
    channel = arguments.integer("channel", 0, 0, last)
    cut, own = None, []
    for text in arguments.texts("cuts"):
        if ":" in text:
            own.append(text)
        else:
            cut = _general_cut(text)
    cuts = _cuts(Arguments({"cuts": own}), "cuts", 0, last, _CUTS)
    nan = _nan_policy(arguments)
    if "mix" not in arguments:
        _check_nan(arguments)
        return Asked(channel, cut, cuts)
    shown = resolve(parse_recipe(arguments.texts("mix")), ChannelCoordinates.of(layer))
    if isinstance(shown, Collapsed):
        _check_nan(arguments)
    if isinstance(shown, Components) and (cut is not None or cuts):
        raise InvalidRequest("cuts and a mix of pca exclude each other: scores have cuts of their own", "cuts")
    if isinstance(shown, Collapsed) and cuts:
        raise InvalidRequest.value("cuts", own[-1], "lo,hi: the cuts of channels made one")
    return Asked(shown, cut, cuts, nan)


def _ask_api(arguments: Arguments, layer: Layer) -> Asked:
    count = layer.channels
    channels = arguments.integers("CHAN", 1, count)
    found = _cuts(arguments, "MINMAX", 1, count, "c:lo,hi: the cuts of a channel")
    cuts = {channel - 1: cut for channel, cut in found.items()}
    if channels:
        return Asked(channels[0] - 1, None, cuts)
    mix = arguments.channel_numbers("MIX", 3, 1, count, "c:r,g,b: a channel and its weights")
    weights = _interpolated(mix, count)
    used = np.flatnonzero(weights.any(axis=1))
    chosen = used if used.size else np.zeros(1, np.intp)
    return Asked(Weighted(chosen.astype(np.int64), weights[chosen]), None, cuts)


def preliminary_content(asked: Asked) -> Content:
    """Make the content with cuts that stand in for those that are not known: of its kind, and nothing more."""
    shown = asked.shown
    if isinstance(shown, int):
        return Mono(shown, Cut(0, 1))
    if isinstance(shown, Collapsed):
        return Collapse(shown.first, shown.last, shown.method, Cut(0, 1))
    channels = [int(channel) for channel in shown.channels]
    weights = shown.weights if isinstance(shown, Weighted) else np.ones((len(channels), 3))
    return Mix(channels, np.tile([0.0, 1.0], (len(channels), 1)), weights, asked.nan)


async def _content(asked: Asked, opened: OpenedCube, layer: Layer, measurer: Measurer) -> Content:
    shown = asked.shown
    if isinstance(shown, int):
        given = asked.cuts.get(shown, asked.cut)
        return Mono(shown, (await opened.backgrounds(layer))[shown].cut if given is None else Cut(*given))
    if isinstance(shown, Collapsed):
        first, last, method = shown.first, shown.last, shown.method
        cut = await measurer.collapsed_cut(layer, first, last, method) if asked.cut is None else Cut(*asked.cut)
        return Collapse(first, last, method, cut)
    if isinstance(shown, Components):
        components = await opened.contents.get(
            (layer.name, "components", shown.channels),
            lambda: measurer.principal_components(layer, shown.channels),
            len(shown.channels),
        )
        return component_mix(shown.channels, components, asked.nan)
    channels: list[int] = shown.channels.tolist()
    if asked.cut is not None:
        cuts = np.tile(np.array(asked.cut), (len(channels), 1))
    elif len(asked.cuts) >= len(channels) and all(channel in asked.cuts for channel in channels):
        cuts = np.empty((len(channels), 2))
    else:
        cuts = (await opened.cut_pairs(layer))[shown.channels]
    for row, channel in enumerate(channels) if asked.cuts else ():
        if channel in asked.cuts:
            cuts[row] = asked.cuts[channel]
    return Mix(channels, cuts, shown.weights, asked.nan)


def _key(arguments: Arguments, layer: Layer, names: tuple[str, ...]) -> tuple[object, ...]:
    # The names tell the two APIs apart: without any of the keys, one shows a channel and the other a mix.
    return (names, layer.name, *((name, *arguments.texts(name)) for name in names if name in arguments))


def _nan_policy(arguments: Arguments) -> NaNPolicy:
    given = arguments.text("nan") or "lo"
    for policy in NAN_POLICIES:
        if given == policy:
            return policy
    raise InvalidRequest.value("nan", given, ", ".join(NAN_POLICIES))


def _check_nan(arguments: Arguments) -> None:
    """Refuse `nan` for what is not a mix."""
    if "nan" in arguments:
        raise InvalidRequest.value("nan", arguments.text("nan"), "nothing for a single plane: it is for mixes")


def _general_cut(text: str) -> tuple[float, float]:
    """Read ``lo,hi``."""
    try:
        ((low, high),) = _cuts(Arguments({"cuts": [f"0:{text}"]}), "cuts", 0, 0, _CUTS).values()
    except InvalidRequest as error:  # which shows a channel that nobody has written
        raise InvalidRequest.value("cuts", text, f"{_CUTS}, two finite numbers that differ") from error
    return low, high


def _cuts(arguments: Arguments, name: str, first: int, last: int, meaning: str) -> dict[int, tuple[float, float]]:
    found = {}
    for channel, (low, high) in arguments.channel_numbers(name, 2, first, last, meaning).items():
        if low == high:
            raise InvalidRequest.value(name, f"{channel}:{low:g},{high:g}", "two finite numbers that differ")
        found[channel] = low, high
    return found


def _interpolated(mix: dict[int, tuple[float, ...]], count: int) -> NDArray[np.float64]:
    """Spread the given rows over all channels, as VisiOmatic does; without any, every channel has weight 1."""
    if not mix:
        return np.ones((count, 3))
    given = sorted(mix)
    rows, numbers = np.array([mix[c] for c in given]), np.arange(1, count + 1)
    return np.column_stack([np.interp(numbers, given, column) * (3 / count) for column in rows.T])
