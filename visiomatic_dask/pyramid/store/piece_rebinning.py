"""Rebinning a piece of a pyramid: from the source at level 1, from the level below it above that.

Both go band by band, so that what is in memory is the piece (at most 96 MB of float32, and as much again where pixels
are missing), the sums to its statistics (40 bytes a column and plane, and 8 KB a plane), and one band: 8 MB, or the
storage chunks that can only be read together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.loading import bands, parts_of_planes, read_planes
from visiomatic_dask.pyramid.storage import Storage, cuts
from visiomatic_dask.pyramid.store.halving import halve_source, halve_stored
from visiomatic_dask.pyramid.store.histogram import numbers
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.shards import PyramidPlan
from visiomatic_dask.pyramid.store.statistics import Bins, RegionStatistics
from visiomatic_dask.pyramid.store.tally import Counting, Tally
from visiomatic_dask.pyramid.tiles import Box

_BAND = 8 * 2**20
"""Bytes of float32 in a band of a stored level, where that is more than a chunk."""
_MANTISSA = 23
_COUNTED_ROWS = 4
_ALL_COUNTED = 2**20

ReadPixels = Callable[[tuple[int, int], Box], NDArray[np.float32]]
ReadMissing = Callable[[tuple[int, int], Box], NDArray[np.uint32] | None]


class Rebinned(NamedTuple):
    """A piece in memory.

    Attributes
    ----------
    pixels : ndarray of float32, (planes, rows, columns)
        Means, in raster orientation, rounded to the bits of the mantissa that are kept.
    missing : ndarray of uint32, the same shape, or None
        Pixels of full resolution behind each that are not finite; None if there are none.
    statistics : tuple of RegionStatistics
        Of every plane at level 0, if it was read, and at that of the piece.
    read : int
        Bytes read of the source.
    """

    pixels: NDArray[np.float32]
    missing: NDArray[np.uint32] | None
    statistics: tuple[RegionStatistics, ...]
    read: int


def counted_rows(plan: PyramidPlan) -> int:
    """Every how many rows of level 0, from the top of the plane, go into histograms.

    1 where a plane has at most 2**20 pixels, else 4: counting all of them would take as long as all the rest. At levels
    from 1 on, every pixel is counted.
    """
    return 1 if plan.width * plan.height <= _ALL_COUNTED else _COUNTED_ROWS


def rebin_source(plan: PyramidPlan, bins: Bins, reader: Reader, piece: Piece, mantissa: int = _MANTISSA) -> Rebinned:
    """Make a piece of level 1 from the source, of which every byte is read once.

    Parameters
    ----------
    plan : PyramidPlan
        Of the reader.
    bins : Bins
        Of the histograms.
    reader : Reader
        The source. What of it lies beyond the range of float32 is not finite.
    piece : Piece
        Of level 1.
    mantissa : int
        Bits of the mantissa to keep.
    """
    storage, source = Storage.of(reader), plan.below_box(piece.shard)
    made = _Making(plan, bins, piece, mantissa)
    seen = Tally.empty(made.planes, source.columns)
    lacking = 0
    for planes in parts_of_planes(storage, piece.planes, 1, source):
        first = planes[0] - piece.first
        carried = np.empty((planes[1] - planes[0], source.columns), np.float32)
        # Blocks that reach across two bands side by side would have to be kept for a whole row of bands.
        for band in bands(storage, planes, source, across=2):
            place = band.within(source)
            last, unpaired = band.bottom == source.bottom, place.bottom % 2
            for index, pixels in read_planes(reader, planes, band):
                few = slice(index, index + len(pixels))
                above = np.ascontiguousarray(carried[few, place.left : place.right])
                here = slice(first + few.start, first + few.stop)
                lacking += halve_source(
                    pixels,
                    above,
                    place.top,
                    place.left,
                    last,
                    made.pixels[here],
                    made.missing[here],
                    seen.of(here),
                    made.tally.of(here),
                    source.top,
                    counted_rows(plan),
                    made.counting,
                    made.dropped,
                )
                if unpaired and not last:
                    carried[few, place.left : place.right] = pixels[:, 0]
    statistics = seen.statistics(0, piece.first, source.rows)
    return made.rebinned(lacking, statistics, made.planes * source.rows * source.columns * storage.itemsize)


def rebin_stored(
    plan: PyramidPlan,
    bins: Bins,
    piece: Piece,
    read_pixels: ReadPixels,
    read_missing: ReadMissing,
    mantissa: int = _MANTISSA,
) -> Rebinned:
    """Make a piece of a level above 1 from the one below it.

    Parameters
    ----------
    plan, bins, piece, mantissa
        As of `rebin_source`.
    read_pixels, read_missing : callable
        Give pixels, and how many of full resolution are missing behind each, for some planes and a rectangle of the
        level below.
    """
    below, level = plan.below_box(piece.shard), piece.shard.level - 1
    made = _Making(plan, bins, piece, mantissa)
    high, wide = plan.height - (below.top << level), plan.width - (below.left << level)
    lacking = 0
    for planes, band in _stored_bands(plan, level, piece.planes, below):
        pixels, lost = read_pixels(planes, band), read_missing(planes, band)
        here, place = slice(planes[0] - piece.first, planes[1] - piece.first), band.within(below)
        lacking += halve_stored(
            np.ascontiguousarray(pixels),
            np.zeros((0, 0, 0), np.uint32) if lost is None else np.ascontiguousarray(lost),
            place.top,
            place.left,
            1 << level,
            high,
            wide,
            made.pixels[here],
            made.missing[here],
            made.tally.of(here),
            made.counting,
            made.dropped,
        )
    return made.rebinned(lacking, [], 0)


class _Making:
    """A piece that is being made."""

    def __init__(self, plan: PyramidPlan, bins: Bins, piece: Piece, mantissa: int) -> None:
        box = plan.box(piece.shard)
        self.piece, self.rows, self.planes = piece, box.rows, piece.last - piece.first
        self.pixels = np.empty((self.planes, box.rows, box.columns), np.float32)
        # Zeros take no memory until something else is written.
        self.missing = np.zeros(self.pixels.shape, np.uint32)
        self.tally = Tally.empty(self.planes, box.columns)
        self.counting = Counting.of(*numbers(bins))
        self.dropped = _MANTISSA - mantissa

    def rebinned(self, lacking: int, below: list[RegionStatistics], read: int) -> Rebinned:
        here = self.tally.statistics(self.piece.shard.level, self.piece.first, self.rows)
        return Rebinned(self.pixels, self.missing if lacking else None, (*below, *here), read)


def _stored_bands(
    plan: PyramidPlan, level: int, planes: tuple[int, int], box: Box
) -> Iterator[tuple[tuple[int, int], Box]]:
    """Cut some planes and a rectangle of a stored level into bands of whole chunks; as many planes as fit into one."""
    rows, columns = plan.grid(level).chunk
    most = _BAND // 4
    together = max(1, most // (box.rows * box.columns))
    high = rows * max(1, most // (rows * box.columns))
    wide = columns * max(1, most // (rows * columns))
    for first in range(*planes, together):
        for top, bottom in cuts(box.top, box.bottom, high, rows, 0):
            for left, right in cuts(box.left, box.right, wide, columns, 0):
                yield (first, min(first + together, planes[1])), Box(top, left, bottom, right)


def warm_up() -> None:
    """Compile the kernels, so that no build waits for it."""
    band, lost, nothing = np.zeros((1, 2, 2), np.float32), np.zeros((1, 2, 2), np.uint32), np.zeros((1, 2), np.float32)
    out, missing, counting = band[:, :1, :1].copy(), lost[:, :1, :1].copy(), Counting.of(*numbers(Bins()))
    seen, made = Tally.empty(1, 2), Tally.empty(1, 1)
    halve_source(band, nothing, 0, 0, True, out, missing, seen, made, 0, 1, counting, 0)
    halve_stored(band, lost, 0, 0, 2, 4, 4, out, missing, made, counting, 0)
    seen.statistics(0, 0, 2)
