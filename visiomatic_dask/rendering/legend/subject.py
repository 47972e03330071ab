"""What a legend shows: the colours themselves, made by the kernels that make pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.content import Cut, Mix
from visiomatic_dask.rendering.look import Look
from visiomatic_dask.rendering.render import render_mix, render_plane
from visiomatic_dask.rendering.style import Style
from visiomatic_dask.rendering.tables import LookTables

_STEPS = 256
_MOST_IN_STRIP = 512

Colours = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class BarSubject:
    """The colours of a plane.

    Attributes
    ----------
    colours : ndarray of uint8, (256, 3)
        Of values at even steps from `low` to `high`.
    low, high : float
        The cuts, `low` below `high`.
    title, unit : str
        What is shown, and in which unit.
    under, over, bad : str
        ``#rrggbb``, ``transparent``, or nothing where there is no such colour.
    """

    colours: Colours
    low: float
    high: float
    title: str
    unit: str
    under: str
    over: str
    bad: str


@dataclass(frozen=True, eq=False)
class MixSubject:
    """The colours of a mix.

    Attributes
    ----------
    entries : tuple of (str, str)
        Label and colour of each channel, at the intensity where its strongest colour is full.
    strip : ndarray of uint8, (N, 3)
        What the channels from the first to the last contribute, the strongest being full; 512 at most, of neighbours
        the stronger ones.
    marks : tuple of (float, str)
        Places along the strip, 0 … 1, and the labels of the channels there.
    title : str
        How many there are.
    """

    entries: tuple[tuple[str, str], ...]
    strip: Colours
    marks: tuple[tuple[float, str], ...]
    title: str


def bar_subject(style: Style, cut: Cut, title: str, unit: str, *, show_bad: bool) -> BarSubject:
    """Describe the colours of a plane.

    Parameters
    ----------
    style : Style
        Of a channel, or of a range made one.
    cut : Cut
        Its cuts.
    title, unit : str
        For whoever reads it.
    show_bad : bool
        Whether pixels without a value are told of.
    """
    low, high = sorted((cut.low, cut.high))
    shares = np.linspace(0, 1, _STEPS)  # the difference of the cuts may be beyond all numbers
    with np.errstate(over="ignore"):  # and they themselves beyond float32
        values = (low * (1 - shares) + high * shares).astype(np.float32)[np.newaxis, np.newaxis]
        values = np.clip(values, np.float32(low), np.float32(high))
    look = style.look
    (scale,), (offset,) = style.scale_offset
    # Neither colours for values outside the cuts, which rounding might show, nor opacity: the bar is seen by itself.
    tables = LookTables.of(_plain(look))
    line = render_plane(values, 0, 0, 0, (1, _STEPS), style.low, scale, offset, tables)[0]
    colours = np.repeat(line[:, :1], 3, axis=1) if line.shape[1] < 3 else line[:, :3]
    under, over = (look.under, look.over) if cut.low < cut.high else (look.over, look.under)
    return BarSubject(colours, low, high, title, unit, under, over, look.bad if show_bad else "")


def mix_subject(style: Style, mix: Mix, label: Callable[[int], str], most_entries: int, most_marks: int) -> MixSubject:
    """Describe the colours of a mix.

    Parameters
    ----------
    style, mix : Style, Mix
        Of the picture.
    label : callable
        Names a channel.
    most_entries : int
        Channels from which on there are no entries, but only the strip.
    most_marks : int
        Channels that are named along the strip, at most.
    """
    count = len(mix.channels)
    weights = np.maximum(mix.weights, 0)
    peaks = weights.max(axis=1)
    entries: tuple[tuple[str, str], ...] = ()
    if count <= most_entries:
        full = weights / np.where(peaks > 0, peaks, 1.0)[:, np.newaxis]
        entries = tuple(
            (label(channel), f"#{red:02x}{green:02x}{blue:02x}")
            for channel, (red, green, blue) in zip(mix.channels, _mixed(style, full).tolist(), strict=True)
        )
    first, last = mix.channels[0], mix.channels[-1]
    places = min(last - first + 1, _MOST_IN_STRIP)
    strip = np.zeros((places, 3))
    at = (np.asarray(mix.channels) - first) * places // (last - first + 1)
    np.maximum.at(strip, at, weights / max(float(peaks.max()), np.finfo(np.float64).tiny))
    shown = min(most_marks, last - first + 1)
    named = [round(first + (last - first) * one / max(1, shown - 1)) for one in range(shown)]
    marks = tuple(((channel - first + 0.5) / (last - first + 1), label(channel)) for channel in named)
    return MixSubject(entries, _mixed(style, strip), marks, f"{count} channels" if count > 1 else "1 channel")


def _mixed(style: Style, weights: NDArray[np.float64]) -> Colours:
    """Colours of sums of red, green and blue, (N, 3)."""
    mixed = np.ascontiguousarray(weights.T[:, np.newaxis].astype(np.float32))
    line = render_mix(mixed, 0, 0, (1, len(weights)), (1.0,) * 3, (0.0,) * 3, LookTables.of(_plain(style.look)))
    return line[0, :, :3]


def _plain(look: Look) -> Look:
    return replace(look, bad="", under="", over="", opacity=1.0)
