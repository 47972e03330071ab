"""Levels: level 0 is full resolution, level k bins 2^k x 2^k pixels, and the last one fits into a tile."""

from __future__ import annotations


def level_size(size: int, level: int) -> int:
    """Pixels along an axis of `size` pixels at a level: ``ceil(size / 2**level)``."""
    return -(-size >> level)


def level_count(width: int, height: int, tile_size: int) -> int:
    """Count the levels from full resolution up to the first that one tile holds."""
    return ((max(width, height) - 1) // tile_size).bit_length() + 1
