"""Bounded samples of spectra: the same pixels in many channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid.loading import read_planes
from visiomatic_dask.pyramid.preview import chunk_lattice
from visiomatic_dask.pyramid.storage import Storage, consecutive
from visiomatic_dask.pyramid.tiles import Box


def sample_spectra(reader: Reader, channels: Sequence[int], sample_limit: int, read_limit: int) -> NDArray[np.float32]:
    """Read the same evenly spread pixels of some channels: whole rows, or whole storage chunks.

    Parameters
    ----------
    reader : Reader
        The source.
    channels : sequence of int
        Ascending, over all axes before y and x, flattened.
    sample_limit : int
        Bytes to read at most in all, but at least a pixel, or a chunk, of each channel.
    read_limit : int
        Bytes that the least of that may take.

    Returns
    -------
    ndarray of float32, (pixels, channels)
        NaN and infinities included; at most as many values as `sample_limit` bytes of the source.

    Raises
    ------
    TooLarge
        If a chunk of each channel is more than `read_limit`.
    """
    storage, count = Storage.of(reader), len(channels)
    if storage.is_chunked:
        touched = len({storage.block(channel)[0] for channel in channels})
        if touched * storage.block_nbytes > max(read_limit, sample_limit):
            raise TooLarge(
                f"a sample of {count} channels would read {touched * storage.block_nbytes:,} bytes at least; "
                f"at most {read_limit:,} are allowed: choose fewer channels, or give cuts"
            )
        whole = Box(0, 0, storage.height, storage.width)
        cells = chunk_lattice(storage, whole, sample_limit // touched) or [whole]
    else:
        cells = _rows(storage, sample_limit // count)
    pixels = sum(cell.rows * cell.columns for cell in cells)
    step = -(-pixels * count * storage.itemsize // max(sample_limit, count * storage.itemsize))
    places = dict(zip(channels, range(count), strict=True))
    parts = []
    blocks = [planes for run in consecutive(channels) for planes in storage.blocks(run)]
    for cell in cells:
        part = np.empty((count, -(-cell.rows * cell.columns // step)), np.float32)
        for planes in blocks:
            for first, values in read_planes(reader, planes, cell):
                there = places[planes[0] + first]
                part[there : there + len(values)] = values.reshape(len(values), -1)[:, ::step]
        parts.append(part)
    return np.concatenate(parts, axis=1).T


def _rows(storage: Storage, limit: int) -> list[Box]:
    """Choose evenly spread rows; of a row that is longer than the limit its middle."""
    columns = min(storage.width, max(1, limit // storage.itemsize))
    count = min(storage.height, max(1, limit // (columns * storage.itemsize)))
    left = (storage.width - columns) // 2
    tops = [(2 * i + 1) * storage.height // (2 * count) for i in range(count)]
    if count == storage.height:
        return [Box(0, left, storage.height, left + columns)]
    return [Box(top, left, top + 1, left + columns) for top in tops]
