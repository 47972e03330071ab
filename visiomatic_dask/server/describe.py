"""Descriptions of cubes as JSON, for both web APIs. JSON has no NaN: what is not finite is null or left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Cube, Layer, cd_matrix
from visiomatic_dask.pyramid import TileGrid
from visiomatic_dask.rendering import Background

_REPLACED_BY_CD = ("CDELT1", "CDELT2", "CROTA1", "CROTA2")


def describe_cube(
    cube: Cube, layer: Layer, backgrounds: Sequence[Background], grid: TileGrid, settings: Settings
) -> dict[str, Any]:
    """Describe a layer of a cube for the resource API; ``docs/web-api.md`` says what each field is. Blocks."""
    cuts = [one.cut for one in backgrounds]
    wcs = layer.wcs
    return {
        "name": cube.name,
        "fingerprint": cube.fingerprint,
        "layer": layer.name,
        "layers": [one.name for one in cube.layers],
        "parts": [
            {"layer": one.name, "left": one.left, "bottom": one.bottom, "width": one.width, "height": one.height}
            for one in layer.parts
        ],
        "shape": list(layer.shape),
        "dtype": str(layer.dtype),
        "unit": layer.unit,
        "object": layer.header.get("OBJECT"),
        "axes": [
            {"name": axis.name, "kind": axis.kind, "ctype": axis.ctype, "unit": axis.unit, "size": axis.size}
            for axis in layer.axes
        ],
        "width": layer.width,
        "height": layer.height,
        "tile_size": grid.tile_size,
        "levels": [_level(grid, level) for level in range(grid.levels)],
        "channels": [{"index": i, "label": layer.channel_label(i)} for i in range(layer.channels)],
        "cuts": [[cut.low, cut.high] for cut in cuts],
        "cube_cuts": [min(cut.low for cut in cuts), max(cut.high for cut in cuts)],
        "background": [{"level": one.level, "mad": one.mad} for one in backgrounds],
        "defaults": {
            "channel": _first_channel(layer, backgrounds),
            "brightness": 0,
            "contrast": 1,
            "gamma": settings.gamma,
            "colormap": "grey",
            "invert": False,
            "quality": settings.quality,
            "stretch": "linear",
            "saturation": 1,
        },
        "wcs": None
        if wcs.celestial is None
        else {"ctype": list(wcs.celestial.wcs.ctype), "frame": wcs.frame, "pixel_scale": wcs.pixel_scale},
        "warnings": list(layer.warnings),
        "header": layer.header,
    }


def describe_info(
    cube: Cube,
    layer: Layer,
    backgrounds: Sequence[Background],
    grid: TileGrid,
    settings: Settings,
    version: str,
) -> dict[str, Any]:
    """Describe a layer as VisiOmatic's ``INFO`` does."""
    header = _with_cd(layer.header)
    measured = {
        "background_level": [one.level for one in backgrounds],
        "background_mad": [one.mad for one in backgrounds],
        "min_max": [[one.cut.low, one.cut.high] for one in backgrounds],
    }
    return {
        "type": "visiomatic",
        "version": version,
        "image_name": cube.name,
        "object_name": str(layer.header.get("OBJECT", "")),
        "full_size": [layer.width, layer.height],
        "tile_size": [grid.tile_size, grid.tile_size],
        "tile_levels": grid.levels,
        "channels": layer.channels,
        "bits_per_channel": 8 * layer.reader.source_itemsize,
        "brightness": 0.0,
        "contrast": 1.0,
        "color_saturation": 1.5,
        "gamma": settings.gamma,
        "quality": settings.quality,
        "header": header,
        "images": [image | measured for image in _images(cube, layer)],
    }


def describe_iip(layer: Layer, backgrounds: Sequence[Background], grid: TileGrid) -> str:
    """Describe a layer in the text form of the old Internet Imaging Protocol (``obj``)."""
    lows = " ".join(f"{one.cut.low:g}" for one in backgrounds)
    highs = " ".join(f"{one.cut.high:g}" for one in backgrounds)
    return (
        f"IIP:1.0\nMax-size:{layer.width} {layer.height}\nTile-size:{grid.tile_size} {grid.tile_size}\n"
        f"Resolution-number:{grid.levels}\nBits-per-channel:{8 * layer.reader.source_itemsize}\n"
        f"Min-Max-sample-values:{lows} {highs}\nsubject/{len(layer.header_text)}:{layer.header_text}"
    )


def describe_values(layer: Layer, x: int, y: int, channels: Sequence[int], values: Iterable[float]) -> dict[str, Any]:
    """Describe the values and the sky position of a FITS pixel (1-based, y up). Blocks while its WCS is in use."""
    sky = layer.wcs.sky(x, y)
    return {
        "x": x,
        "y": y,
        "channels": list(channels),
        "values": finite(values),
        "unit": layer.unit,
        "world": None
        if sky is None
        else {
            "lon": sky.lon,
            "lat": sky.lat,
            "names": list(sky.names),
            "text": list(sky.text),
            "frame": sky.frame,
        },
    }


def finite(values: Iterable[float]) -> list[float | None]:
    """Replace what JSON cannot hold by None."""
    return [value if math.isfinite(value) else None for value in values]


def _first_channel(layer: Layer, backgrounds: Sequence[Background]) -> int:
    """Choose the channel to show first: along a spectral axis the one with the most above its background.

    The ends of a line cube are mostly noise.
    """
    if not layer.has_spectral_axis:
        return 0
    return max(range(layer.channels), key=lambda channel: backgrounds[channel].mean - backgrounds[channel].level)


def _images(cube: Cube, layer: Layer) -> list[dict[str, Any]]:
    """Describe the image of a layer, or those of a mosaic, and where each lies in the frame."""
    # The client labels a single channel by FILTER, and writes "undefined" without one.
    label = {"FILTER": layer.channel_label(0)}
    if not layer.parts:
        whole = [[1, layer.width, 1], [1, layer.height, 1]]
        header = label | _with_cd(layer.header)
        return [{"size": [layer.width, layer.height], "dataslice": whole, "detslice": whole, "header": header}]
    return [
        {
            "size": [image.width, image.height],
            "dataslice": [list(one) for one in part.data],
            "detslice": [list(one) for one in part.frame],
            "header": label | _with_cd(image.header),
        }
        for part in layer.parts
        for image in [cube.layer(part.name)]
    ]


def _with_cd(header: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in header.items() if not _replaced(key)} | cd_matrix(header)


def _level(grid: TileGrid, level: int) -> dict[str, int]:
    (width, height), (columns, rows) = grid.size(level), grid.count(level)
    return {"level": level, "width": width, "height": height, "columns": columns, "rows": rows}


def _replaced(key: str) -> bool:
    return key in _REPLACED_BY_CD or key.startswith(("PC1_", "PC2_", "PC001", "PC002", "CD1_", "CD2_"))
