"""Mosaics as layers: which files have one, its header and world coordinates, and what is said of what does not fit."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tests.readers.fits.fits_files import empty_primary, header_bytes, image, table
from visiomatic_dask.cube import Cube, LayerPart, Window
from visiomatic_dask.readers import open_cube

SKY: dict[str, Any] = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 150.0,
    "CRVAL2": 2.2,
    "CD1_1": -5e-5,
    "CD1_2": 1e-5,
    "CD2_1": 1e-5,
    "CD2_2": 5e-5,
}
SIP: dict[str, Any] = {"A_ORDER": 2, "A_2_0": 3e-6, "A_0_2": 1e-6, "B_ORDER": 2, "B_1_1": 2e-6}


def extension(detsec: str | None, shape: tuple[int, ...] = (5, 8), bitpix: int = 16, **cards: Any) -> bytes:
    section = {} if detsec is None else {"DETSEC": detsec}
    return image(np.zeros(shape), bitpix, section | cards, extension=True)


def opened(folder: Path, *parts: bytes) -> Cube:
    path = folder / "mosaic.fits"
    path.write_bytes(b"".join(parts))
    return open_cube(path)


def test_a_mosaic_is_the_first_layer(tmp_path: Path) -> None:
    primary = header_bytes(
        {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, "OBJECT": "M 42", "FILTER": "r", "ZD": 30.5}
    )
    cube = opened(
        tmp_path,
        primary,
        extension("[1:8,1:5]", EXTNAME="A1", BUNIT="adu", GAIN=1.5, SEEING=0.8, DATASUM="0"),
        table(),
        extension(None, EXTNAME="GUIDER"),
        extension("[16:9,1:5]", EXTNAME="A2", BUNIT="adu", GAIN=1.6, SEEING=0.8),
    )
    assert [layer.name for layer in cube.layers] == ["MOSAIC", "A1", "GUIDER", "A2"]
    mosaic = cube.layer()
    assert (mosaic.shape, str(mosaic.dtype), mosaic.unit, mosaic.warnings) == ((5, 16), "int16", "adu", ())
    assert [(axis.name, axis.size) for axis in mosaic.axes] == [("y", 5), ("x", 16)]
    assert mosaic.parts == (
        LayerPart("A1", 0, 0, 8, 5, ((1, 8, 1), (1, 5, 1)), ((1, 8, 1), (1, 5, 1))),
        LayerPart("A2", 8, 0, 8, 5, ((1, 8, 1), (1, 5, 1)), ((16, 9, -1), (1, 5, 1))),
    )
    assert mosaic.header == {
        "NAXIS": 2,
        "NAXIS1": 16,
        "NAXIS2": 5,
        "EXTNAME": "MOSAIC",
        "OBJECT": "M 42",
        "FILTER": "r",
        "ZD": 30.5,
        "BUNIT": "adu",
        "SEEING": 0.8,
    }
    assert fits.Header.fromstring(mosaic.header_text)["OBJECT"] == "M 42"
    assert all(not layer.parts for layer in cube.layers[1:])


NO_MOSAIC: dict[str, list[bytes]] = {
    "one image": [image(np.zeros((5, 8)), 16, {"DETSEC": "[1:8,1:5]"})],
    "one extension": [empty_primary(), extension("[1:8,1:5]"), extension(None)],
    "DETSEC in the primary alone": [image(np.zeros((5, 8)), 16, {"DETSEC": "[1:8,1:5]"}), extension(None)],
    "an image, its error and its mask": [
        empty_primary(),
        extension("[1:8,1:5]", EXTNAME="SCI"),
        extension("[1:8,1:5]", EXTNAME="VAR"),
        extension("[1:8,1:5]", EXTNAME="DQ"),
    ],
}


@pytest.mark.parametrize("parts", NO_MOSAIC.values(), ids=NO_MOSAIC.keys())
def test_what_is_no_mosaic(tmp_path: Path, parts: list[bytes]) -> None:
    cube = opened(tmp_path, *parts)
    assert all(not layer.parts and "MOSAIC" not in layer.name for layer in cube.layers)
    assert not any("mosaic" in warning for layer in cube.layers for warning in layer.warnings)


def test_masks_do_not_cover_their_images(tmp_path: Path) -> None:
    names = [("SCI", "[1:8,1:5]"), ("DQ", "[1:8,1:5]"), ("SCI", "[9:16,1:5]"), ("DQ", "[9:16,1:5]")]
    parts = [extension(one, EXTNAME=name, EXTVER=1 + i // 2) for i, (name, one) in enumerate(names)]
    cube = opened(tmp_path, empty_primary(), *parts)
    assert [part.name for part in cube.layer().parts] == ["SCI", "SCI,2"]


def test_what_does_not_fit_is_left_out(tmp_path: Path) -> None:
    cube = opened(
        tmp_path,
        empty_primary(),
        extension("[1:8,1:5]", EXTNAME="A1"),
        extension("[9:16,1", EXTNAME="A2"),
        extension("[9:16,1:5]", EXTNAME="A3"),
        extension("[9:17,1:7]", EXTNAME="A4"),
        extension("[17:24,1:5]", (3, 5, 8), EXTNAME="A5"),
    )
    mosaic = cube.layer()
    assert [part.name for part in mosaic.parts] == ["A1", "A3"]
    assert mosaic.warnings == (
        "A2 is left out of the mosaic: DETSEC = '[9:16,1' is not of the form [x1:x2,y1:y2]",
        "A4 is left out of the mosaic: no section of it fits DETSEC = [9:17,1:7] (the whole image: 8 pixels do not "
        "bin 9)",
        "A5 is left out of the mosaic: its other axes are not those of A1",
    )
    assert len(cube.layers) == 6


@pytest.mark.parametrize(
    ("detsec", "warning"),
    [
        ("[9:16,1", "2 is left out of the mosaic: DETSEC = '[9:16,1' is not of the form [x1:x2,y1:y2]"),
        ("[900000001:900000008,1:5]", "the sections of the detector are too far apart: 900000008 × 5 pixels"),
    ],
)
def test_without_two_that_fit_there_is_none(tmp_path: Path, detsec: str, warning: str) -> None:
    cube = opened(tmp_path, empty_primary(), extension("[1:8,1:5]"), extension(detsec))
    assert [layer.name for layer in cube.layers] == ["1", "2"]
    assert cube.layer().warnings == (warning, "there is no mosaic")


def test_overlaps_are_told(tmp_path: Path) -> None:
    cube = opened(tmp_path, empty_primary(), *(extension(f"[{x}:{x + 7},1:5]") for x in (1, 8, 15, 22, 29)))
    said = "sections overlap, and the later is shown: 2 over 1, 3 over 2, 4 over 3 and 1 more"
    assert cube.layer().warnings == (said,)


def test_an_extension_may_be_called_mosaic(tmp_path: Path) -> None:
    cube = opened(tmp_path, empty_primary(), extension("[1:8,1:5]", EXTNAME="MOSAIC"), extension("[9:16,1:5]"))
    assert [layer.name for layer in cube.layers] == ["MOSAIC_1", "MOSAIC", "2"]
    assert cube.layer().parts


MATRICES: dict[str, dict[str, Any]] = {
    "CD": SKY,
    "PC": {key: value for key, value in SKY.items() if not key.startswith("CD")}
    | {"CDELT1": -5e-5, "CDELT2": 5e-5, "PC1_1": 0.8, "PC1_2": 0.6, "PC2_1": -0.6, "PC2_2": 0.8},
    "CROTA": {key: value for key, value in SKY.items() if not key.startswith("CD")}
    | {"CDELT1": -5e-5, "CDELT2": 4e-5, "CROTA2": 30.0},
    "CDELT alone": {key: value for key, value in SKY.items() if not key.startswith("CD")}
    | {"CDELT1": -5e-5, "CDELT2": 5e-5},
    "TPV": SKY | {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.0, "PV2_1": 1.0, "PV1_4": 0.3, "PV2_6": 0.1},
}
PLACES: dict[str, tuple[str, dict[str, Any], tuple[float, float, float, float]]] = {
    # DETSEC, more cards, and where (1, 1) and (2, 2) of the image lie in the mosaic, which begins at 101, 201
    "moved": ("[109:116,206:210]", {}, (9, 6, 10, 7)),
    "flipped along x": ("[116:109,206:210]", {}, (16, 6, 15, 7)),
    "flipped both ways": ("[116:109,210:206]", {}, (16, 10, 15, 9)),
    "prescan": ("[109:114,206:210]", {"DATASEC": "[3:8,1:5]"}, (7, 6, 8, 7)),
    "flipped, with prescan": ("[114:109,206:210]", {"DATASEC": "[3:8,1:5]"}, (16, 6, 15, 7)),
    "binned": ("[109:124,206:215]", {"CCDSUM": "2 2"}, (9.5, 6.5, 11.5, 8.5)),
    "binned and flipped": ("[124:109,206:215]", {"CCDSUM": "2 2"}, (23.5, 6.5, 21.5, 8.5)),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_the_sky_stays_where_it_is(
    tmp_path: Path, matrix: dict[str, Any], place: tuple[str, dict[str, Any], tuple[float, float, float, float]]
) -> None:
    detsec, cards, (x1, y1, x2, y2) = place
    wcs = matrix | {"CRPIX1": 2.5, "CRPIX2": -3.0}
    cube = opened(tmp_path, empty_primary(), extension("[101:108,201:205]"), extension(detsec, **cards, **wcs))
    mosaic, part = cube.layer(), WCS(fits.Header([*wcs.items()]))
    assert mosaic.warnings == ()
    assert mosaic.wcs.frame == "icrs"
    for pixel, (x, y) in (((1, 1), (x1, y1)), ((2, 2), (x2, y2))):
        sky = mosaic.wcs.sky(x, y)
        assert sky is not None
        np.testing.assert_allclose((sky.lon, sky.lat), part.all_pix2world([pixel], 1)[0], rtol=0, atol=1e-11)


def test_distortions_in_pixels_survive_a_shift_alone(tmp_path: Path) -> None:
    wcs = SKY | SIP | {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRPIX1": 30.0, "CRPIX2": 40.0}
    part = WCS(fits.Header([*wcs.items()]))
    moved = opened(tmp_path, empty_primary(), extension("[1:8,1:5]"), extension("[9:16,1:5]", **wcs)).layer()
    assert moved.warnings == ()
    sky = moved.wcs.sky(11, 4)
    assert sky is not None
    np.testing.assert_allclose((sky.lon, sky.lat), part.all_pix2world([(3, 4)], 1)[0], rtol=0, atol=1e-11)
    flipped = opened(tmp_path, empty_primary(), extension("[1:8,1:5]"), extension("[16:9,1:5]", **wcs)).layer()
    assert flipped.warnings == (
        "the distortion of its WCS is left out: it is in the pixels of an image that is flipped or binned",
    )
    assert flipped.header["CTYPE1"] == "RA---TAN"
    sky = flipped.wcs.sky(14, 4)
    assert sky is not None
    np.testing.assert_allclose((sky.lon, sky.lat), part.wcs_pix2world([(3, 4)], 1)[0], rtol=0, atol=1e-11)


@pytest.mark.parametrize(("offset", "warned"), [(0.0, False), (2.0, False), (25.0, True)])
def test_parts_that_disagree_are_told(tmp_path: Path, offset: float, warned: bool) -> None:
    wcs = [SKY | {"CRPIX1": 4.0 - 8 * i + offset * (i == 2), "CRPIX2": 2.0} for i in range(4)]
    parts = [extension(f"[{8 * i + 1}:{8 * i + 8},1:5]", **one) for i, one in enumerate(wcs)]
    warnings = opened(tmp_path, empty_primary(), *parts).layer().warnings
    said = "world coordinates are those of 1: those of 3 differ from them by 25 pixels"
    assert warnings == ((said,) if warned else ())


def test_a_cube_of_amplifiers_keeps_its_axes(tmp_path: Path) -> None:
    cards = SKY | {"CRPIX1": 1.0, "CRPIX2": 1.0, "CTYPE3": "FREQ", "CRVAL3": 1e9, "CD3_3": 1e6, "CRPIX3": 1.0}
    parts = [extension(one, (3, 5, 8), **cards) for one in ("[1:8,1:5]", "[16:9,1:5]")]
    mosaic = opened(tmp_path, empty_primary(), *parts).layer()
    assert [(axis.name, axis.size) for axis in mosaic.axes] == [("frequency", 3), ("y", 5), ("x", 16)]
    assert mosaic.axes[0].coordinates == pytest.approx((1e9, 1.001e9, 1.002e9))
    assert mosaic.header["CD3_3"] == 1e6


def test_a_real_detector_equals_its_expected_assembly(real_files: Path, tmp_path: Path) -> None:
    """The reference has its rows from the top: a convention of its own."""
    path, folder = tmp_path / "itl_spot.fits", real_files / "obs_lsst"
    with gzip.open(folder / "itl_spot.fits.gz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    cube = open_cube(path)
    mosaic = cube.layer()
    assert (mosaic.name, mosaic.shape, str(mosaic.dtype)) == ("MOSAIC", (4000, 4072), "int32")
    assert (len(cube.layers), len(mosaic.parts), mosaic.warnings) == (17, 16, ())
    with fits.open(folder / "itl_expected_assembled.fits.gz") as hdus:
        expected = hdus[0].data[::-1]
        np.testing.assert_array_equal(mosaic.reader.read(Window.whole(mosaic.shape)), expected)
        window = Window((1990, 500), (2010, 1600), (3, 7))
        np.testing.assert_array_equal(mosaic.reader.read(window), expected[window.slices])
