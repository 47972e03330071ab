"""Collapsing: channels made one by their largest, smallest, mean or sum, over those that are finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.content import CollapseMethod
from visiomatic_dask.rendering.mixing import LARGEST


def empty_collapse(shape: tuple[int, ...], method: CollapseMethod) -> NDArray[np.float64]:
    """Make what channels of a shape are to be added to: (2, …), see `collapse_channel`."""
    partial = np.zeros((2, *shape))
    if method in ("max", "min"):
        partial[0] = np.nan
    return partial


def collapse_channel(channel: NDArray[np.float32], method: CollapseMethod, partial: NDArray[np.float64]) -> None:
    """Add a channel.

    Parameters
    ----------
    channel : ndarray of float32
        Values; what is not finite is left out.
    method : {"max", "min", "mean", "sum"}
        What is made of the channels.
    partial : ndarray of float64, (2, …)
        Sum and number of the channels that are finite; or the extreme value, NaN where there is none, and nothing.
        Changed in place.
    """
    result, count = partial
    finite = np.isfinite(channel)
    if method in ("mean", "sum"):
        np.add(result, channel, out=result, where=finite)
        count += finite
    else:
        (np.fmax if method == "max" else np.fmin)(result, channel, out=result, where=finite)


def finish_collapse(partials: Sequence[NDArray[np.float64]], method: CollapseMethod) -> NDArray[np.float32]:
    """Make one of all channels; NaN where none is finite.

    Parameters
    ----------
    partials : sequence of ndarray of float64, (2, …)
        Of some of the channels each, as `collapse_channel` makes them. They are left as they are.
    method : {"max", "min", "mean", "sum"}
        What is made of the channels.
    """
    result, count = partials[0].copy()
    for other, more in partials[1:]:
        if method in ("mean", "sum"):
            result += other
            count += more
        else:
            (np.fmax if method == "max" else np.fmin)(result, other, out=result)
    if method == "mean":
        np.divide(result, count, out=result, where=count > 0)
    if method in ("mean", "sum"):
        result[count == 0] = np.nan
    # What float32 does not reach would be infinite, and taken for missing.
    return np.clip(result, -LARGEST, LARGEST).astype(np.float32)
