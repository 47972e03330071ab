"""WCS of levels: the same spot of the sky, wherever it is looked for."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.cube import LayerWCS
from visiomatic_dask.cube.wcs import separation

PLAIN: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 1001, "NAXIS2": 1001, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.8,
    "CRVAL2": -5.4, "CRPIX1": 300.25, "CRPIX2": -40.5, "CDELT1": -2e-4, "CDELT2": 3e-4, "CUNIT1": "deg",
}  # fmt: skip
SIP: dict[str, Any] = PLAIN | {
    "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "A_2_0": 2e-6, "A_1_1": -1e-6, "A_0_3": 1e-9,
    "B_ORDER": 3, "B_0_2": 1e-6, "B_2_1": -2e-9, "AP_ORDER": 2, "AP_2_0": -2e-6, "BP_ORDER": 2, "BP_0_2": -1e-6,
}  # fmt: skip
TPV: dict[str, Any] = PLAIN | {
    "CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_0": 1e-3, "PV1_1": 1.01, "PV1_4": 0.02, "PV2_1": 0.99, "PV2_6": 0.1
}  # fmt: skip
HEADERS = {
    "plain": PLAIN,
    "PC": PLAIN | {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "CROTA2": PLAIN | {"CROTA2": 30.0},
    "CD": {k: v for k, v in PLAIN.items() if "CDELT" not in k} | {"CD1_1": -1e-4, "CD1_2": 5e-5, "CD2_2": 2e-4},
    "SIP": SIP,
    "TPV": {k: v for k, v in TPV.items() if "CDELT" not in k} | {"CD1_1": -1e-4, "CD1_2": 5e-5, "CD2_2": 2e-4},
    "latitude first": PLAIN | {"CTYPE1": "DEC--SFL", "CTYPE2": "RA---SFL", "CRVAL1": 0.0, "CRVAL2": 10.0},
    "AIT": PLAIN | {"CTYPE1": "GLON-AIT", "CTYPE2": "GLAT-AIT", "CDELT1": -0.1, "CDELT2": 0.1, "CRVAL2": 0.0},
    "cube": PLAIN | {"NAXIS": 3, "CTYPE3": "FREQ", "CRVAL3": 1e9, "CDELT3": 1e6, "CRPIX3": 1.0, "PC1_2": 0.1},
}


@pytest.mark.parametrize("name", HEADERS)
@given(level=st.integers(0, 9), height=st.integers(1, 5000), x=st.floats(0.5, 1000), y=st.floats(0.5, 1000))
def test_the_same_spot_of_the_sky(name: str, level: int, height: int, x: float, y: float) -> None:
    wcs = LayerWCS.from_header(fits.Header(HEADERS[name]))
    # Raster orientation: rows are counted from the top, where levels are aligned.
    row = (height + 0.5 - y) / 2**level
    there = np.array([[(x - 0.5) / 2**level + 0.5, math.ceil(height / 2**level) + 0.5 - row]])
    expected = wcs.world(np.array([[x, y]]))
    found = wcs.at_level(level, height).world(there)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    if not np.isnan(expected).any():
        assert wcs.pixel_scale is not None
        assert separation(found, expected) < 1e-6 * wcs.pixel_scale


@pytest.mark.parametrize("name", HEADERS)
def test_the_header_of_a_level_says_the_same(name: str) -> None:
    wcs = LayerWCS.from_header(fits.Header(HEADERS[name]))
    level = wcs.at_level(3, 1001)
    assert level.celestial is not None
    pixels = np.array([[1.0, 1.0], [20.5, 100.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = WCS(level.celestial.to_header(relax=True))
    columns = [again.wcs.lng, again.wcs.lat]
    np.testing.assert_allclose(again.all_pix2world(pixels, 1)[:, columns], level.world(pixels), rtol=0, atol=1e-9)


def test_other_axes_stay_as_they_are() -> None:
    wcs = LayerWCS.from_header(fits.Header(HEADERS["cube"]))
    assert wcs.at_level(4, 1001).axis_coordinates(3, 5) == wcs.axis_coordinates(3, 5)
    one, other = wcs.full, wcs.at_level(2, 1001).full
    assert one is not None
    assert other is not None
    at = one.wcs_pix2world([[100.5, 97.5, 2]], 1)
    top = math.ceil(1001 / 4) - 1001 / 4
    np.testing.assert_allclose(other.wcs_pix2world([[25.5, 24.75 + top, 2]], 1), at, atol=1e-12)


def test_without_a_wcs() -> None:
    assert LayerWCS(None, None).at_level(2, 10).celestial is None
