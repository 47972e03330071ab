"""Chunks that Blosc compressed are measured before they are decoded: numcodecs does not, and reads beyond the end.

A chunk that was cut short so gives whatever lies in memory behind it. Imported where zarr is needed, not before.
"""

from __future__ import annotations

from collections.abc import Mapping

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

_HEADER = 16
"""Bytes of the header of a Blosc 1 buffer; the last four are the length of all of it (README_HEADER.rst of c-blosc)."""


class TruncatedChunk(Exception):
    """A chunk is shorter than its header says."""


class BloscStore(WrapperStore[Store]):
    """A store of chunks that all are Blosc buffers."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read what lies under a key; metadata and parts of chunks are let pass."""
        value = await super().get(key, prototype, byte_range)
        if value is not None and byte_range is None and not key.endswith((".zarray", ".zattrs", "zarr.json")):
            says = int.from_bytes(value[_HEADER - 4 : _HEADER].to_bytes(), "little")
            if len(value) < max(says, _HEADER):
                raise TruncatedChunk(f"{key} has {len(value)} bytes instead of {says}")
        return value


def ends_in_blosc(document: Mapping[str, object]) -> bool:
    """Whether the chunks of an array are Blosc buffers, from its metadata: compressed so last, and not sharded."""
    compressor = document.get("compressor")
    if isinstance(compressor, dict):
        return compressor.get("id") == "blosc"
    codecs = document.get("codecs")
    last = codecs[-1] if isinstance(codecs, list | tuple) and codecs else None
    return isinstance(last, dict) and last.get("name") == "blosc"
