"""The task that draws the contours of a tile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from visiomatic_dask.analysis.contours import STEPS, Floats, contour_lines, count_points, smoothed
from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.content_bricks import brick_of
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Content


def tile_contours(
    reader: Reader,
    below: int,
    box: Box,
    tile: Box,
    content: Content,
    levels: Sequence[float],
    smooth: int,
    place: tuple[int, int],
    most: int,
) -> bytes:
    """Draw the contours of a plane through the squares between pixel centres whose upper left one lies in a tile.

    Parameters
    ----------
    reader : Reader
        What the pixels are read from.
    below : int
        How many times its planes are binned.
    box : Box
        What is read: the tile, one more row and column below and to the right of it, and a margin for smoothing all
        around, as far as the plane reaches.
    tile : Box
        The tile.
    content : Mono or Collapse
        Which plane.
    levels : sequence of float
        The values.
    smooth : int
        Side of the box that the plane is smoothed by.
    place : (int, int)
        Level of the picture, and pixels of its layer along y: coordinates are those of the layer.
    most : int
        Points that the answer may have.

    Returns
    -------
    bytes
        GeoJSON: a FeatureCollection with a MultiLineString for each level. Coordinates are FITS pixels of full
        resolution, rounded to a thousandth of a pixel of the level.

    Raises
    ------
    TooLarge
        If there are more points.
    """
    plane = brick_of(content, reader, below, box).load()[0]
    wide = smoothed(plane, smooth) if smooth > 1 else plane
    window = Box(tile.top, tile.left, min(tile.bottom + 1, box.bottom), min(tile.right + 1, box.right))
    inner = window.within(box)
    values = wide[inner.top : inner.bottom, inner.left : inner.right]
    found: list[list[Floats]] = []
    for value in levels:
        found.append(contour_lines(values, value))
        if sum(map(count_points, found)) > most:
            raise TooLarge(
                f"the contours of this tile have more than {most:,} points: ask for fewer levels, or smooth the plane",
                "levels",
            )
    features = [
        _feature(value, [_fits_pixels(line, window, *place) for line in lines])
        for value, lines in zip(levels, found, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")).encode()


def _fits_pixels(line: Floats, window: Box, level: int, height: int) -> list[list[float]]:
    """Turn columns and rows of a level, in thousandths and counted from a corner, into FITS pixels of the layer."""
    side = 2**level
    columns = (line[:, 0] + STEPS * window.left) * side / STEPS + (side + 1) / 2
    rows = height - ((line[:, 1] + STEPS * window.top) * side / STEPS + (side - 1) / 2)
    places: list[list[float]] = np.round(np.stack([columns, rows], axis=-1), 3).tolist()
    return places


def _feature(value: float, lines: list[list[list[float]]]) -> dict[str, Any]:
    geometry = {"type": "MultiLineString", "coordinates": lines}
    return {"type": "Feature", "properties": {"value": value}, "geometry": geometry}
