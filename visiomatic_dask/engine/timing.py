"""Where the time of a tile goes."""

from __future__ import annotations

from typing import NamedTuple


class Timing(NamedTuple):
    """Where the time of a tile went, in seconds.

    Attributes
    ----------
    queue : float
        Everything but the others: waiting here, on the way, and in the worker.
    read, render, encode : float
        As of `visiomatic_dask.engine.tile_job.Rendered`.
    """

    queue: float
    read: float
    render: float
    encode: float
