"""The codec of pixels in the store: LZ4 behind a bit shuffle (docs/decisions/0010-compression-of-the-store.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numcodecs.blosc import Blosc

if TYPE_CHECKING:
    from zarr.codecs import BloscCodec

_NAME: Final = "lz4"
_LEVEL = 5
_HEADER = 16


def codec() -> Blosc:
    """Return what encodes and decodes chunks."""
    return Blosc(cname=_NAME, clevel=_LEVEL, shuffle=Blosc.BITSHUFFLE)


def zarr_codec(itemsize: int) -> BloscCodec:
    """Return how an array says so, to whoever reads it by zarr."""
    from zarr.codecs import BloscCodec

    return BloscCodec(cname=_NAME, clevel=_LEVEL, shuffle="bitshuffle", typesize=itemsize)


def holds(chunk: bytes | memoryview, nbytes: int) -> bool:
    """Whether an encoded chunk is whole, and as many bytes when it is decoded.

    The decoder believes what the head says: where that is less than what is wanted, the rest stays what it was.
    """
    if len(chunk) < _HEADER:
        return False
    decoded, encoded = (int.from_bytes(bytes(chunk[at : at + 4]), "little") for at in (4, 12))
    return (decoded, encoded) == (nbytes, len(chunk))
