"""Which bins the histograms of a pyramid have."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from visiomatic_dask.pyramid.store.statistics import Bins
from visiomatic_dask.rendering import Background


def bins_of(backgrounds: Iterable[Background]) -> Bins:
    """Choose the bins of a pyramid's histograms: finest around the background of its channels."""
    known = [one for one in backgrounds if one.mad > 0]
    if not known:
        return Bins()
    return Bins(median(one.level for one in known), median(one.mad for one in known))
