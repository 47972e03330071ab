"""Chunks whose header says how long they are, or become, are measured before they are decoded.

numcodecs does not measure what Blosc compressed, and reads beyond the end: a chunk that was cut short gives whatever
lies in memory behind it. And it makes room for whatever a header says. Imported where zarr is needed, not before.
"""

from __future__ import annotations

from collections.abc import Mapping

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

_BLOSC_HEADER = 16
"""Bytes of the header of a Blosc 1 buffer (README_HEADER.rst of c-blosc)."""
_SIZED = ("blosc", "lz4", "zstd")
_ZSTD_HEADER = 18
_SLACK = 64 * 1024
_WIDEST = 8
"""By how much filters can widen pixels: bytes that are stored as float64."""


class TruncatedChunk(Exception):
    """A chunk is shorter than its header says."""


class OversizedChunk(Exception):
    """A chunk becomes more than it can need."""


class SizedStore(WrapperStore[Store]):
    """A store of chunks that all are compressed by one codec.

    Parameters
    ----------
    store : Store
        What holds them.
    codec : str
        As `sized_codec` gives it.
    chunk_size : int
        Bytes of a decoded chunk, or shard.
    """

    def __init__(self, store: Store, codec: str, chunk_size: int) -> None:
        super().__init__(store)
        self._codec = codec
        self._most = most_of(chunk_size)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read what lies under a key; metadata and parts of chunks are let pass."""
        value = await super().get(key, prototype, byte_range)
        if value is not None and byte_range is None and not key.endswith((".zarray", ".zattrs", "zarr.json")):
            head = value[:_ZSTD_HEADER].to_bytes()
            if self._codec == "blosc":
                says = int.from_bytes(head[12:16], "little")
                if len(value) < max(says, _BLOSC_HEADER):
                    raise TruncatedChunk(f"{key} has {len(value)} bytes instead of {says}")
            if decoded_size(self._codec, head) > self._most:
                raise OversizedChunk(f"{key} becomes more than {self._most} bytes")
        return value


def most_of(chunk_size: int) -> int:
    """Most bytes that a chunk may become before filters make `chunk_size` bytes of it."""
    return chunk_size * _WIDEST + _SLACK


def decoded_size(codec: str, head: bytes) -> int:
    """Tell how many bytes a chunk becomes by its header; 0 where that does not say.

    The second number of Blosc's header; what numcodecs puts before LZ4; the frame's content size of Zstandard
    (RFC 8878, section 3.1.1.1).
    """
    if codec == "blosc":
        return int.from_bytes(head[4:8], "little")
    if codec == "lz4":
        return int.from_bytes(head[:4], "little")
    if not head.startswith(b"\x28\xb5\x2f\xfd") or len(head) < 5:
        return 0
    described = head[4]
    single = described >> 5 & 1
    start = 5 + (1 - single) + (0, 1, 2, 4)[described & 3]
    length = (single, 2, 4, 8)[described >> 6]
    return int.from_bytes(head[start : start + length], "little") + (256 if length == 2 else 0)


def sized_codec(document: Mapping[str, object]) -> str | None:
    """Name the codec that the chunks of an array were compressed by last, if it is one whose headers are known.

    Of most sharded arrays there is none: it is the chunks within that are compressed.
    """
    found = document.get("compressor")
    codecs = document.get("codecs")
    if isinstance(codecs, list | tuple) and codecs:
        found = codecs[-1]
    name = (found.get("id") or found.get("name")) if isinstance(found, dict) else None
    name = name.removeprefix("numcodecs.") if isinstance(name, str) else None
    return name if name in _SIZED else None
