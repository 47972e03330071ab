"""A shard of a spectral copy as bytes, as Zarr's sharding codec has them: an index, then compressed chunks.

zarr itself would hold a shard three times while it writes one, and read more of it than a spectrum needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.pyramid.store import blosc

ENTRY = 16
"""Bytes of a chunk's entry in the index: offset and length, little-endian."""
_ABSENT = 2**64 - 1
_CODEC = blosc.codec()


def encode_shard(pixels: NDArray[Any], chunk: tuple[int, ...], grid: tuple[int, int], fill: float) -> Iterator[bytes]:
    """Compress the chunks of a shard.

    Parameters
    ----------
    pixels : ndarray
        What there is of the shard: it may end at the edges of the array.
    chunk : tuple of int
        Shape of a chunk; along the axes before y and x a shard is as deep as a chunk.
    grid : (int, int)
        Chunks of a whole shard along y and x.
    fill : float
        What lies beyond the edges; chunks of nothing else are left out.

    Yields
    ------
    bytes
        Each chunk, in C order of the grid, empty where it is left out. Buffers are used again: a chunk is at its end
        when the next is asked for.
    """
    rows, columns = chunk[-2:]
    little = pixels.dtype.newbyteorder("<")
    for row in range(grid[0]):
        for column in range(grid[1]):
            there = pixels[..., row * rows : (row + 1) * rows, column * columns : (column + 1) * columns]
            if there.size == 0 or _is_fill(there, fill):
                yield b""
                continue
            patch = np.full(chunk, fill, little)
            patch[tuple(slice(size) for size in there.shape)] = there
            yield _CODEC.encode(patch)


def join_shard(chunks: list[bytes]) -> bytes:
    """Put the index before the chunks of a shard."""
    sizes = np.array([len(one) for one in chunks], np.uint64)
    index = np.empty((len(chunks), 2), "<u8")
    index[:, 0] = ENTRY * len(chunks) + np.cumsum(sizes) - sizes
    index[:, 1] = sizes
    index[sizes == 0] = _ABSENT
    return b"".join([index.tobytes(), *chunks])


def read_entries(content: bytes, name: str) -> list[tuple[int, int] | None]:
    """Read a part of an index: offset and length of each chunk, None for one that was left out.

    Raises
    ------
    UnreadableCube
        If it cannot be one; `name` is what the shard is called.
    """
    entries = np.frombuffer(content, "<u8").reshape(-1, 2).tolist()
    if any(offset > 2**62 or size > 2**31 for offset, size in entries if (offset, size) != (_ABSENT, _ABSENT)):
        raise UnreadableCube(f"{name} is damaged: its index leads nowhere")
    return [None if offset == _ABSENT else (offset, size) for offset, size in entries]


def decode_chunk(content: bytes, chunk: tuple[int, ...], dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """Decompress a chunk.

    Raises
    ------
    UnreadableCube
        If it is damaged.
    """
    patch = np.empty(chunk, dtype.newbyteorder("<"))
    if not blosc.holds(content, patch.nbytes):
        raise UnreadableCube(f"{name} is damaged: a chunk is not as long as it should be")
    try:
        _CODEC.decode(content, patch)
    except RuntimeError as error:
        raise UnreadableCube(f"{name} is damaged: a chunk cannot be decoded") from error
    return patch.astype(dtype, copy=False)


def _is_fill(pixels: NDArray[Any], fill: float) -> bool:
    """Whether there is nothing but the fill value: NaN for floats, else 0."""
    return bool(np.isnan(pixels).all()) if fill != fill else not pixels.any()
