"""Which pixels of a layer lie under a tile of another, found by their world coordinates.

Finding them blocks: both WCS are evaluated at some thousand positions, which takes ten milliseconds.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.reprojected_brick import MARGINS, Order, Sky
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box, TileGrid, level_count, level_size

_SAMPLES = 33
"""Positions along a side of the tile."""
_BORDER = 17
"""Positions along a side of the layer."""
_MOST_PIXELS = 2**24
"""Of a block that is interpolated between; larger ones are taken from a coarser level."""
_MOST_SKIES = 256
_MOST_PLACES = 4096
_FRAME = "icrs"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Onto:
    """Where a tile of one layer lies on the pixel grid of another.

    Attributes
    ----------
    layer : Layer
        The other layer, whose grid it is.
    order : {"nearest", "bilinear", "bicubic"}
        How pixels are interpolated.
    level : int
        Of the layer that is shown: that whose pixels are about as large.
    box : Box
        Rectangle of that level that is interpolated between; a single pixel if there is none.
    overlaps : bool
        Whether there is any.
    source_sky, sky : Sky
        Of that level, and of the level of the tile.
    """

    layer: Layer
    order: Order
    level: int
    box: Box
    overlaps: bool
    source_sky: Sky
    sky: Sky

    @property
    def text(self) -> str:
        """What a picture depends on besides the pixels and its style."""
        return f"{self.layer.reader.token}|{self.order}|{self.level}|{self.box}|{self.overlaps}|{self.sky.text}"


class OntoFinder:
    """Finds where tiles of layers lie on others, and keeps what it found last. Safe to use from several threads.

    Parameters
    ----------
    tile_size : int
        Side of a tile.
    """

    def __init__(self, tile_size: int) -> None:
        self._tile_size = tile_size
        self._skies: OrderedDict[tuple[str, str, int], Sky] = OrderedDict()
        self._found: OrderedDict[tuple[object, ...], Onto] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, shown: Layer, grid: Layer, place: tuple[int, int, int], order: Order) -> Onto | None:
        """Return where a tile lies if it was found before; parameters as of `find`. It does not block."""
        key = _key(shown, grid, place, order)
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
        return found

    def find(self, shown: Layer, grid: Layer, place: tuple[int, int, int], order: Order) -> Onto:
        """Find where a tile lies.

        Parameters
        ----------
        shown : Layer
            Whose pixels are shown.
        grid : Layer
            Whose pixel grid they are shown on.
        place : (int, int, int)
            Level, row and column of the tile in that grid.
        order : {"nearest", "bilinear", "bicubic"}
            How pixels will be interpolated.

        Raises
        ------
        InvalidRequest
            If one of the layers has no celestial coordinates, or none that can be converted.
        """
        tile = TileGrid(grid.width, grid.height, self._tile_size).box(*place)
        _check_sky(shown, "layer")
        _check_sky(grid, "onto")
        level = self._matching_level(shown, grid, place[0])
        area = _area_under(shown, grid, place[0], tile)
        box, overlaps = Box(0, 0, 1, 1), False
        while (under := _level_box(area, shown, level, MARGINS[order])) is not None:
            box, overlaps = under, True
            if box.rows * box.columns <= _MOST_PIXELS:
                break
            level += 1
        found = Onto(grid, order, level, box, overlaps, self._sky(shown, level), self._sky(grid, place[0]))
        with self._lock:
            self._found[_key(shown, grid, place, order)] = found
            if len(self._found) > _MOST_PLACES:
                self._found.popitem(last=False)
        return found

    def _matching_level(self, shown: Layer, grid: Layer, level: int) -> int:
        """Find the coarsest level whose pixels are no larger than those of a level of the other layer."""
        scales = grid.wcs.pixel_scale, shown.wcs.pixel_scale
        if scales[0] is None or scales[1] is None:
            return 0
        coarsest = level_count(shown.width, shown.height, self._tile_size) - 1
        return min(max(0, level + math.floor(math.log2(scales[0] / scales[1]) + 0.01)), coarsest)

    def _sky(self, layer: Layer, level: int) -> Sky:
        key = layer.reader.fingerprint, layer.reader.token, level
        with self._lock:
            sky = self._skies.get(key)
        if sky is None:
            celestial = layer.wcs.at_level(level, layer.height).celestial
            assert celestial is not None
            sky = Sky.of(celestial, level_size(layer.height, level))
            with self._lock:
                self._skies[key] = sky
                if len(self._skies) > _MOST_SKIES:
                    self._skies.popitem(last=False)
        return sky


def _key(shown: Layer, grid: Layer, place: tuple[int, int, int], order: Order) -> tuple[object, ...]:
    return shown.reader.fingerprint, shown.reader.token, grid.reader.fingerprint, grid.reader.token, place, order


def _check_sky(layer: Layer, parameter: str) -> None:
    if layer.wcs.celestial is None:
        raise InvalidRequest(
            f"layer {layer.name} of the cube that {_WHOSE[parameter]} has no celestial coordinates; "
            "allowed: one that has",
            parameter,
        )
    try:
        layer.wcs.transform(np.zeros((1, 2)), _FRAME)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"the celestial coordinates of layer {layer.name} of the cube that {_WHOSE[parameter]} "
            f"({layer.wcs.frame}) cannot be converted to others; allowed: one whose can",
            parameter,
        ) from error


_WHOSE = {"layer": "is shown", "onto": "it is to be shown on"}


def _area_under(shown: Layer, grid: Layer, level: int, tile: Box) -> tuple[Floats, Floats] | None:
    """Find the area of a layer that lies under a tile of another.

    The tile is cut into cells, of which the corners are looked up, and those that meet the layer are put together. So
    neither a seam nor the horizon of a projection makes the area larger than it has to be.

    Returns
    -------
    (least, most) or None
        FITS pixels, x and y of each, within the layer; None if nothing lies there.
    """
    side, height = 2**level, grid.height
    x = np.linspace(tile.left * side, min(tile.right * side, grid.width), _SAMPLES) + 0.5
    y = height - np.linspace(tile.top * side, min(tile.bottom * side, height), _SAMPLES) + 0.5
    mesh = np.stack(np.meshgrid(x, y), axis=-1)
    under = shown.wcs.pixels(grid.wcs.world(mesh.reshape(-1, 2), _FRAME), _FRAME).reshape(mesh.shape)
    corners = np.stack([under[:-1, :-1], under[1:, :-1], under[:-1, 1:], under[1:, 1:]])
    known = np.isfinite(corners).all(axis=-1)
    corners = corners[:, known.any(axis=0)]
    known = np.isfinite(corners).all(axis=-1)
    least, most = np.nanmin(corners, axis=0), np.nanmax(corners, axis=0)
    # Sides are curved; and where a corner has no place in the layer's projection the cell reaches further.
    beyond = (most - least) * np.where(known.all(axis=0), 0.25, 2.0)[:, np.newaxis] + 1
    # What lies between two of the positions, or beyond a seam of the layer's own projection.
    border = _border(shown)
    there = grid.wcs.pixels(shown.wcs.world(border, _FRAME), _FRAME)
    inside = border[(there >= [x.min(), y.min()]).all(axis=1) & (there <= [x.max(), y.max()]).all(axis=1)]
    least, most = np.concatenate([least - beyond, inside]), np.concatenate([most + beyond, inside])
    meets = (most >= 0.5).all(axis=1) & (least <= [shown.width + 0.5, shown.height + 0.5]).all(axis=1)
    if not meets.any():
        return None
    largest = np.array([shown.width + 0.5, shown.height + 0.5])
    return np.maximum(least[meets], 0.5).min(axis=0), np.minimum(most[meets], largest).max(axis=0)


def _border(layer: Layer) -> Floats:
    """FITS pixels all over a layer, up to its edges, (n, 2)."""
    x, y = (np.linspace(0.5, size + 0.5, _BORDER) for size in (layer.width, layer.height))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _level_box(area: tuple[Floats, Floats] | None, shown: Layer, level: int, margin: int) -> Box | None:
    """Find the rectangle of a level around an area of full resolution."""
    if area is None:
        return None
    (left, bottom), (right, top) = ((one - 0.5) / 2**level for one in area)
    height = shown.height / 2**level
    return Box(
        max(0, math.floor(height - top) - margin),
        max(0, math.floor(left) - margin),
        min(level_size(shown.height, level), math.ceil(height - bottom) + margin),
        min(level_size(shown.width, level), math.ceil(right) + margin),
    )
