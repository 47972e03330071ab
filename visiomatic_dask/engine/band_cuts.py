"""Bands: how a large rectangle is cut for one task after the other. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid import Box, Storage, cuts

BAND_BYTES = 8 * 2**20
"""Of the output."""
_MOST_BYTES = 4 * BAND_BYTES
"""The same, for the sake of whole storage chunks."""


def cut_bands(
    storage: Storage, level: int, box: Box, pixel: int, cost: Callable[[Box], int], read_limit: int
) -> list[Box]:
    """Cut a rectangle into bands of whole rows, along the chunks it is stored in where these are not too high.

    Parameters
    ----------
    storage : Storage
        What it is read from.
    level : int
        How many times that is binned.
    box : Box
        The rectangle, at that level.
    pixel : int
        Bytes a pixel of the output takes.
    cost : callable
        Says what a band reads of the source, in bytes.
    read_limit : int
        Bytes that a band may read.

    Raises
    ------
    TooLarge
        If a single row takes or reads too much.
    """
    row = box.columns * pixel
    if row > BAND_BYTES:
        raise TooLarge(f"a row has {box.columns:,} pixels; allowed: {BAND_BYTES // pixel:,}", "box")
    rows = max(1, BAND_BYTES // row)
    chunk = -(-storage.rows >> level)
    if chunk > rows and chunk * row <= _MOST_BYTES:
        rows = chunk
    while True:
        found = list(bands(storage, level, box, rows, rows))
        costs = map(cost, found)
        # Up to the first that is too dear: of thousands of bands and channels, adding up takes long.
        dearest = next((one for one in costs if one > read_limit), None)
        if dearest is None:
            return found
        if rows == 1:
            raise TooLarge(
                f"a row would read {dearest / 1e6:,.1f} MB; {read_limit / 1e6:,.1f} MB are allowed: "
                "choose a narrower box, a lower level, or fewer channels",
                "box",
            )
        rows = min(rows // 2, max(1, rows * read_limit // dearest))


def bands(storage: Storage, level: int, box: Box, rows: int, most: int) -> Iterator[Box]:
    """Cut a rectangle into bands, along the chunks it is stored in where they are not too high.

    Parameters
    ----------
    storage, level, box
        As of `cut_bands`.
    rows : int
        Rows of a band at most,
    most : int
        and as many as it may have for the sake of whole chunks.
    """
    chunk = storage.rows if storage.rows <= most << level else 1
    top = box.top
    for _, stop in cuts(box.top << level, box.bottom << level, max(rows << level, chunk), chunk, storage.top):
        if stop >> level > top:
            yield Box(top, box.left, stop >> level, box.right)
            top = stop >> level


def check_read(cost: int, most: int) -> None:
    """Raise `TooLarge` if a file would read more of its source than is allowed."""
    if cost > most:
        raise TooLarge(
            f"this would read {cost / 1e9:,.2f} GB; {most / 1e9:,.2f} GB are allowed: choose a smaller box, or fewer "
            "channels",
            "box",
        )
