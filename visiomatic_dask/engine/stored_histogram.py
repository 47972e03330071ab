"""What the store knows of the values of a layer, all of which were counted when its pyramid was built."""

from __future__ import annotations

from visiomatic_dask.cube import Layer
from visiomatic_dask.errors import PyramidGone
from visiomatic_dask.pyramid.store.histogram import bin_edges
from visiomatic_dask.pyramid.store.layout import checked, open_pyramid
from visiomatic_dask.pyramid.store.plane_statistics import read_total
from visiomatic_dask.rendering import Histogram


def stored_histogram(address: str, layer: Layer, channel: int | None) -> Histogram | None:
    """Read the histogram of full resolution of a channel, or with None of all together. Blocks.

    Minimum and maximum are of all values. Where planes have more than 2^20 pixels, those of every fourth row are
    counted; see `visiomatic_dask.pyramid.store.piece_rebinning.counted_rows`.

    Parameters
    ----------
    address : str
        Of the pyramid, whether it is there or not.
    layer : Layer
        What it is of.
    channel : int or None
        From 0.

    Returns
    -------
    Histogram or None
        None where not all of it is known.

    Raises
    ------
    StoreError
        If it cannot be read, or is damaged.
    """
    try:
        pyramid = checked(open_pyramid(address), layer)
        total = read_total(pyramid, 0, None if channel is None else (channel, channel + 1))
    except PyramidGone:
        return None
    if total is None:
        return None
    return Histogram.of_bins(bin_edges(pyramid.bins), total.histogram, total.minimum, total.maximum)
