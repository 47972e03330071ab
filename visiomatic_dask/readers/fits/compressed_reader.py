"""Pixels of a tile-compressed FITS image: only the tiles that a window touches are read and unpacked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import ByteSource, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.chunk_parts import chunk_parts
from visiomatic_dask.readers.fits.tile_coding import COMPRESSED, GZIPPED, PLAIN, TileCoding, TileRow
from visiomatic_dask.readers.scaling import Scaling
from visiomatic_dask.readers.shared_cache import CHUNKS

_BATCH = 8 * 2**20
"""Bytes of unpacked tiles that are asked for at a time, so that a large window is not held twice in memory."""
_ROWS = 1024
"""Rows of the table that are read together: 8 to 40 kB."""


@dataclass(frozen=True, slots=True)
class TileTable:
    """The binary table that the tiles lie in: one row for each, and a heap behind them.

    Attributes
    ----------
    offset : int
        Byte at which its rows start.
    rows : int
        How many there are.
    row_size : int
        Bytes of each.
    heap : int
        Byte at which the heap starts.
    heap_size : int
        Bytes of the heap.
    columns : tuple of (str, str, int, int)
        Those that tiles need: name, dtype (of a descriptor: of its two numbers), byte within the row, and the bytes of
        an element that a descriptor counts (0 where it is none).
    """

    offset: int
    rows: int
    row_size: int
    heap: int
    heap_size: int
    columns: tuple[tuple[str, str, int, int], ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a row."""
        return np.dtype(
            {
                "names": [name for name, *_ in self.columns],
                "formats": [(code, (2,)) if size else code for _, code, _, size in self.columns],
                "offsets": [offset for *_, offset, _ in self.columns],
                "itemsize": self.row_size,
            }
        )


@dataclass(frozen=True)
class CompressedReader:
    """A tile-compressed image.

    Attributes
    ----------
    source : ByteSource
        The version of the file that was opened.
    table : TileTable
        Where the tiles are.
    shape : tuple of int
        Of the image, slowest axis first (ZNAXISn … ZNAXIS1).
    tile : tuple of int
        Shape of the tiles, in the same order (ZTILEn … ZTILE1).
    coding : TileCoding
        How the tiles are coded.
    scaling : Scaling
        How the values that were compressed become physical ones.
    """

    source: ByteSource
    table: TileTable
    shape: tuple[int, ...]
    tile: tuple[int, ...]
    coding: TileCoding
    scaling: Scaling

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of what `read` returns."""
        return self.scaling.dtype

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the file."""
        return self.source.fingerprint

    @cached_property
    def token(self) -> str:
        """Canonical text of file version, place, coding and scaling."""
        place = f"{self.table.offset}:{self.table.heap}:{self.shape}:{self.tile}"
        return f"compressed:{self.fingerprint}:{place}:{self.table.columns}:{self.coding}:{self.scaling.text}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes when it is unpacked."""
        return self.scaling.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the tiles."""
        return self.tile

    @cached_property
    def _tiles(self) -> tuple[int, ...]:
        """Number of tiles along each axis."""
        return tuple(math.ceil(size / tile) for size, tile in zip(self.shape, self.tile, strict=True))

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        stored = np.empty(window.shape, self.coding.dtype)
        has_read = False
        most = max(1, _BATCH // (math.prod(self.tile) * stored.itemsize))
        parts = chunk_parts(self.tile, window)
        while batch := list(itertools.islice(parts, most)):
            tiles, some_read = self._some_tiles([self._number(part.index) for part in batch])
            has_read |= some_read
            for part, tile in zip(batch, tiles, strict=True):
                stored[part.target] = tile[part.within]
        if not has_read:  # who reads makes sure of the version of the file
            self.source.check()
        return self.scaling.physical(stored)

    def _some_tiles(self, numbers: Sequence[int]) -> tuple[list[NDArray[Any]], bool]:
        """Tiles, unpacked, and whether any had to be read."""
        has_read = False

        def load(missing: Sequence[int]) -> list[NDArray[Any]]:
            nonlocal has_read
            has_read = True
            return self._load([numbers[i] for i in missing])

        return CHUNKS.get_all([(self.token, number) for number in numbers], load), has_read

    def _number(self, index: Sequence[int]) -> int:
        """Row of a tile."""
        number = 0
        for one, count in zip(index, self._tiles, strict=True):
            number = number * count + one
        return number

    def _load(self, numbers: Sequence[int]) -> list[NDArray[Any]]:
        """Read and unpack tiles, all their bytes by one call."""
        rows = [self._row(number, row) for number, row in zip(numbers, self._table_rows(numbers), strict=True)]
        packed = self._packed([(offset, size) for _, offset, size in rows])
        return [self._decode(row, data) for (row, _, _), data in zip(rows, packed, strict=True)]

    def _table_rows(self, numbers: Sequence[int]) -> list[np.void]:
        """Rows of the table, which are kept in blocks as tiles are."""
        wanted = sorted({number // _ROWS for number in numbers})
        keys = [(self.token, "rows", block) for block in wanted]
        found = CHUNKS.get_all(keys, lambda missing: self._read_rows([wanted[i] for i in missing]))
        blocks = dict(zip(wanted, found, strict=True))
        return [blocks[number // _ROWS][number % _ROWS] for number in numbers]

    def _read_rows(self, numbers: Sequence[int]) -> list[NDArray[Any]]:
        firsts = [block * _ROWS for block in numbers]
        counts = [min(_ROWS, self.table.rows - first) for first in firsts]
        rows = np.empty(sum(counts), self.table.dtype)
        size = self.table.row_size
        offsets = [self.table.offset + first * size for first in firsts]
        self.source.read_ranges(offsets, [count * size for count in counts], rows.view(np.uint8).data)
        ends = itertools.accumulate(counts)
        blocks = [rows[end - count : end].copy() for count, end in zip(counts, ends, strict=True)]
        for block in blocks:
            block.flags.writeable = False
        return blocks

    def _row(self, number: int, row: np.void) -> tuple[TileRow, int, int]:
        """Return what the table says of a tile, its first byte in the file and the number of its bytes."""
        elements = {name: size for name, _, _, size in self.table.columns}
        column = next((name for name in (COMPRESSED, GZIPPED, PLAIN) if name in elements and row[name][0] > 0), None)
        if column is None:
            raise self._damaged(number, "it has no data")
        count, offset = (int(one) for one in row[column])
        size = count * elements[column]
        if offset + size > self.table.heap_size:
            raise self._damaged(number, f"it would lie beyond the heap of {self.table.heap_size:,} bytes")
        scale, zero = (float(row[name]) if name in elements else None for name in ("ZSCALE", "ZZERO"))
        null = int(row["ZBLANK"]) if "ZBLANK" in elements else None
        return TileRow(number, column, scale, zero, null), self.table.heap + offset, size

    def _packed(self, places: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read the bytes of tiles by one call; those that follow one another are one range."""
        order = sorted(range(len(places)), key=places.__getitem__)
        offsets: list[int] = []
        sizes: list[int] = []
        for offset, size in (places[i] for i in order):
            if offsets and offset == offsets[-1] + sizes[-1]:
                sizes[-1] += size
            else:
                offsets.append(offset)
                sizes.append(size)
        buffer = memoryview(bytearray(sum(sizes)))
        self.source.read_ranges(offsets, sizes, buffer)
        packed = [b""] * len(places)
        position = 0
        for i in order:
            packed[i] = bytes(buffer[position : (position := position + places[i][1])])
        return packed

    def _decode(self, row: TileRow, data: bytes) -> NDArray[Any]:
        index = np.unravel_index(row.number, self._tiles)
        shape = tuple(
            min(tile, size - int(i) * tile) for i, tile, size in zip(index, self.tile, self.shape, strict=True)
        )
        try:
            return self.coding.decode(data, row, shape)
        except ValueError as error:
            raise self._damaged(row.number, " ".join(str(error).split())) from error

    def _damaged(self, number: int, reason: str) -> UnreadableCube:
        which = f"{number + 1:,} of {math.prod(self._tiles):,}, of the image at byte {self.table.offset:,},"
        return UnreadableCube(f"{self.source.name}: compressed tile {which} is damaged: {reason}")
