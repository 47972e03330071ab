"""What a region reads of its source. Pure arithmetic."""

from __future__ import annotations

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid import Box, Storage, groups_cost
from visiomatic_dask.rendering import Style


def region_costs(reader: Reader, level: int, box: Box, style: Style) -> tuple[int, int]:
    """Bytes that a rectangle reads of its source, and bytes that the coarsest subsample of it reads.

    Parameters
    ----------
    reader, level, box
        As of `PlaneBrick`.
    style : Style
        Says which channels.
    """
    storage, content = Storage.of(reader), style.content
    groups = storage.groups(content.channels, storage.depth)
    whole = groups_cost(storage, groups, level, box)
    # A subsample may repeat a row, or a chunk, as often as pixels are binned; coarser than that it would show nothing.
    return whole, min(whole, max(whole >> 2 * level, len(groups) * storage.block_nbytes))
