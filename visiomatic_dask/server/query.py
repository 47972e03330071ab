"""Queries to places: tiles and regions, as VisiOmatic counts them."""

from __future__ import annotations

import re

from visiomatic_dask.cube import Layer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box, TileGrid, level_size
from visiomatic_dask.server.arguments import Arguments, pair


def api_tile(text: str, grid: TileGrid) -> tuple[int, int, int]:
    """Parse ``JTL=z,i`` into level, row and column.

    The client counts its columns on level sizes that are rounded down, while levels are rounded up, so `i` is decoded
    by its rule.
    """
    z, index = pair("JTL", text)
    if not 0 <= z < grid.levels:
        raise InvalidRequest.value("JTL", text, f"z,i with z from 0 (coarsest) to {grid.levels - 1}")
    level = grid.levels - 1 - z
    columns = -(-max(1, grid.width >> level) // grid.tile_size)
    row, column = divmod(index, columns)
    if not 0 <= row < grid.count(level)[1]:
        raise InvalidRequest.value("JTL", text, f"z,i with i from 0 to {columns * grid.count(level)[1] - 1} at z = {z}")
    return level, row, column


def api_region(arguments: Arguments, layer: Layer) -> tuple[int, Box]:
    """Parse ``RGN=x1,y1:x2,y2`` and ``BIN=n`` into a level and a rectangle there, clipped to the frame."""
    binning = arguments.integer("BIN", 1, 1, 65536)
    if binning & (binning - 1):
        raise InvalidRequest.value("BIN", binning, "a power of two from 1 to 65536")
    level = binning.bit_length() - 1
    (x1, y1), (x2, y2) = arguments.line("RGN")
    box = Box(
        max(0, (min(y1, y2) - 1) >> level),
        max(0, (min(x1, x2) - 1) >> level),
        min(level_size(layer.height, level), ((max(y1, y2) - 1) >> level) + 1),
        min(level_size(layer.width, level), ((max(x1, x2) - 1) >> level) + 1),
    )
    if box.rows < 1 or box.columns < 1:
        raise InvalidRequest.value(
            "RGN", arguments.text("RGN"), f"a rectangle that overlaps 1,1:{layer.width},{layer.height}"
        )
    return level, box


def resource_box(arguments: Arguments, layer: Layer, level: int) -> Box:
    """Parse ``box=x1,y1,x2,y2`` into a rectangle of a level, clipped to the frame.

    FITS pixels of full resolution, from 1, y up, both ends included; without it, the whole frame. At a level, every
    block is taken of which a pixel is.

    Returns
    -------
    Box
        In raster orientation.
    """
    text = arguments.text("box")
    if text is None:
        return Box(0, 0, level_size(layer.height, level), level_size(layer.width, level))
    match = re.fullmatch(r"([+-]?\d{1,9}),([+-]?\d{1,9}),([+-]?\d{1,9}),([+-]?\d{1,9})", text)
    if match is None:
        raise InvalidRequest.value("box", text, "x1,y1,x2,y2: four integers")
    x1, y1, x2, y2 = map(int, match.groups())
    left, right = max(0, min(x1, x2) - 1), min(layer.width, max(x1, x2))
    bottom, top = max(0, min(y1, y2) - 1), min(layer.height, max(y1, y2))
    if left >= right or bottom >= top:
        raise InvalidRequest.value("box", text, f"a rectangle that overlaps 1,1,{layer.width},{layer.height}")
    return Box(
        (layer.height - top) >> level,
        left >> level,
        level_size(layer.height - bottom, level),
        level_size(right, level),
    )
