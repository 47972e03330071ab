"""A cube of 1 TB (sparse: the disk holds kilobytes of it), and what of it is on screens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDE, CHANNELS = 50_000, 100
LEVELS = 9
TILE = 256
SCREENS = ((1280, 800), (1920, 1080))
MOST_BYTES, MOST_READS = 64e6, 4096
"""What a view may read, at any level."""
_BLOCK = 2880


def sparse_cube(path: Path) -> None:
    """Write the header of 1 TB of float32, and pixels in the corner that is the first tile's."""
    cards = {"SIMPLE": "T", "BITPIX": -32, "NAXIS": 3, "NAXIS1": SIDE, "NAXIS2": SIDE, "NAXIS3": CHANNELS}
    header = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    offset = -(-len(header) // _BLOCK) * _BLOCK
    size = 4 * SIDE * SIDE * CHANNELS
    with path.open("wb") as file:
        file.write(header.ljust(offset).encode("ascii"))
        for row in range(256):  # the first rows of the picture are the last of the file's plane
            file.seek(offset + 4 * (7 * SIDE * SIDE + (SIDE - 1 - row) * SIDE))
            file.write(np.full(256, row, ">f4").tobytes())
        file.truncate(offset + -(-size // _BLOCK) * _BLOCK)


@dataclass(frozen=True)
class View:
    """What of a level is on a screen."""

    level: int
    top: int
    left: int
    rows: int
    columns: int

    @property
    def places(self) -> list[tuple[int, int]]:
        """Rows and columns of its tiles."""
        down = range(self.top // TILE, -(-(self.top + self.rows) // TILE))
        across = range(self.left // TILE, -(-(self.left + self.columns) // TILE))
        return [(row, column) for row in down for column in across]

    @property
    def tiles(self) -> list[str]:
        """Addresses of its tiles."""
        return [f"{self.level}/{row}/{column}" for row, column in self.places]


def views(level: int) -> list[View]:
    """Two screens on a level: in its middle, and at its lower right corner."""
    size = -(-SIDE >> level)
    found = []
    for width, height in SCREENS:
        rows, columns = min(height, size), min(width, size)
        found += [View(level, (size - rows) // part, (size - columns) // part, rows, columns) for part in (2, 1)]
    return list(dict.fromkeys(found))
