"""Pyramids for tests: of FITS files that hold no pixel, filled with whatever a test likes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.cube import Cube
from visiomatic_dask.pyramid.store.arrays import write_piece
from visiomatic_dask.pyramid.store.layout import create_pyramid
from visiomatic_dask.pyramid.store.pyramid import Piece, Pyramid
from visiomatic_dask.pyramid.store.statistics import Bins
from visiomatic_dask.readers import open_cube

SPECTRAL = {"CTYPE3": "FREQ", "CUNIT3": "Hz", "CRVAL3": 1.4e9, "CDELT3": 1e6, "CRPIX3": 1.0}
STOKES = {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 1.0, "CRPIX4": 1.0}


def sparse_cube(path: Path, shape: tuple[int, ...], cards: dict[str, object] | None = None) -> Cube:
    """Write a FITS file of zeros that takes no room on the disk, with a sky, and open it."""
    header = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", len(shape))])
    header.update({f"NAXIS{i}": size for i, size in enumerate(reversed(shape), 1)})
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.8, "CRVAL2": -5.4})
    header.update({"CRPIX1": 3.0, "CRPIX2": 5.0, "CDELT1": -1e-4, "CDELT2": 1e-4, "BUNIT": "Jy/beam"})
    header.update(cards or {})
    size = 4 * int(np.prod(shape))
    with path.open("wb") as file:
        file.write(header.tostring().encode())
        file.truncate(file.tell() + -(-size // 2880) * 2880)
    return open_cube(path)


def new_pyramid(store: str, cube: Cube, tile_size: int = 256, bins: Bins | None = None) -> Pyramid:
    """Create the pyramid of a cube's first layer, or open it."""
    return create_pyramid(store, cube, cube.layers[0], tile_size, bins or Bins(), 23)


def pixels_of(pyramid: Pyramid, level: int, seed: int = 0) -> NDArray[np.float32]:
    """Made-up pixels of a level, some NaN: (planes, rows, columns)."""
    grid = pyramid.plan.grid(level)
    rng = np.random.default_rng((seed, level))
    pixels = rng.normal(size=(pyramid.plan.count, grid.height, grid.width)).astype(np.float32)
    pixels[rng.random(pixels.shape) < 0.05] = np.nan
    return pixels


def fill(pyramid: Pyramid, seed: int = 0) -> dict[int, NDArray[np.float32]]:
    """Write all levels of a pyramid, shard by shard; return what they are now."""
    levels = {}
    for grid in pyramid.plan.levels:
        levels[grid.level] = pixels = pixels_of(pyramid, grid.level, seed)
        for shard in pyramid.plan.shards(grid.level):
            box, (first, last) = pyramid.plan.box(shard), pyramid.plan.planes(shard)
            part = pixels[first:last, box.top : box.bottom, box.left : box.right]
            missing = np.isnan(part).astype(np.uint32) * 4**grid.level
            write_piece(pyramid, Piece(shard, first, last), part, missing)
    return levels
