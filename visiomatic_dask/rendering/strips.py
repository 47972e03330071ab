"""Strips of colormaps for galleries: one, or all of them in one picture."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visiomatic_dask.rendering.colormap_names import colormap_names
from visiomatic_dask.rendering.colormaps import colormap_table

SHEET_ROWS = 4
"""Rows of each colormap in the picture of all."""
StripFormat = Literal["png", "webp"]


def colours(name: str, count: int, *, invert: bool = False) -> NDArray[np.uint8]:
    """Colours of a colormap at even steps, its ends included: (count, 3); those of inverted values on request."""
    table = colormap_table(name)
    places = np.rint(np.linspace(0, 255, count)).astype(np.int64)
    places = 255 - places if invert else places
    return np.repeat(places[:, np.newaxis], 3, axis=1).astype(np.uint8) if table is None else table[places]


def strip(name: str, width: int, height: int, *, vertical: bool = False, invert: bool = False) -> NDArray[np.uint8]:
    """Draw a colormap from left to right, or from the bottom to the top: (height, width, 3)."""
    if vertical:
        column = colours(name, height, invert=invert)[::-1, np.newaxis]
        return np.ascontiguousarray(np.broadcast_to(column, (height, width, 3)))
    return np.ascontiguousarray(np.broadcast_to(colours(name, width, invert=invert)[np.newaxis], (height, width, 3)))


def sheet() -> NDArray[np.uint8]:
    """Draw all colormaps one below another, in the order of their names: (4 times their number, 256, 3)."""
    return np.concatenate([strip(name, 256, SHEET_ROWS) for name in colormap_names()])


@lru_cache(maxsize=2)
def encoded_sheet(image_format: StripFormat) -> bytes:
    """Encode the picture of all; made once."""
    return encoded_strip(sheet(), image_format)


def encoded_strip(picture: NDArray[np.uint8], image_format: StripFormat) -> bytes:
    """Encode a picture of (rows, columns, 3) without any loss."""
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    if image_format == "webp":
        image.save(buffer, "webp", lossless=True)
    else:
        image.save(buffer, "png", optimize=True)
    return buffer.getvalue()
