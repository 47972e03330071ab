"""Statistics of whole planes in the store: two Zarr arrays, a chunk of each for every 256 planes at all levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from visiomatic_dask.errors import StoreError
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.histogram import BINS
from visiomatic_dask.pyramid.store.pyramid import Pyramid
from visiomatic_dask.pyramid.store.statistics import RegionStatistics
from visiomatic_dask.pyramid.store.tree import write_file

FIELDS = ("minimum", "maximum", "mean", "rms", "squares", "finite", "pixels")
"""Along the last axis of ``statistics/fields``; float64 counts up to 2^53. NaN throughout where nothing is known."""
_PLANES = 256
_CODEC = Zstd(level=1)


def statistics_shapes(pyramid: Pyramid) -> tuple[tuple[int, int], tuple[int, int]]:
    """Levels, from 0, and planes: of all statistics, and of a chunk."""
    levels, count = len(pyramid.plan.levels) + 1, pyramid.plan.count
    return (levels, count), (levels, min(_PLANES, count))


def write_statistics(pyramid: Pyramid, statistics: Sequence[RegionStatistics]) -> None:
    """Write the statistics of whole planes; those of others stay. One process at a time may do so.

    Parameters
    ----------
    pyramid : Pyramid
        What they are of.
    statistics : sequence of RegionStatistics
        Level 0 included.

    Raises
    ------
    PyramidGone
        If it is no longer there.
    StoreError
        If what is there is damaged, or nothing can be written.
    """
    blocks: dict[int, list[RegionStatistics]] = {}
    for one in statistics:
        blocks.setdefault(one.plane // _PLANES, []).append(one)
    for block, members in blocks.items():
        fields, histogram = _read(pyramid, block, "fields"), _read(pyramid, block, "histogram")
        for one in members:
            place = one.level, one.plane % _PLANES
            fields[place] = [getattr(one, name) for name in FIELDS]
            histogram[place] = one.histogram
        for name, values in (("histogram", histogram), ("fields", fields)):  # what fields speak of is there
            write_file(pyramid.address, _path(block, name), bytes(_CODEC.encode(values)))


def read_statistics(
    pyramid: Pyramid, level: int, planes: tuple[int, int] | None = None
) -> list[RegionStatistics | None]:
    """Read the statistics of whole planes at a level.

    Parameters
    ----------
    pyramid : Pyramid
        What they are of.
    level : int
        From 0.
    planes : (int, int), optional
        First plane and one past the last; all by default.

    Returns
    -------
    list of RegionStatistics or None
        None for planes that nothing is known of yet.

    Raises
    ------
    StoreError
        If they cannot be read, or are damaged.
    """
    first, last = planes or (0, pyramid.plan.count)
    found: list[RegionStatistics | None] = []
    for block in range(first // _PLANES, -(-last // _PLANES)):
        fields, histogram = _read(pyramid, block, "fields")[level], _read(pyramid, block, "histogram")[level]
        for plane in range(max(first, block * _PLANES), min(last, (block + 1) * _PLANES)):
            values = dict(zip(FIELDS, fields[plane % _PLANES].tolist(), strict=True))
            counts = tuple(histogram[plane % _PLANES].tolist())
            found.append(_statistics(level, plane, values, counts) if values["pixels"] > 0 else None)
    return found


@dataclass(frozen=True, slots=True)
class Total:
    """What is known of several planes together.

    Attributes
    ----------
    minimum, maximum : float
        Of the finite pixels; NaN where there are none.
    histogram : ndarray of int64, (BINS,)
        How many lie in each bin.
    """

    minimum: float
    maximum: float
    histogram: NDArray[np.int64]


def read_total(pyramid: Pyramid, level: int, planes: tuple[int, int] | None = None) -> Total | None:
    """Read the statistics of whole planes together; parameters and errors as of `read_statistics`.

    Returns
    -------
    Total or None
        None unless all of the planes are known.
    """
    first, last = planes or (0, pyramid.plan.count)
    ranges, counts = [], np.zeros(BINS, np.int64)
    for block in range(first // _PLANES, -(-last // _PLANES)):
        part = slice(max(first - block * _PLANES, 0), min(last - block * _PLANES, _PLANES))
        fields = _read(pyramid, block, "fields")[level, part]
        if not (fields[:, FIELDS.index("pixels")] > 0).all():
            return None
        counts += _read(pyramid, block, "histogram")[level, part].sum(axis=0).astype(np.int64)
        ranges.append(fields[:, [FIELDS.index("minimum"), FIELDS.index("maximum")]])
    low, high = np.concatenate(ranges).T
    known = np.isfinite(low)
    if not known.any():
        return Total(math.nan, math.nan, counts)
    return Total(float(low[known].min()), float(high[known].max()), counts)


def _statistics(level: int, plane: int, values: dict[str, float], counts: tuple[int, ...]) -> RegionStatistics:
    return RegionStatistics(
        level=level,
        plane=plane,
        pixels=int(values["pixels"]),
        finite=int(values["finite"]),
        minimum=values["minimum"],
        maximum=values["maximum"],
        mean=values["mean"],
        squares=values["squares"],
        histogram=counts,
    )


def _read(pyramid: Pyramid, block: int, name: str) -> NDArray[np.float64 | np.int64]:
    """Read a chunk, or make an empty one."""
    last, dtype = (len(FIELDS), "<f8") if name == "fields" else (BINS, "<i8")
    values = np.full((*statistics_shapes(pyramid)[1], last), np.nan if name == "fields" else 0, dtype)
    data = StoreFolder.of(pyramid.address).read(_path(block, name))
    if data is not None:
        try:
            _CODEC.decode(data, values)
        except (RuntimeError, ValueError) as error:
            raise StoreError(f"{pyramid.address.rpartition('/')[2]}: its statistics are damaged: {error}") from error
    return values


def _path(block: int, name: str) -> str:
    return f"statistics/{name}/c/0/{block}/0"
