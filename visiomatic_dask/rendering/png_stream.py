"""PNG written in bands that are compressed by themselves, in any order and anywhere, and then put one after the other.

PNG (third edition, W3C 2025) has all rows in one zlib stream (RFC 1950). A deflate stream (RFC 1951) may be flushed so
that what follows refers to nothing before it and starts at a byte: the streams of the bands, each of which ends so, are
one stream, whose checksum follows from theirs.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Of grey, grey with alpha, RGB and RGBA."""
_LEVEL = 1
_ZLIB_HEADER = b"\x78\x01"
_LAST_BLOCK = b"\x03\x00"
"""A final block of deflate that holds nothing."""
_SUB = 1
_ADLER = 65521
"""Largest prime below 2^16 (RFC 1950, section 9)."""
LARGEST_SIDE = 2**31 - 1


def png_head(width: int, height: int, colours: int) -> bytes:
    """Write what comes before the first band.

    Parameters
    ----------
    width, height : int
        Pixels, at most `LARGEST_SIDE`.
    colours : int
        1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA), of 8 bits.
    """
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[colours], 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", _ZLIB_HEADER)


def png_band(rows: NDArray[np.uint8]) -> tuple[bytes, int]:
    """Compress a band.

    Parameters
    ----------
    rows : ndarray of uint8, (rows, columns, colours)
        Row 0 at the top.

    Returns
    -------
    (chunk, checksum)
        An IDAT chunk, and the Adler-32 of what is compressed in it, of `png_band_size` bytes.
    """
    height, width, colours = rows.shape
    filtered = np.empty((height, 1 + width * colours), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1 : 1 + colours] = rows[:, 0]
    np.subtract(
        rows[:, 1:].reshape(height, -1), rows[:, :-1].reshape(height, -1), out=filtered[:, 1 + colours :]
    )  # modulo 256, as the filter wants it
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = compressor.compress(filtered.data) + compressor.flush(zlib.Z_FULL_FLUSH)
    return _chunk(b"IDAT", data), zlib.adler32(filtered.data)


def png_band_size(rows: int, columns: int, colours: int) -> int:
    """Bytes of a band before they are compressed: its pixels, and one more a row for the filter."""
    return rows * (1 + columns * colours)


def png_tail(checksum: int) -> bytes:
    """Write what comes after the last band, with the Adler-32 of all of them."""
    return _chunk(b"IDAT", _LAST_BLOCK + struct.pack(">I", checksum)) + _chunk(b"IEND", b"")


def joined_adler32(first: int, second: int, second_size: int) -> int:
    """Adler-32 of two runs of bytes put together, from that of each and the size of the second.

    With s1 the sum of the bytes plus 1 and s2 the sum of all s1 (RFC 1950, section 8.2), both modulo 65521: every byte
    of the second run adds the first run's s1, less the 1 that the second has counted itself, to s2.
    """
    s1, s2 = first & 0xFFFF, first >> 16
    t1, t2 = second & 0xFFFF, second >> 16
    return (s2 + t2 + (s1 - 1) * second_size) % _ADLER << 16 | (s1 + t1 - 1) % _ADLER


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))))
