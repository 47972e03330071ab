"""Queries to contents: which channels are shown, at which cuts. Both web APIs are parsed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from visiomatic_dask.cube import Layer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content, Cut, Mix, Mono
from visiomatic_dask.rendering.content import NAN_POLICIES, NaNPolicy
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.catalog import OpenedCube

CONTENT_KEYS = ("channel", "cuts", "mix", "nan")

Cuts = Mapping[int, tuple[float, ...]]
Weights = Mapping[int, Sequence[float]]


async def resource_content(arguments: Arguments, opened: OpenedCube, layer: Layer) -> Content:
    """Find what the keys of the resource API show (channels from 0)."""
    last = layer.channels - 1
    if "mix" in arguments and "channel" in arguments:
        raise InvalidRequest("channel and mix exclude each other: channel shows one, mix several", "channel")
    channel = arguments.integer("channel", 0, 0, last)
    weights = arguments.channel_numbers("mix", 3, 0, last, "c:r,g,b: a channel and its weights")
    text = arguments.text("cuts")
    if not weights and text is not None and ":" not in text:
        arguments = Arguments({"cuts": [f"{channel}:{text}"]})
    cuts = _cuts(arguments, "cuts", 0, last, "lo,hi or c:lo,hi: the cuts of a channel")
    if weights:
        return await _mix(weights, cuts, opened, layer, _nan_policy(arguments))
    return await _mono(channel, cuts, opened, layer)


async def api_content(arguments: Arguments, opened: OpenedCube, layer: Layer) -> Content:
    """Find what the keys of VisiOmatic's API show (channels from 1)."""
    count = layer.channels
    channels = arguments.integers("CHAN", 1, count)
    found = _cuts(arguments, "MINMAX", 1, count, "c:lo,hi: the cuts of a channel")
    cuts = {channel - 1: cut for channel, cut in found.items()}
    if channels:
        return await _mono(channels[0] - 1, cuts, opened, layer)
    mix = arguments.channel_numbers("MIX", 3, 1, count, "c:r,g,b: a channel and its weights")
    return await _mix(dict(enumerate(_interpolated(mix, count))), cuts, opened, layer, "lo")


async def _mono(channel: int, cuts: Cuts, opened: OpenedCube, layer: Layer) -> Mono:
    given = cuts.get(channel)
    return Mono(channel, (await opened.backgrounds(layer))[channel].cut if given is None else Cut(*given))


async def _mix(weights: Weights, cuts: Cuts, opened: OpenedCube, layer: Layer, nan: NaNPolicy) -> Mix:
    # A weight of zero changes nothing but the cost; one channel has to stay.
    channels = [c for c in sorted(weights) if any(weights[c])] or [min(weights)]
    default = None if all(c in cuts for c in channels) else await opened.backgrounds(layer)
    pairs = [cuts[c] if c in cuts or default is None else (default[c].cut.low, default[c].cut.high) for c in channels]
    return Mix(channels, pairs, [weights[c] for c in channels], nan)


def _nan_policy(arguments: Arguments) -> NaNPolicy:
    given = arguments.text("nan") or "lo"
    for policy in NAN_POLICIES:
        if given == policy:
            return policy
    raise InvalidRequest.value("nan", given, ", ".join(NAN_POLICIES))


def _cuts(arguments: Arguments, name: str, first: int, last: int, meaning: str) -> Cuts:
    found = arguments.channel_numbers(name, 2, first, last, meaning)
    for channel, (low, high) in found.items():
        if low == high:
            raise InvalidRequest.value(name, f"{channel}:{low:g},{high:g}", "two finite numbers that differ")
    return found


def _interpolated(mix: dict[int, tuple[float, ...]], count: int) -> list[list[float]]:
    """Spread the given rows over all channels, as VisiOmatic does; without any, every channel has weight 1."""
    if not mix:
        return [[1.0, 1.0, 1.0]] * count
    given = sorted(mix)
    columns = [np.interp(np.arange(1, count + 1), given, [mix[c][k] for c in given]) * (3 / count) for k in range(3)]
    rows: list[list[float]] = np.transpose(columns).tolist()
    return rows
