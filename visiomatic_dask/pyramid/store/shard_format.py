"""What a shard file looks like: an index, which planes it holds, and the chunks, each encoded by itself.

It is what Zarr's sharding codec lays down (``sharding_indexed``, version 1.0 of its specification, the index at the
start), so that anything that reads Zarr reads it. Between the index and the chunks, where Zarr does not look, it says
which planes were written: a chunk that is not there may be all NaN, or not have been made yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from google_crc32c import value as crc32c
from numcodecs.blosc import Blosc
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from visiomatic_dask.pyramid.store import blosc
from visiomatic_dask.pyramid.tiles import Box

_NOTHING = np.uint64(2**64 - 1)
_CHECKSUM = 4


@dataclass(frozen=True)
class Content:
    """What an array of the store holds, and how its chunks are encoded.

    Attributes
    ----------
    name : str
        Of the array.
    dtype : str
        Of its pixels, in NumPy's spelling.
    fill : float
        What pixels are of chunks that are not there.
    codec : Blosc or Zstd
        Of chunks.
    """

    name: str
    dtype: str
    fill: float
    codec: Any

    def is_empty(self, chunk: NDArray[Any]) -> bool:
        """Whether all pixels are what they are without the chunk."""
        if self.fill == self.fill:
            return not (chunk != self.fill).any()
        return bool(np.isnan(chunk[0, 0]) and np.isnan(chunk).all())


PIXELS = Content("data", "<f4", np.nan, blosc.codec())
MISSING = Content("missing", "<u4", 0, Zstd(level=1))


@dataclass(frozen=True, slots=True)
class Chunks:
    """How many chunks a shard has along its axes, and how many pixels one has.

    Attributes
    ----------
    planes, down, across : int
        Chunks; one has one plane.
    rows, columns : int
        Pixels of a chunk.
    """

    planes: int
    down: int
    across: int
    rows: int
    columns: int

    @property
    def count(self) -> int:
        """Chunks of the shard."""
        return self.planes * self.down * self.across

    @property
    def head_size(self) -> int:
        """Bytes before the first chunk."""
        return 16 * self.count + _CHECKSUM + -(-self.planes // 8) + _CHECKSUM

    def touched(self, box: Box) -> Iterator[tuple[int, int, Box]]:
        """Row and column of the chunks that a rectangle of the shard touches, and the parts of it that they have."""
        for row in range(box.top // self.rows, -(-box.bottom // self.rows)):
            top, bottom = max(box.top, row * self.rows), min(box.bottom, (row + 1) * self.rows)
            for column in range(box.left // self.columns, -(-box.right // self.columns)):
                left, right = max(box.left, column * self.columns), min(box.right, (column + 1) * self.columns)
                yield row, column, Box(top, left, bottom, right)


@dataclass
class Head:
    """The first bytes of a shard file.

    Attributes
    ----------
    index : ndarray of uint64, (planes, down, across, 2)
        First byte and number of bytes of every chunk; all ones where there is none.
    planes : ndarray of bool, (planes,)
        Which planes were written.
    """

    index: NDArray[np.uint64]
    planes: NDArray[np.bool_]

    @classmethod
    def empty(cls, chunks: Chunks) -> Head:
        """Head of a shard that holds nothing."""
        index = np.full((chunks.planes, chunks.down, chunks.across, 2), _NOTHING, np.uint64)
        return cls(index, np.zeros(chunks.planes, np.bool_))

    @classmethod
    def parse(cls, content: bytes, chunks: Chunks) -> Head:
        """Read the first bytes of a shard file; `ValueError` if they are damaged."""
        if len(content) != chunks.head_size:
            raise ValueError("it ends before its index does")
        size = 16 * chunks.count
        index, mask = content[: size + _CHECKSUM], content[size + _CHECKSUM :]
        for part in (index, mask):
            if crc32c(part[:-_CHECKSUM]) != int.from_bytes(part[-_CHECKSUM:], "little"):
                raise ValueError("the checksum of its index is wrong")
        places = (
            np.frombuffer(index, "<u8", 2 * chunks.count)
            .astype(np.uint64)
            .reshape(chunks.planes, chunks.down, chunks.across, 2)
        )
        bits = np.unpackbits(np.frombuffer(mask, np.uint8, len(mask) - _CHECKSUM), count=chunks.planes)
        return cls(places, bits.astype(np.bool_))

    def to_bytes(self) -> bytes:
        """First bytes of a file with this head."""
        parts = self.index.astype("<u8").tobytes(), np.packbits(self.planes).tobytes()
        return b"".join(part + crc32c(part).to_bytes(_CHECKSUM, "little") for part in parts)

    def place(self, plane: int, row: int, column: int) -> tuple[int, int] | None:
        """First byte and number of bytes of a chunk; None where there is none."""
        first, size = self.index[plane, row, column].tolist()
        return None if first == int(_NOTHING) else (first, size)


def encoded(chunks: Chunks, content: Content, values: NDArray[Any]) -> Iterator[tuple[tuple[int, int, int], Any]]:
    """Encode the chunks of planes, those that are not empty.

    Parameters
    ----------
    chunks : Chunks
        Of the shard.
    content : Content
        What it holds.
    values : ndarray, (planes, rows, columns)
        From the corner of the shard; smaller than it at edges.

    Yields
    ------
    position : (int, int, int)
        Plane of `values`, row and column of the chunk.
    encoded : bytes-like
        Its bytes; of that much memory more than one is never needed.
    """
    scratch = np.empty((chunks.rows, chunks.columns), content.dtype)
    whole = Box(0, 0, *values.shape[1:])
    for plane, pixels in enumerate(values):
        for row, column, part in chunks.touched(whole):
            chunk = pixels[part.top : part.bottom, part.left : part.right]
            if content.is_empty(chunk):
                continue
            if chunk.shape != scratch.shape:
                scratch.fill(content.fill)
            scratch[: part.rows, : part.columns] = chunk
            yield (plane, row, column), content.codec.encode(scratch)


class Wanted(NamedTuple):
    """A part of a chunk, and where it belongs.

    Attributes
    ----------
    first, size : int
        Bytes in the file.
    within, target : (slice, slice)
        Which pixels of the chunk, and where in the picture of the plane.
    plane : int
        Of the picture.
    """

    first: int
    size: int
    within: tuple[slice, slice]
    target: tuple[slice, slice]
    plane: int


def wanted(
    head: Head, chunks: Chunks, planes: tuple[int, int], box: Box, content: Content, out: NDArray[Any]
) -> list[Wanted]:
    """List what is to be read of a shard, and fill `out` where there is nothing to read.

    Parameters
    ----------
    head : Head
        Of the shard.
    chunks : Chunks
        Of the shard.
    planes : (int, int)
        First plane of the shard, and one past the last.
    box : Box
        Rectangle of the shard.
    content : Content
        What it holds.
    out : ndarray, (planes, box.rows, box.columns)
        The picture.
    """
    found = []
    for plane in range(*planes):
        for row, column, part in chunks.touched(box):
            there = part.within(box)
            target = slice(there.top, there.bottom), slice(there.left, there.right)
            place = head.place(plane, row, column)
            if place is None:
                out[plane - planes[0]][target] = content.fill
                continue
            corner = Box(row * chunks.rows, column * chunks.columns, part.bottom, part.right)
            inside = part.within(corner)
            within = slice(inside.top, inside.bottom), slice(inside.left, inside.right)
            found.append(Wanted(*place, within, target, plane - planes[0]))
    return found


def decode(one: Wanted, data: Any, content: Content, out: NDArray[Any], scratch: NDArray[Any]) -> None:
    """Decode a chunk into where it belongs, straight if it fits there; `ValueError` or `RuntimeError` if damaged."""
    target = out[one.plane][one.target]
    if isinstance(content.codec, Blosc):
        if not blosc.holds(data, scratch.nbytes):
            raise ValueError("a chunk has not as many pixels as it should")
        straight = target.shape == scratch.shape and target.flags.c_contiguous
        content.codec.decode(data, target if straight else scratch)
        if not straight:
            target[:] = scratch[one.within]
        return
    pixels = np.frombuffer(content.codec.decode(data), content.dtype)
    if pixels.size != scratch.size:
        raise ValueError("a chunk has not as many pixels as it should")
    target[:] = pixels.reshape(scratch.shape)[one.within]
