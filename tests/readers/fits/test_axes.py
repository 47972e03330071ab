"""Axes of FITS images are found by WCS: whatever their order, planes, labels and positions are the same."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tests.readers.fits.fits_files import image
from visiomatic_dask.cube import Layer, Window, plane_window
from visiomatic_dask.readers import open_cube, xarray_backend

AXES: dict[str, dict[str, Any]] = {
    "RA": {"CTYPE": "RA---SIN", "CRVAL": 83.8, "CRPIX": 2.0, "CUNIT": "deg"},
    "DEC": {"CTYPE": "DEC--SIN", "CRVAL": -5.4, "CRPIX": 1.5, "CUNIT": "deg"},
    "FREQ": {"CTYPE": "FREQ", "CRVAL": 1e11, "CRPIX": 1.0, "CUNIT": "Hz"},
    "STOKES": {"CTYPE": "STOKES", "CRVAL": 1.0, "CRPIX": 1.0, "CUNIT": ""},
}
SIZES = {"RA": 5, "DEC": 4, "FREQ": 3, "STOKES": 2}
PC = {("RA", "RA"): 0.8, ("RA", "DEC"): 0.6, ("DEC", "RA"): -0.6, ("DEC", "DEC"): 0.8}
CDELT = {"RA": -1e-3, "DEC": 1e-3, "FREQ": 1e6, "STOKES": 1.0}
FILE_ORDER = ("STOKES", "FREQ", "DEC", "RA")
CUBE = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
ORDERS = list(itertools.permutations(FILE_ORDER))


def cards(order: tuple[str, ...], form: str) -> dict[str, Any]:
    """Keywords of the cube with its axes in an order, slowest first."""
    number = {name: i for i, name in enumerate(reversed(order), 1)}
    found = {f"{key}{number[name]}": value for name in order for key, value in AXES[name].items()}
    if form == "CD":
        matrix = {(a, b): CDELT[a] * value for (a, b), value in PC.items()} | {
            (a, a): CDELT[a] for a in ("FREQ", "STOKES")
        }
        return found | {f"CD{number[a]}_{number[b]}": value for (a, b), value in matrix.items()}
    pattern = "PC{}_{}" if form == "PC" else "PC{:03d}{:03d}"
    found |= {f"CDELT{number[name]}": value for name, value in CDELT.items()}
    return found | {pattern.format(number[a], number[b]): value for (a, b), value in PC.items()}


def opened(folder: Path, pixels: np.ndarray[Any, Any], header: dict[str, Any]) -> Layer:
    path = folder / "axes.fits"
    path.write_bytes(image(pixels, -32, header))
    return open_cube(path).layer()


def plane(layer: Layer, channel: int) -> np.ndarray[Any, Any]:
    window = plane_window(layer.shape, channel, range(layer.height), range(layer.width))
    return layer.reader.read(window).reshape(layer.height, layer.width)


@pytest.mark.parametrize("form", ["CD", "PC", "PC00i00j"])
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: " ".join(order))
def test_every_order_is_the_same_cube(tmp_path: Path, order: tuple[str, ...], form: str) -> None:
    header = cards(order, form)
    layer = opened(tmp_path, CUBE.transpose([FILE_ORDER.index(name) for name in order]), header)
    transposed = order.index("RA") < order.index("DEC")  # Dec is the faster of the two: the picture keeps it along x
    assert (layer.height, layer.width) == ((5, 4) if transposed else (4, 5))
    assert layer.channels == 6
    assert {axis.name for axis in layer.axes} == {"stokes", "frequency", "y", "x"}
    assert all("this form of the PCi_ja keyword is deprecated" in warning for warning in layer.warnings)
    labels = {layer.channel_label(channel): channel for channel in range(6)}
    wcs = WCS(fits.Header([*cards(order, "PC").items()]))
    for s, stokes in enumerate("IQ"):
        for f, frequency in enumerate(("100 GHz", "100.001 GHz", "100.002 GHz")):
            found = plane(layer, labels[f"{frequency}, {stokes}"])
            np.testing.assert_array_equal(found.T if transposed else found, CUBE[s, f])
    for ra, dec in ((1, 1), (5, 4), (2.5, 3.25)):
        sky = layer.wcs.sky(*((dec, ra) if transposed else (ra, dec)))
        assert sky is not None
        pixel = {"RA": ra, "DEC": dec, "FREQ": 1, "STOKES": 1}
        world = dict(zip(reversed(order), wcs.wcs_pix2world([[pixel[n] for n in reversed(order)]], 1)[0], strict=True))
        assert (sky.lon, sky.lat) == pytest.approx((world["RA"], world["DEC"]), rel=0, abs=1e-12)
    spectral = next(axis for axis in layer.axes if axis.kind == "spectral")
    assert spectral.coordinates == pytest.approx((1e11, 1.00001e11, 1.00002e11), rel=1e-12)
    assert spectral.unit == "Hz"


def test_the_header_has_x_and_y_first(tmp_path: Path) -> None:
    """Browsers read CTYPE1/2 and the matrix of axes 1 and 2; the header as it stands in the file is kept beside it."""
    order = ("DEC", "STOKES", "RA", "FREQ")
    header = cards(order, "CD") | {"PV4_1": 0.0, "CRPIX1A": 7.0, "BMAJ": 0.1, "OBJECT": "Orion"}
    layer = opened(tmp_path, CUBE.transpose([FILE_ORDER.index(name) for name in order]), header)
    expected = {"NAXIS1": 5, "NAXIS2": 4, "NAXIS3": 3, "NAXIS4": 2, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}
    expected |= {"CTYPE3": "FREQ", "CTYPE4": "STOKES", "CD1_1": -8e-4, "CD1_2": -6e-4, "CD2_1": -6e-4, "CD2_2": 8e-4}
    expected |= {"CD3_3": 1e6, "PV2_1": 0.0, "CRPIX3A": 7.0, "CRPIX2": 1.5, "BMAJ": 0.1, "OBJECT": "Orion"}
    assert {key: layer.header[key] for key in expected} == pytest.approx(expected)
    assert "PV4_1" not in layer.header
    assert fits.Header.fromstring(layer.header_text)["CTYPE1"] == "FREQ"


@pytest.mark.parametrize("order", ORDERS[::5], ids=lambda order: " ".join(order))
def test_xarray_has_the_order_of_the_file(tmp_path: Path, order: tuple[str, ...]) -> None:
    stored = CUBE.transpose([FILE_ORDER.index(name) for name in order])
    opened(tmp_path, stored, cards(order, "PC"))
    array = xarray_backend.open_cube(tmp_path / "axes.fits")
    np.testing.assert_array_equal(array.values, stored)
    assert [array.dims[i] for i, name in enumerate(order) if name in ("FREQ", "STOKES")] == [
        {"FREQ": "frequency", "STOKES": "stokes"}[name] for name in order if name in ("FREQ", "STOKES")
    ]


def ctypes(*names: str) -> dict[str, str]:
    return {f"CTYPE{i}": name for i, name in enumerate(names, 1) if name}


# Shape (slowest first), CTYPE1 …, and the shape of the layer
SHAPES: dict[str, tuple[tuple[int, ...], dict[str, Any], tuple[int, ...]]] = {
    "nothing said": ((4, 3, 2), {}, (4, 3, 2)),
    "spectrum first, two unrecognised": ((4, 3, 2), ctypes("WAVE", "LINEAR", ""), (2, 4, 3)),
    "spectrum second, two unrecognised": ((4, 3, 2), ctypes("", "FREQ", ""), (3, 4, 2)),
    "Stokes and spectrum first": ((5, 4, 3, 2), ctypes("STOKES", "FREQ", "", ""), (5, 4, 3, 2)),
    "three unrecognised": ((5, 4, 3, 2), ctypes("WAVE", "", "", ""), (5, 4, 3, 2)),
    "spectrum first, time last": ((5, 4, 3, 2), ctypes("WAVE", "", "", "TIME"), (5, 2, 4, 3)),
    "a long slit": ((3, 200), ctypes("WAVE", "LINEAR"), (3, 200)),
    "a unit of length is no wavelength here": ((4, 3, 2), ctypes("LINEAR", "LINEAR", "") | {"CUNIT1": "m"}, (4, 3, 2)),
    "a spectrum at one place": ((200, 1, 1), ctypes("RA---TAN", "DEC--TAN", "FREQ"), (200, 1, 1)),
    "a slit with degenerate sky": ((1, 1, 30, 200), ctypes("WAVE", "", "RA---TAN", "DEC--TAN"), (1, 1, 30, 200)),
    "sky behind a degenerate spectrum": ((7, 8, 1), ctypes("FREQ", "GLON-CAR", "GLAT-CAR"), (1, 7, 8)),
    "a longitude alone": ((4, 3, 2), ctypes("FREQ", "FREQ", "RA---TAN"), (4, 3, 2)),
    "more axes in the WCS than in the array": ((4, 3), {"WCSAXES": 3} | ctypes("FREQ", "RA---TAN", "DEC--TAN"), (4, 3)),
    "seven axes": ((1, 1, 1, 1, 2, 4, 3), ctypes("RA---TAN", "DEC--TAN"), (1, 1, 1, 1, 2, 4, 3)),
}


@pytest.mark.parametrize(("shape", "header", "expected"), SHAPES.values(), ids=SHAPES.keys())
def test_which_axes_are_shown(
    tmp_path: Path, shape: tuple[int, ...], header: dict[str, Any], expected: tuple[int, ...]
) -> None:
    stored = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    layer = opened(tmp_path, stored, header)
    assert layer.shape == expected
    assert [axis.size for axis in layer.axes] == list(expected)
    pixels = layer.reader.read(Window.whole(expected))
    assert sorted(pixels.ravel()) == sorted(stored.ravel())
    assert plane(layer, 0)[0, 0] == stored.flat[0]
    if layer.width > 1:
        step = plane(layer, 0)[0, 1] - plane(layer, 0)[0, 0]
        assert step in {np.prod(shape[axis + 1 :]) for axis in range(len(shape))}


def test_both_orders_of_a_real_cube_agree(real_files: Path) -> None:
    one, other = (
        open_cube(real_files / "carta-backend" / name).layer() for name in ("noise_4d.fits", "noise_4d_casa.fits")
    )
    assert one.shape == (2, 5, 10, 10)
    assert other.shape == (5, 2, 10, 10)
    assert sorted(one.channel_label(i) for i in range(10)) == sorted(other.channel_label(i) for i in range(10))
    assert one.wcs.sky(3, 7) == other.wcs.sky(3, 7)
