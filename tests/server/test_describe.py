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
from visiomatic_dask.server.describe import describe_cube, describe_info


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


def test_a_mosaic_is_described_image_by_image(tmp_path: Path) -> None:
    """VisiOmatic 3.0.7 answers the same slices for such a file."""
    path = tmp_path / "mosaic.fits"
    sections = {"A1": "[1:20,1:30]", "A2": "[40:21,1:30]", "B1": "[1:20,60:31]"}
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for name, section in sections.items():
        cards = {"DETSEC": section, "DATASEC": "[3:22,1:30]", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
        header = fits.Header([*cards.items(), ("CDELT1", -0.1), ("CDELT2", 0.1)])
        hdus.append(fits.ImageHDU(np.ones((30, 24), np.int16), header, name))
    hdus.writeto(path)
    cube = open_cube(path)
    layer = cube.layer()
    backgrounds = interpolate_backgrounds(sample_statistics(layer.reader, 1, 10**6, 16), 1)
    grid, settings = TileGrid(40, 60, 256), load_settings()
    info = describe_info(cube, layer, backgrounds, grid, settings, "1")
    assert info["full_size"] == [40, 60]
    assert [image["size"] for image in info["images"]] == [[24, 30]] * 3
    assert [image["dataslice"] for image in info["images"]] == [[[3, 22, 1], [1, 30, 1]]] * 3
    assert [image["detslice"] for image in info["images"]] == [
        [[1, 20, 1], [1, 30, 1]],
        [[40, 21, -1], [1, 30, 1]],
        [[1, 20, 1], [60, 31, -1]],
    ]
    assert [image["header"]["EXTNAME"] for image in info["images"]] == list(sections)
    assert {image["header"]["CD1_1"] for image in info["images"]} == {-0.1}
    assert all(image["min_max"] == info["images"][0]["min_max"] for image in info["images"])
    described = describe_cube(cube, layer, backgrounds, grid, settings)
    assert described["layers"] == ["MOSAIC", *sections]
    assert described["parts"] == [
        {"layer": "A1", "left": 0, "bottom": 0, "width": 20, "height": 30},
        {"layer": "A2", "left": 20, "bottom": 0, "width": 20, "height": 30},
        {"layer": "B1", "left": 0, "bottom": 30, "width": 20, "height": 30},
    ]
    assert describe_cube(cube, cube.layer("A1"), backgrounds, grid, settings)["parts"] == []


def test_other_orders_of_axes_are_described_by_x_and_y(tmp_path: Path) -> None:
    path = tmp_path / "order.fits"
    cards = {"CTYPE1": "FREQ", "CTYPE2": "RA---SIN", "CTYPE3": "DEC--SIN", "CRPIX1": 9.0, "CRPIX2": 2.0}
    cards |= {"CDELT1": 1e6, "CDELT2": -0.1, "CDELT3": 0.2}
    fits.writeto(path, np.ones((40, 50, 3), np.float32), fits.Header([*cards.items()]))
    cube = open_cube(path)
    layer = cube.layer()
    backgrounds = interpolate_backgrounds(sample_statistics(layer.reader, 3, 10**6, 16), 3)
    info = describe_info(cube, layer, backgrounds, TileGrid(50, 40, 256), load_settings(), "1")
    expected = {"NAXIS1": 50, "NAXIS2": 40, "NAXIS3": 3, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CTYPE3": "FREQ"}
    expected |= {"CRPIX1": 2.0, "CRPIX3": 9.0, "CD1_1": -0.1, "CD2_2": 0.2}
    assert (info["full_size"], info["channels"]) == ([50, 40], 3)
    assert {key: info["header"][key] for key in expected} == expected
    assert {key: info["images"][0]["header"][key] for key in expected} == expected
