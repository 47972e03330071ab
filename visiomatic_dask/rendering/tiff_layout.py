"""TIFF with a layout that is known before any pixel is: header and tables first, then all rows, uncompressed.

TIFF 6.0 (Adobe 1992), and BigTIFF, with offsets of 64 bits, where a file is larger than 4 GB.
"""

from __future__ import annotations

import struct

import numpy as np

_STRIP = 2**20
"""Bytes of a strip: readers take one at a time."""
_SHORT, _LONG, _LONG8 = 3, 4, 16
_SIZES = {_SHORT: ("H", 2), _LONG: ("I", 4), _LONG8: ("Q", 8)}
_LARGEST = 2**32 - 1
_UNASSOCIATED_ALPHA = 2


def tiff_head(width: int, height: int, colours: int, largest: int = _LARGEST) -> bytes:
    """Write what comes before the pixels, which follow row by row, without gaps.

    Parameters
    ----------
    width, height : int
        Pixels.
    colours : int
        1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA), of 8 bits.
    largest : int
        Bytes of a file beyond which it is a BigTIFF.
    """
    row = width * colours
    strip_rows = max(1, min(height, _STRIP // row))
    starts = np.arange(0, height, strip_rows, dtype=np.uint64)
    counts = np.minimum(np.uint64(height) - starts, np.uint64(strip_rows)) * np.uint64(row)
    small = _head(width, height, colours, strip_rows, starts * np.uint64(row), counts, big=False)
    if small is not None and len(small) + row * height <= largest:
        return small
    big = _head(width, height, colours, strip_rows, starts * np.uint64(row), counts, big=True)
    assert big is not None
    return big


def _head(
    width: int, height: int, colours: int, strip_rows: int, starts: np.ndarray, counts: np.ndarray, *, big: bool
) -> bytes | None:
    """Write header and directory; None where an offset is too large for it."""
    if not big and int(starts[-1]) + int(counts[-1]) + 32 * len(starts) + 4096 > _LARGEST:
        return None
    offset_type = _LONG8 if big else _LONG
    tags: list[tuple[int, int, list[int]]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [8] * colours),
        (259, _SHORT, [1]),  # no compression
        (262, _SHORT, [2 if colours > 2 else 1]),  # RGB, or black is zero
        (273, offset_type, starts.tolist()),
        (277, _SHORT, [colours]),
        (278, _LONG, [strip_rows]),
        (279, offset_type, counts.tolist()),
        (284, _SHORT, [1]),  # colours of a pixel together
    ]
    if colours in (2, 4):
        tags.append((338, _SHORT, [_UNASSOCIATED_ALPHA]))
    inline, entry, start = (8, 20, 16) if big else (4, 12, 8)
    directory = (8 if big else 2) + entry * len(tags) + inline
    # Values that an entry cannot hold come after the directory, each at a multiple of eight.
    place, places = start + directory, {}
    for tag, kind, values in tags:
        size = _SIZES[kind][1] * len(values)
        if size > inline:
            place = -(-place // 8) * 8
            places[tag] = place
            place += size
    pixels = -(-place // 8) * 8
    out = bytearray(pixels)
    out[:start] = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
    position = start
    out[position : position + (8 if big else 2)] = struct.pack("<Q" if big else "<H", len(tags))
    position += 8 if big else 2
    for tag, kind, values in tags:
        code, _ = _SIZES[kind]
        shifted = [pixels + value for value in values] if tag == 273 else values
        data = struct.pack(f"<{len(values)}{code}", *shifted)
        there = places.get(tag)
        if there is not None:
            out[there : there + len(data)] = data
            data = struct.pack("<Q" if big else "<I", there)
        head = struct.pack("<HHQ" if big else "<HHI", tag, kind, len(values))
        out[position : position + entry] = head + data.ljust(inline, b"\0")
        position += entry
    return bytes(out)
