"""What ``info`` says: what a cube is, how it is stored, and what looking at it will cost; from its headers alone."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from itertools import count
from typing import Any

from dask.utils import format_bytes

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Axis, ByteSource, Cube, Layer, Reader
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.engine.stored_layer import StoredLayer, look_for
from visiomatic_dask.errors import VisiomaticError
from visiomatic_dask.pyramid import Box
from visiomatic_dask.pyramid.store.layout import pyramid_address
from visiomatic_dask.readers import formats
from visiomatic_dask.rendering import Cut, Look, Mono, Style

logger = logging.getLogger(__name__)


def describe_formats() -> list[dict[str, str]]:
    """List the formats that can be opened: our own, then those that other packages add."""
    return [
        {"name": one.name, "description": one.description, "package": type(one).__module__.split(".")[0]}
        for one in formats()
    ]


def describe_cube(cube: Cube, settings: Settings) -> dict[str, Any]:
    """Describe a cube as JSON can hold it.

    Parameters
    ----------
    cube : Cube
        An opened cube.
    settings : Settings
        What bricks are cut by, and what may be read.

    Returns
    -------
    dict
        ``name``, ``format``, ``fingerprint``, ``size`` (bytes of the file; None where it is not one), and ``layers``.
        All sizes are in bytes.
    """
    stored = None if settings.pyramid == "memory" else _Stored(cube, settings)
    planner = Planner(settings, stored)
    return {
        "name": cube.name,
        "format": cube.format,
        "fingerprint": cube.fingerprint,
        "size": cube.source.size if isinstance(cube.source, ByteSource) else None,
        "layers": [_layer(layer, planner, stored) for layer in cube.layers],
    }


class _Stored:
    """What is in the store of a cube's layers, looked up when it is asked for."""

    def __init__(self, cube: Cube, settings: Settings) -> None:
        self._cube = cube
        self._settings = settings
        self._store = settings.store or f"{settings.cache_folder}/store"
        self._found: dict[str, StoredLayer] = {}

    def of(self, layer: Layer) -> StoredLayer:
        """Return what there is of a layer; nothing, where that cannot be found out."""
        stored = self._found.get(layer.reader.token)
        if stored is None:
            stored = self._found[layer.reader.token] = StoredLayer(self._cube, layer, count(1))
            settings = self._settings
            address = pyramid_address(self._store, self._cube, layer, settings.tile_size, settings.store_mantissa)
            try:
                stored.knows(look_for(address, layer))
            except (VisiomaticError, OSError) as error:
                logger.warning("%s, layer %s: the store cannot be looked at: %s", self._cube.name, layer.name, error)
        return stored

    def describe(self, layer: Layer) -> dict[str, Any] | None:
        """Say how much of a layer is there: its share, exactly 1 if nothing is missing, and bytes."""
        found = self.of(layer).found
        if found is None:
            return None
        pixels = math.prod(layer.shape)
        share = 1.0 if found.state.is_whole else min(0.999, found.state.source_pixels / pixels)
        return {"share": round(share, 3), "size": found.state.bytes}

    def version(self, layer: Layer) -> int:
        """See `visiomatic_dask.engine.planner.StoredLevels`."""
        return self.of(layer).version

    def reader(self, layer: Layer, level: int) -> Reader | None:
        """See `visiomatic_dask.engine.planner.StoredLevels`."""
        return self.of(layer).reader(level)

    def is_done(self, layer: Layer, level: int, planes: tuple[int, int], box: Box) -> bool:
        """See `visiomatic_dask.engine.planner.StoredLevels`."""
        return self.of(layer).is_done(level, planes, box)


def _layer(layer: Layer, planner: Planner, stored: _Stored | None) -> dict[str, Any]:
    grid = planner.tiles(layer)
    held = [one.level for one in layer.levels]
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "dtype": str(layer.dtype),
        "unit": layer.unit,
        "axes": [_axis(axis) for axis in layer.axes],
        "frame": layer.wcs.frame,
        "pixel_scale": layer.wcs.pixel_scale,
        "chunks": None if set(layer.reader.chunks) == {1} else list(layer.reader.chunks),
        "pyramid": {
            "levels": grid.levels,
            "in_source": held,
            "stored": None if stored is None or grid.levels == 1 else stored.describe(layer),
        },
        "costs": {
            "whole": math.prod(layer.shape) * layer.reader.source_itemsize,
            "full_resolution_tile": _cost(layer, planner, 0),
            "whole_plane": _cost(layer, planner, grid.levels - 1),
        },
        "warnings": list(layer.warnings),
    }


def _axis(axis: Axis) -> dict[str, Any]:
    ends = None if axis.coordinates is None else [axis.label(0), axis.label(axis.size - 1)]
    return {
        "name": axis.name,
        "kind": axis.kind,
        "ctype": axis.ctype,
        "unit": axis.unit,
        "size": axis.size,
        "ends": ends,
    }


def _cost(layer: Layer, planner: Planner, level: int) -> dict[str, Any]:
    """Find what the first tile of a level costs when nobody has looked there before."""
    style = Style(Mono(0, Cut(0.0, 1.0)), Look())
    plan = planner.plan(TileRequest(layer, level, 0, 0, style), 1)
    return {"read": plan.brick.recipe.read_cost, "memory": plan.brick.nbytes, "preview": plan.preview}


def text_of_formats() -> Iterator[str]:
    """Lines for people: the formats."""
    for one in describe_formats():
        by = "" if one["package"] == __name__.split(".")[0] else f" (from {one['package']})"
        yield f"{one['name']:<8} {one['description']}{by}"


def text_of_cube(described: dict[str, Any]) -> Iterator[str]:
    """Lines for people: a cube, as `describe_cube` has it."""
    size = "" if described["size"] is None else f"    {format_bytes(described['size'])}"
    yield f"{described['name']}    {described['format']}{size}    fingerprint {described['fingerprint']}"
    for layer in described["layers"]:
        yield ""
        yield f"{layer['name']}: {' x '.join(map(str, layer['shape']))} {layer['dtype']} {layer['unit']}".rstrip()
        for axis in layer["axes"]:
            ends = axis["ends"]
            extent = axis["unit"] if ends is None else ends[0] if axis["size"] == 1 else f"{ends[0]} … {ends[1]}"
            yield f"  {axis['name']:<12} {axis['size']:>8}  {axis['ctype']:<10} {extent}".rstrip()
        yield f"  {'stored':<12} {_stored(layer)}"
        yield f"  {'pyramid':<12} {_pyramid(layer['pyramid'])}"
        yield f"  {'costs':<12} {_costs(layer['costs'])}"
        for warning in layer["warnings"]:
            yield f"  warning: {warning}"


def _stored(layer: dict[str, Any]) -> str:
    whole = format_bytes(layer["costs"]["whole"])
    chunks = layer["chunks"]
    return f"{whole}, row by row" if chunks is None else f"{whole}, in blocks of {' x '.join(map(str, chunks))}"


def _pyramid(pyramid: dict[str, Any]) -> str:
    stored = pyramid["stored"]
    if stored is None:
        return _levels(pyramid)
    share = "all of it is" if stored["share"] == 1 else f"{100 * stored['share']:.1f} % of it is"
    return f"{_levels(pyramid)}; {share} in the store, {format_bytes(stored['size'])}"


def _levels(pyramid: dict[str, Any]) -> str:
    held, above = pyramid["in_source"], pyramid["levels"] - 1
    if not above:
        return "none is needed: one tile shows a whole plane"
    if not held:
        which = "a coarser level is made when it is" if above == 1 else f"{above} coarser levels are made when they are"
        return f"none in the file: {which} looked at"
    made = above - len([level for level in held if level <= above])
    some = f"level {held[0]} is" if len(held) == 1 else f"levels {', '.join(map(str, held))} are"
    return f"{some} in the file" + (f"; {made} more are made from that" if made else "")


def _costs(costs: dict[str, Any]) -> str:
    tile, plane = costs["full_resolution_tile"], costs["whole_plane"]
    quality = ", as a preview" if plane["preview"] else ""
    return (
        f"the first tile of a whole plane reads {format_bytes(plane['read'])}{quality}, "
        f"of full resolution {format_bytes(tile['read'])}"
    )
