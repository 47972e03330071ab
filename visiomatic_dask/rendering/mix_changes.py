"""Changes of a mix: channels that a sum holds already, with other cuts or weights.

The sum is linear, so nothing but what has changed is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visiomatic_dask.rendering.content import Mix

_NOTHING = 1e-6
"""Share of the weights of all channels that is left of rounding where none is finite any more."""

Three = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What one channel adds to a sum, before and after; a channel that is not there adds nothing.

    Attributes
    ----------
    channel : int
        From 0.
    low, factors
        As of `visiomatic_dask.rendering.Mix`, after the change.
    old_low, old_factors
        The same before it.
    weights : tuple of float
        By how much the absolute weights in red, green and blue have grown.
    """

    channel: int
    low: float
    factors: Three
    old_low: float
    old_factors: Three
    weights: Three


def changes_between(old: Mix, new: Mix, most: int) -> tuple[ChannelChange, ...] | None:
    """List the channels that two mixes do not show alike, in ascending order.

    Parameters
    ----------
    old, new : Mix
        Before and after.
    most : int
        How many there may be.

    Returns
    -------
    tuple of ChannelChange, or None
        None if there are more than `most`, or what is not finite counts differently.
    """
    if old.nan != new.nan or abs(len(old.channels) - len(new.channels)) > most:
        return None
    if old.channels == new.channels:
        channels = np.asarray(new.channels)
    else:
        channels = np.union1d(old.channels, new.channels)
        if len(channels) - min(len(old.channels), len(new.channels)) > most:
            return None
    before, after = _rows(old, channels), _rows(new, channels)
    (changed,) = np.nonzero((before != after).any(axis=1))
    if len(changed) > most:
        return None
    found = []
    for index in changed.tolist():
        old_low, *old_numbers = before[index].tolist()
        low, *numbers = after[index].tolist()
        weights = _three([abs(b) - abs(a) for a, b in zip(old_numbers[3:], numbers[3:], strict=True)])
        channel = int(channels[index])
        found.append(ChannelChange(channel, low, _three(numbers[:3]), old_low, _three(old_numbers[:3]), weights))
    return tuple(found)


def absolute_weights(mix: Mix) -> Three:
    """Add up the absolute weights of all channels in red, green and blue."""
    return _three(np.abs(mix.weights).sum(axis=0).tolist())


def change_mix(
    base: NDArray[np.float32],
    changes: Iterable[tuple[ChannelChange, NDArray[np.float32]]],
    old_weights: Three,
    new_weights: Three,
) -> NDArray[np.float32]:
    """Make a mix of another that differs in a few channels.

    Parameters
    ----------
    base : ndarray of float32, (3 or 6, rows, columns)
        The other one, which is left as it is: with six planes, those of weights last, its sums are normalised.
    changes : iterable of (ChannelChange, ndarray of float32, (rows, columns))
        What has changed, and the pixels of those channels.
    old_weights, new_weights : tuple of float
        `absolute_weights` before and after.

    Returns
    -------
    ndarray of float32, as `base`
        Equal to the sum of all channels but for rounding; where no channel is finite any more, though one was in
        `base`, that is told only where there are planes of weights.
    """
    mixed = base.copy()
    has_weights = len(mixed) > 3
    if has_weights:
        _unnormalise(mixed, np.array(old_weights))
    for change, pixels in changes:
        _change_channel(
            np.ascontiguousarray(pixels),
            change.low,
            np.array(change.factors),
            change.old_low,
            np.array(change.old_factors),
            np.array(change.weights),
            mixed,
            has_weights,
        )
    if has_weights:
        _normalise(mixed, np.array(new_weights), _NOTHING)
    return mixed


def _rows(mix: Mix, channels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Low, factors and weights of some channels, (C, 7); zeros where a channel has no weight, whatever its cuts."""
    rows = np.zeros((len(channels), 7))
    places = np.searchsorted(channels, mix.channels)
    weighted = mix.weights.any(axis=1)
    rows[places[weighted], 0] = mix.cuts[weighted, 0]
    rows[places[weighted], 1:4] = mix.factors[weighted]
    rows[places[weighted], 4:] = mix.weights[weighted]
    return rows


def _three(numbers: list[float]) -> Three:
    r, g, b = numbers
    return r, g, b


@njit(nogil=True, cache=True)
def _change_channel(
    channel: NDArray[np.float32],
    low: float,
    factors: NDArray[np.float64],
    old_low: float,
    old_factors: NDArray[np.float64],
    weights: NDArray[np.float64],
    mixed: NDArray[np.float32],
    has_weights: bool,
) -> None:
    """Put one channel's new share of each plane in the place of its old one, where it is finite."""
    for i in range(channel.shape[0]):
        for j in range(channel.shape[1]):
            value = np.float64(channel[i, j])
            if value - value != 0:
                continue
            for k in range(3):
                if mixed[k, i, j] != mixed[k, i, j]:  # this is the first channel that is finite here
                    mixed[k, i, j] = 0
                mixed[k, i, j] += factors[k] * (value - low) - old_factors[k] * (value - old_low)
                if has_weights:
                    mixed[k + 3, i, j] += weights[k]


@njit(nogil=True, cache=True)
def _unnormalise(mixed: NDArray[np.float32], weights: NDArray[np.float64]) -> None:
    """Turn normalised sums into those of the finite channels; zero where there are none."""
    for k in range(3):
        share = 1 / weights[k] if weights[k] > 0 else 0.0
        for i in range(mixed.shape[1]):
            for j in range(mixed.shape[2]):
                there = mixed[k + 3, i, j]
                mixed[k, i, j] = mixed[k, i, j] * there * share if there > 0 else 0.0


@njit(nogil=True, cache=True)
def _normalise(mixed: NDArray[np.float32], weights: NDArray[np.float64], nothing: float) -> None:
    """Divide sums by the share of the weights that is finite; NaN where none is in any colour."""
    for i in range(mixed.shape[1]):
        for j in range(mixed.shape[2]):
            is_empty = True
            for k in range(3):
                if mixed[k + 3, i, j] > nothing * weights[k]:
                    mixed[k, i, j] *= weights[k] / mixed[k + 3, i, j]
                    is_empty = False
                else:
                    mixed[k, i, j] = 0
                    mixed[k + 3, i, j] = 0
            if is_empty:
                for k in range(3):
                    mixed[k, i, j] = np.nan
