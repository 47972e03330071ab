"""Mixing: channels added one at a time into sums in red, green and blue.

Colour is linear until the last step, so that is all a mix needs. Sums are float64, for thousands of channels whose
weights cancel would leave nothing of float32; but a few at a time are added in float32 first, which is faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from visiomatic_dask.rendering.content import Mix

LARGEST = float(np.finfo(np.float32).max)
_TOGETHER = 16
"""Channels that are added in float32 before their sum is added in float64: little is lost of so few."""
_FAR, _NEAR = 1e30, 1e-30
"""Between these, sixteen terms stay within float32, and a factor keeps its precision."""

Pixels = NDArray[np.float32] | NDArray[np.uint32]
"""Pixels of a channel, (rows, columns): float32, or as uint32 the bits of float32 in the other byte order."""


@intrinsic
def _native(context: Any, pixel: Any) -> Any:  # noqa: ARG001 - numba's signature
    """Take float32 as it is, and turn uint32 round: the compiler then swaps 16 pixels at a time."""

    def generate(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        return value if signature.args[0] == types.float32 else builder.bitcast(builder.bswap(value), ir.FloatType())

    return types.float32(pixel), generate


@intrinsic
def _magnitude(context: Any, value: Any) -> Any:  # noqa: ARG001 - numba's signature
    """Bits of float32 without the sign: integers in the order of the magnitudes, compared eight at a time."""

    def generate(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's signature
        integer = ir.IntType(32)
        return builder.and_(builder.bitcast(arguments[0], integer), ir.Constant(integer, 0x7FFFFFFF))

    return types.int32(types.float32), generate


# One loop an array: with more of them the compiler's test for overlap fails, and nothing is done 8 pixels at a time.
@njit(nogil=True, cache=True)
def _shift(row: Pixels, low: np.float32, out: NDArray[np.float32]) -> tuple[bool, np.int32]:
    """Subtract the lower cut, take 0 for what is not finite; say whether there was any, and the largest magnitude."""
    bad, largest = np.int32(0), np.int32(0)
    for j in range(row.size):
        value = _native(row[j]) - low
        difference = value - value  # not zero if it is not finite; fastmath would remove the test
        bad |= np.int32(difference != np.float32(0))
        value = value if difference == np.float32(0) else np.float32(0)
        largest = max(largest, _magnitude(value))
        out[j] = value
    return bad != 0, largest


@njit(nogil=True, cache=True)
def _add(values: NDArray[np.float32], factor: float, sums: NDArray[np.float64]) -> None:
    for j in range(values.size):
        sums[j] += factor * np.float64(values[j])


@njit(nogil=True, cache=True)
def _add_quickly(values: NDArray[np.float32], factor: np.float32, sums: NDArray[np.float32]) -> None:
    for j in range(values.size):
        sums[j] += factor * values[j]


@njit(nogil=True, cache=True)
def settle(recent: NDArray[np.float32], sums: NDArray[np.float64]) -> None:
    """Move what has been added of late to the sums; parameters as of `add_channel`."""
    for k in range(recent.shape[0]):
        for i in range(recent.shape[1]):
            for j in range(recent.shape[2]):
                sums[k, i, j] += np.float64(recent[k, i, j])
                recent[k, i, j] = np.float32(0)


@njit(nogil=True, cache=True)
def _add_where_finite(row: Pixels, weight: float, sums: NDArray[np.float64]) -> None:
    for j in range(row.size):
        value = _native(row[j])
        sums[j] += weight if value - value == np.float32(0) else 0.0


@njit(nogil=True, cache=True)
def add_channel(
    channel: Pixels,
    low: float,
    red: float,
    green: float,
    blue: float,
    recent: NDArray[np.float32],
    sums: NDArray[np.float64],
    bottom_up: bool,
) -> bool:
    """Add ``factor·(x - low)`` of one channel to each sum. What is not finite adds nothing.

    What is too large, or its factors too small, for float32 is added to `sums` at once.

    Parameters
    ----------
    channel : ndarray of float32 or uint32, (rows, columns)
        Values x; as uint32, the bits of float32 in the other byte order.
    low : float
        Lower cut; taken as float32.
    red, green, blue : float
        Weight over (high - low), for each colour.
    recent : ndarray of float32, (3, rows, columns)
        Red, green and blue of a few channels, to be moved on by `settle`; changed in place.
    sums : ndarray of float64, (3, rows, columns)
        The same of all others; changed in place.
    bottom_up : bool
        Whether the first row of the channel is the last of the sums.

    Returns
    -------
    bool
        Whether all of it is finite.
    """
    rows, bad = channel.shape[0], False
    values = np.empty(channel.shape[1], np.float32)
    steepest, gentlest = 0.0, _FAR
    for factor in (red, green, blue):
        if factor != 0:
            steepest, gentlest = max(steepest, abs(factor)), min(gentlest, abs(factor))
    quick = steepest < _FAR and gentlest > _NEAR
    most = _magnitude(np.float32(min(_FAR, _FAR / max(steepest, _NEAR))))
    for i in range(rows):
        missing, largest = _shift(channel[i], np.float32(low), values)
        bad |= missing
        target = rows - 1 - i if bottom_up else i
        for colour, factor in enumerate((red, green, blue)):
            if factor == 0:
                continue
            if quick and largest <= most:
                _add_quickly(values, np.float32(factor), recent[colour, target])
            else:
                _add(values, factor, sums[colour, target])
    return not bad


@njit(nogil=True, cache=True)
def add_weights(channel: Pixels, weights: NDArray[np.float64], sums: NDArray[np.float64], bottom_up: bool) -> None:
    """Add weights where a channel is finite; parameters as of `add_channel`, one weight for each of the sums."""
    rows = channel.shape[0]
    for i in range(rows):
        target = rows - 1 - i if bottom_up else i
        for k in range(weights.size):
            _add_where_finite(channel[i], weights[k], sums[k, target])


def channel_terms(mix: Mix) -> dict[int, tuple[float, list[float], list[float]]]:
    """List lower cut, factors and weights of each channel: what `MixSums.add` takes of it."""
    lows, factors, weights = mix.cuts[:, 0].tolist(), mix.factors.tolist(), mix.weights.tolist()
    return dict(zip(mix.channels, zip(lows, factors, weights, strict=True), strict=True))


class MixSums:
    """Sums of some channels of a mix over one strip of it.

    Parameters
    ----------
    rows, columns : int
        Pixels of the strip.
    by_weight : bool
        Whether sums of the weights of the finite channels are kept too, one for each colour.

    Attributes
    ----------
    sums : ndarray of float64, (3, rows, columns)
        Red, green and blue, but for the last few channels.
    """

    def __init__(self, rows: int, columns: int, by_weight: bool) -> None:
        self.sums = np.zeros((3, rows, columns))
        self._recent = np.zeros((3, rows, columns), np.float32)
        self._unsettled = 0
        self._everywhere = np.zeros(3)  # weights of the channels that are finite everywhere
        self._somewhere: NDArray[np.float64] | None = None
        self._by_weight = by_weight
        self._offsets = np.zeros(3)  # of lower cuts that float32 has rounded, which would add up

    def add(
        self, channel: Pixels, low: float, factors: Sequence[float], weights: Sequence[float], bottom_up: bool
    ) -> None:
        """Add a channel.

        Parameters
        ----------
        channel, low, bottom_up
            As of `add_channel`.
        factors : sequence of 3 floats
            Weights over (high - low).
        weights : sequence of 3 floats
            The weights themselves.
        """
        absolute = np.abs(np.asarray(weights, np.float64))
        self._offsets += np.asarray(factors) * (float(np.float32(low)) - low)
        if self._unsettled == _TOGETHER:
            settle(self._recent, self.sums)
            self._unsettled = 0
        self._unsettled += 1
        if add_channel(channel, low, *factors, self._recent, self.sums, bottom_up):
            self._everywhere += absolute
        elif self._by_weight or not self._everywhere.any():
            if self._somewhere is None:
                self._somewhere = np.zeros_like(self.sums if self._by_weight else self.sums[:1])
            add_weights(channel, absolute if self._by_weight else np.ones(1), self._somewhere, bottom_up)

    def write(self, out: NDArray[np.float32]) -> None:
        """Write a partial sum.

        Parameters
        ----------
        out : ndarray of float32, (3, rows, columns) or (6, rows, columns)
            The sums, and with `by_weight` those of the weights. The sums of pixels where no channel is finite are NaN.
        """
        settle(self._recent, self.sums)
        self._unsettled = 0
        self.sums += self._offsets[:, np.newaxis, np.newaxis]
        self._offsets[:] = 0
        # What float32 does not reach would be infinite, and taken for missing.
        np.clip(self.sums, -LARGEST, LARGEST, out=out[:3], casting="same_kind")
        if self._by_weight:
            out[3:] = self._everywhere[:, np.newaxis, np.newaxis] + (0 if self._somewhere is None else self._somewhere)
        if not self._everywhere.any() and self._somewhere is not None:
            out[:3, ~self._somewhere.any(axis=0)] = np.nan


def finish_mix(sums: NDArray[np.float32], total: Sequence[float] | None) -> None:
    """Turn the sums of all channels of a mix into its colours, in place.

    Parameters
    ----------
    sums : ndarray of float32, (3, rows, columns) or (6, rows, columns)
        As `MixSums.write` writes them.
    total : sequence of 3 floats or None
        Sums of the absolute weights of all channels; each colour is divided by the share that those of the finite ones
        have in it. None to leave colours as they are.
    """
    if total is None:
        return
    for colour, of_all in enumerate(total):
        there = sums[3 + colour]
        if of_all > 0:
            whole = (there > 0) & (there != np.float32(of_all))
            with np.errstate(over="ignore", divide="ignore"):
                np.multiply(sums[colour], np.float32(of_all) / there, out=sums[colour], where=whole)
            np.clip(sums[colour], -LARGEST, LARGEST, out=sums[colour])


def add_partial(partials: Sequence[NDArray[np.float32]], total: Sequence[float] | None) -> NDArray[np.float32]:
    """Add partial sums of a mix and finish it; see `MixSums.write` and `finish_mix`. They are left as they are."""
    out = np.empty_like(partials[0])
    for row in range(out.shape[1]):  # float64 of a row at a time
        together = np.zeros(out[:, row].shape)
        empty = np.ones(out.shape[2], bool)
        for partial in partials:
            missing = np.isnan(partial[0, row])
            together[:3] += np.where(missing, 0, partial[:3, row])
            together[3:] += partial[3:, row]
            empty &= missing
        np.clip(together, -LARGEST, LARGEST, out=out[:, row], casting="same_kind")
        out[:3, row, empty] = np.nan
    finish_mix(out, total)
    return out
