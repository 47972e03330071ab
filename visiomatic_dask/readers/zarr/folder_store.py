"""Chunks in a local folder, as zarr reads them, but for what lies outside.

Imported where zarr is needed, not before.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.buffer.core import default_buffer_prototype
from zarr.storage import LocalStore

from visiomatic_dask.readers.zarr.folder_file import open_inside


class FolderStore(LocalStore):
    """A local store, read only, that opens its files with `open_inside`; all ways to read lead there."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read what lies under a key, or a part of it; None where there is nothing."""
        return await asyncio.to_thread(self.get_sync, key, prototype=prototype, byte_range=byte_range)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """See `get`."""
        try:
            with open_inside(str(self.root), key) as file:
                size = os.fstat(file.fileno()).st_size
                start, stop = _part(byte_range, size)
                file.seek(start)
                content = file.read(max(0, stop - start))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Read parts of several keys."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))


def _part(byte_range: ByteRequest | None, size: int) -> tuple[int, int]:
    """First byte of a range, and that after its last."""
    match byte_range:
        case RangeByteRequest(start, end):
            return min(start, size), min(end, size)
        case OffsetByteRequest(offset):
            return min(offset, size), size
        case SuffixByteRequest(suffix):
            return max(0, size - suffix), size
        case _:
            return 0, size
