"""Coordinates of real files, beside astropy reading the same headers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from visiomatic_dask.cube.spectral import SpectralAxis
from visiomatic_dask.readers import open_cube
from visiomatic_dask.server.describe_axes import describe_axes
from visiomatic_dask.server.describe_wcs import describe_wcs

SKIES = {
    "admit/mom_integ_test_input.fits": (0, "fk5"),
    "afw/HSC-0908120-056-small.fits": (1, "fk5"),
    "astropy-data/l1448_13co.fits": (0, "icrs"),
    "carta-backend/noise_4d_casa.fits": (0, "icrs"),
    "fitscube/test_timecube.fits": (0, "fk5"),
    "fitsrs/HST_WFPC_II.fits": (0, "fk5"),
    "mpdaf/CUBE.fits": (1, "fk5"),
    "mpdaf/a370II.fits": (0, "fk5"),
    "pyspeckit/region5_hcn_crop.fits": (0, "galactic"),
    "sunpy/AIA20110319_105400_0171.fits": (0, "HPLN-TAN/HPLT-TAN"),
}


@pytest.mark.parametrize("name", SKIES)
def test_skies(real_files: Path, name: str) -> None:
    index, frame = SKIES[name]
    layer = open_cube(real_files / name).layers[0]
    with warnings.catch_warnings(), fits.open(real_files / name) as hdus:
        warnings.simplefilter("ignore")
        oracle = WCS(hdus[index].header, hdus).celestial
    pixels = np.random.default_rng(5).uniform(0.5, [layer.width + 0.5, layer.height + 0.5], (50, 2))
    expected = oracle.all_pix2world(pixels, 1)
    found = layer.wcs.world(pixels)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(layer.wcs.pixels(found), pixels, atol=1e-3)
    assert layer.wcs.frame == frame
    described = describe_wcs(layer)
    assert described is not None
    assert described["usable"] is True
    assert described["max_err_px"] < 2.1e-3


SPECTRA: dict[str, tuple[str, str, dict[str, float]]] = {
    "pyspeckit/region5_hcn_crop.fits": ("velocity-radio", "m / s", {"velocity-radio": -24.971005}),
    "astropy-data/l1448_13co.fits": ("velocity-optical", "m / s", {"velocity-optical": 2.528194897}),
    "mpdaf/subcub_mosaic.fits": ("wavelength-air", "m", {"wavelength-air": 0.475, "wavelength": 0.475132756}),
    "mpdaf/CUBE.fits": ("wavelength", "Angstrom", {"wavelength": 0.73}),
    "carta-backend/M17_SWex_unit.fits": ("frequency", "Hz", {"frequency": 86.750419238, "velocity-radio": 13.376}),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_spectra(real_files: Path, name: str) -> None:
    quantity, unit, expected = SPECTRA[name]
    layer = open_cube(real_files / name).layers[0]
    (spectral,) = (found for axis in layer.axes if (found := SpectralAxis.of(axis, layer.header)) is not None)
    assert (spectral.quantity, spectral.unit.to_string()) == (quantity, unit)
    for to, value in expected.items():
        assert spectral.convert(to)[0][0] == pytest.approx(value, rel=2e-5), to


def test_time_and_stokes(real_files: Path) -> None:
    axes: list[dict[str, Any]] = describe_axes(
        open_cube(real_files / "fitscube/test_timecube.fits").layers[0], None, None, None
    )["axes"]
    assert [(axis["name"], axis["kind"]) for axis in axes] == [("stokes", "stokes"), ("time", "time")]
    assert axes[0]["labels"] == ["I"]
    assert axes[1]["coordinates"][0] == pytest.approx(5229585229.382)
