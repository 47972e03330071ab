"""What runs on workers as Dask tasks, bricks apart.

Statistics, measurements, regions, and tiles by the scheduler route.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from distributed import get_worker
from numpy.typing import NDArray

from visiomatic_dask.analysis import line_profile, pixel_values
from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.band_cuts import bands
from visiomatic_dask.engine.content_bricks import brick_of
from visiomatic_dask.engine.distribution_tasks import LARGEST_SAMPLE
from visiomatic_dask.engine.tile_job import BrickAbsent, Rendered, TileJob, render_job
from visiomatic_dask.engine.worker_memory import in_memory
from visiomatic_dask.pyramid import Box, Storage, sample_layer
from visiomatic_dask.rendering import (
    Background,
    LookTables,
    Mix,
    Style,
    TableCache,
    background,
    encode,
    render_mix,
    render_plane,
)

_REGION_BAND = 256
_REGION_CHUNK = 1024
"""Rows of a band of a region, and as many as it may have for the sake of whole chunks."""


def sample_statistics(reader: Reader, channels: int, read_limit: int, most_channels: int) -> dict[int, Background]:
    """Sample some channels of a layer, reading at most `read_limit` bytes in all."""
    samples = sample_layer(reader, channels, read_limit, most_channels, LARGEST_SAMPLE)
    return {channel: background(sample) for channel, sample in samples}


def read_values(reader: Reader, channels: Sequence[int] | None, x: int, y: int) -> NDArray[np.float64]:
    """Read one pixel of some channels; see `visiomatic_dask.analysis.pixel_values`."""
    return pixel_values(reader, channels, x, y)


def read_profile(
    reader: Reader, channels: Sequence[int] | None, start: tuple[int, int], stop: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Read the pixels along a line; see `visiomatic_dask.analysis.line_profile`."""
    return line_profile(reader, channels, start, stop)


def render_region(reader: Reader, level: int, box: Box, style: Style, preview_read: int | None) -> bytes:
    """Render a rectangle of any size band by band, so that no more than its bytes and one band are held.

    Parameters
    ----------
    reader : Reader
        What the pixels are read from.
    level : int
        How many times its planes are binned.
    box : Box
        Rectangle of what that gives.
    style : Style
        How it is rendered.
    preview_read : int or None
        For a subsample: bytes to read at most.
    """
    tables = LookTables.of(style.look)
    rendered = []
    for band in bands(Storage.of(reader), level, box, _REGION_BAND, _REGION_CHUNK):
        share = None if preview_read is None else max(1, preview_read * band.rows // box.rows)
        rendered.append(render_band(reader, level, band, style, tables, share))
    return encode(np.concatenate(rendered), style.look)


def render_band(
    reader: Reader, level: int, band: Box, style: Style, tables: LookTables, preview_read: int | None = None
) -> NDArray[np.uint8]:
    """Render a rectangle in one go; parameters as of `render_region`, with the tables of the style's look.

    Returns
    -------
    ndarray of uint8, (rows, columns, colours)
    """
    content, shape = style.content, (band.rows, band.columns)
    scale, offset = style.scale_offset
    brick = brick_of(content, reader, level, band, preview_read).load()
    if isinstance(content, Mix):
        return render_mix(brick, 0, 0, shape, scale, offset, tables)
    return render_plane(brick, 0, 0, 0, shape, style.low, scale[0], offset[0], tables)


def render_tile(job: tuple[Any, ...]) -> tuple[str, Rendered | None]:
    """Render a tile as a Dask task: the last resort, where the stream does not reach.

    Returns
    -------
    (status, rendered)
        ``ok``, ``moved`` or, with None, ``absent``, as over the stream.
    """
    tile = TileJob(*job)
    brick = in_memory(get_worker()).get(tile.key)
    try:
        return ("moved" if brick is None else "ok"), render_job(tile, brick, TableCache())
    except BrickAbsent:
        return "absent", None
