"""Chunks that gzip or zlib packed are unpacked here, up to what a chunk can need: zarr unpacks all there is.

A chunk can be a thousandth of what it becomes. Imported where zarr is needed, not before.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from visiomatic_dask.readers.zarr.sized_store import OversizedChunk, TruncatedChunk, most_of

_GZIP = 16 + zlib.MAX_WBITS
_WBITS = {"gzip": _GZIP, "numcodecs.gzip": _GZIP, "zlib": zlib.MAX_WBITS, "numcodecs.zlib": zlib.MAX_WBITS}


class InflatingStore(WrapperStore[Store]):
    """A store of packed chunks, which come out of it unpacked.

    Parameters
    ----------
    store : Store
        What holds them.
    wbits : int
        Format, as `zlib.decompressobj` takes it.
    chunk_size : int
        Bytes of a decoded chunk.
    """

    def __init__(self, store: Store, wbits: int, chunk_size: int) -> None:
        super().__init__(store)
        self._wbits = wbits
        self._most = most_of(chunk_size)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read and unpack what lies under the key of a chunk."""
        value = await super().get(key, prototype, byte_range)
        if value is None:
            return None
        return prototype.buffer.from_bytes(await asyncio.to_thread(inflate, value.to_bytes(), self._wbits, self._most))


def inflate(content: bytes, wbits: int, most: int) -> bytes:
    """Unpack what gzip (all its members) or zlib packed.

    Raises
    ------
    OversizedChunk
        If it becomes more than `most` bytes.
    TruncatedChunk
        If the end is missing.
    zlib.error
        If it is damaged.
    """
    parts: list[bytes] = []
    left = most
    while content or not parts:
        stream = zlib.decompressobj(wbits)
        part = stream.decompress(content, left + 1)
        if len(part) > left:
            raise OversizedChunk(f"it becomes more than {most} bytes")
        if not stream.eof:
            raise TruncatedChunk("the end is missing")
        parts.append(part)
        left -= len(part)
        content = stream.unused_data.lstrip(b"\0") if wbits == _GZIP else b""
    return parts[0] if len(parts) == 1 else b"".join(parts)


def without_deflate(document: Mapping[str, Any]) -> tuple[dict[str, Any], int] | None:
    """Leave the last codec out of an array's metadata, and tell its format, if it is gzip or zlib; else None.

    Not of sharded arrays: of those zarr reads parts, as they lie in the store.
    """
    compressor = document.get("compressor")
    if isinstance(compressor, dict) and compressor.get("id") in ("gzip", "zlib"):
        return {**document, "compressor": None}, _WBITS[compressor["id"]]
    codecs = document.get("codecs")
    if not isinstance(codecs, list | tuple) or not codecs:
        return None
    names = [one.get("name") for one in codecs]
    if names[-1] not in _WBITS or "sharding_indexed" in names:
        return None
    return {**document, "codecs": list(codecs[:-1])}, _WBITS[names[-1]]
