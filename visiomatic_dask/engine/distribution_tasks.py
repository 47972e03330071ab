"""What runs on workers as Dask tasks to find out how values are distributed: all of it from bounded samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid import sample_layer, sample_plane
from visiomatic_dask.rendering import Cut, Histogram, equalisation, sample_cut

LARGEST_SAMPLE = 2**18
"""Pixels of a channel's sample: beyond this the median no longer moves by what anyone can see, but the time to sort
them does."""
_LARGEST_POOL = 2**20
"""Pixels of the sample of a whole cube."""
_BINS = 4096
"""Bins of the histogram of a sample."""


@dataclass(frozen=True, slots=True)
class SampleLimits:
    """What a sample may take.

    Attributes
    ----------
    channels : int
        Channels that there are.
    nbytes : int
        Bytes to read at most.
    most_channels : int
        Channels to sample at most.
    """

    channels: int
    nbytes: int
    most_channels: int


def sampled_cut(reader: Reader, limits: SampleLimits, channel: int | None, method: str) -> Cut:
    """Find cuts of one channel, or with None of all, from a sample."""
    return sample_cut(_sample(reader, limits, channel), method)


def sampled_histogram(reader: Reader, limits: SampleLimits, channel: int | None) -> Histogram:
    """Count such a sample in bins of equal counts."""
    return Histogram.of_values(_sample(reader, limits, channel), _BINS)


def sampled_equalisation(reader: Reader, limits: SampleLimits, channel: int, cut: Cut) -> tuple[float, ...]:
    """Find the knots of the equalising stretch of a channel."""
    return equalisation(_sample(reader, limits, channel), cut)


def _sample(reader: Reader, limits: SampleLimits, channel: int | None) -> NDArray[np.float32]:
    if channel is not None:
        return sample_plane(reader, channel, _plane_limit(reader, limits.nbytes))
    most = max(1, _LARGEST_POOL // min(limits.channels, limits.most_channels))
    samples = sample_layer(reader, limits.channels, limits.nbytes, limits.most_channels, most)
    return np.concatenate([sample.ravel() for _, sample in samples])


def _plane_limit(reader: Reader, nbytes: int) -> int:
    return min(nbytes, 8 * LARGEST_SAMPLE * reader.source_itemsize)
