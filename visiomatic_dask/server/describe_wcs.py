"""The WCS of a layer as JSON, for clients that have no WCS library: Chebyshev patches and rotations to other frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from visiomatic_dask.analysis.sky_patches import MASK, Patch, sky_patches, unit_vectors
from visiomatic_dask.cube import Layer, LayerWCS
from visiomatic_dask.cube.sky import FRAMES, axis_names
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import TileGrid

_RIGID = 1e-10
"""Radians by which a rotation may differ from astropy's transformation: 20 microarcseconds."""


def describe_wcs(layer: Layer) -> dict[str, Any] | None:
    """Describe the sky of a layer; None where it has no celestial coordinates.

    Blocks: it evaluates the WCS at up to some 10^6 pixels (5 ms to 3 s).
    """
    wcs = layer.wcs
    if wcs.celestial is None:
        return None
    frame = wcs.frame or ""
    patches = sky_patches(wcs.world, layer.width, layer.height)
    usable = [patch for patch in patches if patch.coefficients is not None]
    return {
        "frame": frame,
        "ctype": list(wcs.celestial.wcs.ctype),
        "names": list(axis_names(frame)),
        "pixel_scale": wcs.pixel_scale,
        "width": layer.width,
        "height": layer.height,
        "max_err_px": max((_rounded(patch.max_err_px) for patch in usable), default=None),
        "usable": all(patch.coefficients is not None and not patch.mask for patch in patches),
        "mask_size": MASK,
        "patches": [_patch(patch) for patch in patches],
        "rotations": rotations(wcs),
    }


def describe_level_wcs(layer: Layer, level: int, grid: TileGrid) -> dict[str, Any]:
    """Describe a level of a layer as a FITS image would be: its size, and the keywords of its celestial WCS.

    Raises
    ------
    InvalidRequest
        If there is no such level.
    """
    if not 0 <= level < grid.levels:
        raise InvalidRequest.value("level", level, f"0 (full resolution) to {grid.levels - 1}")
    width, height = grid.size(level)
    celestial = layer.wcs.at_level(level, layer.height).celestial
    header = {} if celestial is None else dict(celestial.to_header(relax=True))
    return {"level": level, "header": {"NAXIS": 2, "NAXIS1": width, "NAXIS2": height} | header}


def _patch(patch: Patch) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell": [patch.depth, patch.column, patch.row]}
    if patch.coefficients is None:
        return cell | {"usable": False, "sky": patch.has_sky}
    columns = {name: column.tolist() for name, column in zip("xyz", patch.coefficients.T, strict=True)}
    mask = {"mask": patch.mask} if patch.mask else {}
    return cell | {"degree": patch.degree, "max_err_px": _rounded(patch.max_err_px)} | columns | mask


def _rounded(error: float) -> float:
    """Three digits, rounded up; never below what float64 can tell apart in a picture."""
    error = max(error, 1e-9)
    digit = 10.0 ** (math.floor(math.log10(error)) - 2)
    return float(f"{math.ceil(error / digit) * digit:.3g}")


def rotations(wcs: LayerWCS) -> dict[str, list[list[float]]]:
    """Rotations of unit vectors from the layer's frame to others, where the transformation is one.

    Returns
    -------
    dict of str to 3 × 3 list of float
        FK4 is not among them: its E-terms of aberration are no rotation.
    """
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40)))
    world = np.column_stack([lon, lat])
    here = unit_vectors(world)
    found: dict[str, list[list[float]]] = {}
    for name in FRAMES:
        try:
            there = unit_vectors(wcs.transform(world, name))
        except InvalidRequest:  # the layer's own frame is none that astropy can convert
            return {}
        matrix, *_ = np.linalg.lstsq(here, there, rcond=None)
        if np.abs(here @ matrix - there).max() < _RIGID:
            found[name] = matrix.T.tolist()
    return found
