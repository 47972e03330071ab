"""Descriptions of cubes, without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.tasks import sample_statistics
from visiomatic_dask.pyramid import TileGrid
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import interpolate_backgrounds
from visiomatic_dask.server.describe import describe_cube


@pytest.mark.parametrize(("ctype", "first"), [("VRAD", 3), ("", 0)])
def test_a_line_cube_opens_where_the_line_is(tmp_path: Path, ctype: str, first: int) -> None:
    """Along a spectral axis the channel with the most above its background is shown first; otherwise the first one."""
    pixels = np.random.default_rng(5).normal(10, 1, (6, 64, 80)).astype(np.float32)
    pixels[3, 20:40, 20:60] += 4
    pixels[0, 5, 5] = 1000  # a bright star is no line
    path = tmp_path / "line.fits"
    fits.writeto(path, pixels, fits.Header({"CTYPE3": ctype, "CRVAL3": 0.0, "CDELT3": 1.0, "CRPIX3": 1.0}))
    cube = open_cube(path)
    layer = cube.layer()
    found = sample_statistics(layer.reader, layer.channels, 10**6, 16)
    backgrounds = interpolate_backgrounds(found, layer.channels)
    described = describe_cube(cube, layer, backgrounds, TileGrid(80, 64, 256), load_settings())
    assert described["defaults"]["channel"] == first
