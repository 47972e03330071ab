"""Bounded samples of a layer, for statistics: whole rows, or whole storage chunks, evenly spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, plane_window
from visiomatic_dask.pyramid.loading import as_float32, read_planes
from visiomatic_dask.pyramid.preview import chunk_lattice
from visiomatic_dask.pyramid.storage import Storage
from visiomatic_dask.pyramid.tiles import Box

_CHUNKS_A_BLOCK = 4
"""Chunks to sample of planes that share them, rather than those of more channels."""


def sampled_channels(count: int, most: int) -> list[int]:
    """Choose at most `most` of `count` channels, the first and last among them, evenly spread."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def sample_layer(
    reader: Reader, channels: int, read_limit: int, most_channels: int, most_pixels: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Sample some channels of a layer.

    Channels that share storage chunks are sampled from the same ones.

    Parameters
    ----------
    reader : Reader
        The source.
    channels : int
        How many there are.
    read_limit : int
        Bytes to read at most in all, whole chunks counted; but at least one chunk.
    most_channels : int
        Channels to sample at most; the first and the last are among them.
    most_pixels : int
        Pixels of a channel that are enough.

    Yields
    ------
    channel : int
    sample : ndarray of float32
        Any shape.
    """
    storage = Storage.of(reader)
    if not storage.is_chunked:
        chosen = sampled_channels(channels, most_channels)
        limit = min(read_limit // len(chosen), most_pixels * storage.itemsize)
        yield from ((channel, sample_plane(reader, channel, limit)) for channel in chosen)
        return
    firsts = sorted({storage.block(channel)[0] for channel in range(channels)})
    affordable = max(1, read_limit // (_CHUNKS_A_BLOCK * storage.block_nbytes))
    blocks = [firsts[i] for i in sampled_channels(len(firsts), min(most_channels, affordable))]
    for first, count in zip(blocks, _shares(most_channels, len(blocks)), strict=True):
        last = min(storage.block(first)[1], channels)
        chosen = [first + i for i in sampled_channels(last - first, count)]
        if count == 1 and first in (firsts[0], firsts[-1]):
            chosen = [first if first == firsts[0] else last - 1]
        samples = _sample_chunks(reader, storage, chosen, read_limit // len(blocks), most_pixels)
        yield from zip(chosen, samples, strict=True)


def sample_plane(reader: Reader, plane: int, read_limit: int) -> NDArray[np.float32]:
    """Read evenly spread rows of a plane, or of a chunked source evenly spread chunks.

    Parameters
    ----------
    reader : Reader
        The source.
    plane : int
        Index over all axes before y and x, flattened.
    read_limit : int
        Bytes to read at most. A single row that is larger is read in part, from its middle; a chunk is read whole.

    Returns
    -------
    ndarray of float32
        NaN and infinities included: (rows, columns) in the order of the file, or of chunks just (pixels,).
    """
    storage = Storage.of(reader)
    if storage.is_chunked:
        return _sample_chunks(reader, storage, [plane], read_limit, storage.width * storage.height)[0]
    height, width = reader.shape[-2:]
    row_size = width * reader.source_itemsize
    columns = width if row_size <= read_limit else max(1, read_limit // reader.source_itemsize)
    rows = min(height, max(1, read_limit // (columns * reader.source_itemsize)))
    step = height // rows
    left = (width - columns) // 2
    first = (height - 1 - (rows - 1) * step) // 2
    y = range(first, first + (rows - 1) * step + 1, step)
    window = plane_window(reader.shape, plane, y, range(left, left + columns))
    return as_float32(reader.read(window))[0]


def _sample_chunks(
    reader: Reader, storage: Storage, planes: Sequence[int], read_limit: int, most_pixels: int
) -> list[NDArray[np.float32]]:
    """Sample planes of one block from the same evenly spread chunks."""
    enough = math.ceil(most_pixels / (storage.rows * storage.columns)) * storage.block_nbytes
    whole = Box(0, 0, storage.height, storage.width)
    cells = chunk_lattice(storage, whole, min(read_limit, enough)) or [whole]
    span = planes[0], planes[-1] + 1
    if planes[0] // storage.fastest != planes[-1] // storage.fastest:
        span = storage.block(planes[0])  # in one window
    taken: list[list[NDArray[np.float32]]] = [[] for _ in planes]
    for cell in cells:
        for first, pixels in read_planes(reader, span, cell):
            for index, plane in enumerate(planes):
                if 0 <= plane - span[0] - first < len(pixels):
                    taken[index].append(pixels[plane - span[0] - first].ravel())
    return [np.concatenate(parts) for parts in taken]


def _shares(whole: int, count: int) -> list[int]:
    """Share out a whole number, as evenly as can be, the first and the last getting the most."""
    least, more = divmod(whole, count)
    return [least + (i < more) for i in range(count)]
