"""Tasks on samples of spectra: principal components, and cuts and equalising stretches of channels made one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid import sample_spectra
from visiomatic_dask.rendering import (
    CollapseMethod,
    Cut,
    collapse_channel,
    empty_collapse,
    equalisation,
    finish_collapse,
    sample_cut,
)
from visiomatic_dask.rendering.recipes import PrincipalComponents

_MOST_VALUES = 2**22
"""Of a sample: 34 MB each time it is held as float64."""


def principal_components(
    reader: Reader, channels: Sequence[int], sample_limit: int, read_limit: int
) -> PrincipalComponents:
    """Find the principal components of channels from a bounded sample; see `PrincipalComponents.of`."""
    return PrincipalComponents.of(sample_spectra(reader, channels, _bounded(reader, sample_limit), read_limit))


def collapsed_cut(
    reader: Reader, first: int, last: int, method: CollapseMethod, sample_limit: int, read_limit: int
) -> Cut:
    """Find default cuts of a range of channels made one, from a bounded sample."""
    sample = sample_spectra(reader, range(first, last), _bounded(reader, sample_limit), read_limit)
    return sample_cut(_collapsed(sample, method), "mad")


def collapsed_equalisation(
    reader: Reader, first: int, last: int, method: CollapseMethod, cut: Cut, sample_limit: int, read_limit: int
) -> tuple[float, ...]:
    """Find the knots of the equalising stretch of a range of channels made one, from the sample of `collapsed_cut`."""
    sample = sample_spectra(reader, range(first, last), _bounded(reader, sample_limit), read_limit)
    return equalisation(_collapsed(sample, method), cut)


def _bounded(reader: Reader, sample_limit: int) -> int:
    """Bytes of the source that are no more than so many values."""
    return min(sample_limit, _MOST_VALUES * reader.source_itemsize)


def _collapsed(sample: NDArray[np.float32], method: CollapseMethod) -> NDArray[np.float32]:
    """Make one value of each spectrum, over its finite ones; NaN where there are none."""
    partial = empty_collapse(sample.shape[:1], method)
    for channel in sample.T:
        collapse_channel(channel, method, partial)
    return finish_collapse([partial], method)
