"""Keywords at random, contradictory, of the wrong type: never an error, never a value that is not a number."""

from __future__ import annotations

import math

import numpy as np
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from visiomatic_dask.cube import LayerWCS

AXES = st.sampled_from(["1", "2", "3", "4"])
CODES = st.sampled_from(
    ["RA---", "DEC--", "GLON-", "GLAT-", "HPLN-", "FREQ", "VOPT", "AWAV", "STOKES", "LINEAR", "TIME", ""]
)
PROJECTIONS = st.sampled_from(
    [
        "TAN",
        "TAN-SIP",
        "TPV",
        "SIN",
        "ZPN",
        "AIT",
        "HPX",
        "COE",
        "BON",
        "CSC",
        "XPH",
        "SZP",
        "TAB",
        "XXX",
        "F2W",
        "LOG",
        "",
    ]
)
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 90.0, -90.0, 180.0, 360.0, 1e-30, 1e30, 1e300, -1.0, 45.0]),
    st.floats(-1e4, 1e4),
)
ANYTHING = st.one_of(
    NUMBERS,
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.sampled_from(["", "x", "deg", "Hz", "LOOKUP", "1.5", "m/s"]),
)
KEYS = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["CRVAL", "CRPIX", "CDELT", "CROTA", "CUNIT", "NAXIS"]), AXES),
    st.builds("{}{}_{}".format, st.sampled_from(["PC", "CD"]), AXES, AXES),
    st.builds("PV{}_{}".format, AXES, st.integers(0, 40)),
    st.builds("{}_{}_{}".format, st.sampled_from(["A", "B", "AP", "BP"]), st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(
        ["A_ORDER", "B_ORDER", "AP_ORDER", "LONPOLE", "LATPOLE", "EQUINOX", "RADESYS", "RESTFRQ", "RESTWAV", "WCSAXES",
         "CPDIS1", "CPDIS2", "D2IMDIS1", "DP1", "VELREF", "SPECSYS", "MJD-OBS", "DATE-OBS", "PS3_0", "PS3_1"]
    ),
)  # fmt: skip


@st.composite
def headers(draw: st.DrawFn) -> fits.Header:
    header = fits.Header()
    header["NAXIS"] = draw(st.integers(0, 4))
    for i in range(1, draw(st.integers(1, 4)) + 1):
        header[f"CTYPE{i}"] = (draw(CODES) + draw(PROJECTIONS))[:68]
        header[f"CRVAL{i}"] = draw(NUMBERS)
        header[f"CDELT{i}"] = draw(NUMBERS)
    for key, value in draw(st.lists(st.tuples(KEYS, ANYTHING), max_size=12)):
        header.append(fits.Card(key, value))
    return header


@settings(max_examples=400)
@given(header=headers(), axes=st.sampled_from([(1, 2), (2, 3), (1, 3), (3, 4)]), level=st.integers(0, 5))
def test_no_header_raises(header: fits.Header, axes: tuple[int, int], level: int) -> None:
    wcs = LayerWCS.from_header(header, *axes)
    assert all(warning and "\n" not in warning for warning in wcs.warnings)
    assert wcs.frame is None or isinstance(wcs.frame, str)
    assert wcs.pixel_scale is None or wcs.pixel_scale > 0
    position = wcs.sky(1.0, 1.0)
    assert position is None or (math.isfinite(position.lon) and math.isfinite(position.lat))
    pixels = np.array([[0.5, 0.5], [1e5, -1e5]])
    world = wcs.world(pixels)
    assert wcs.pixels(world).shape == world.shape == (2, 2)
    for axis in range(6):
        found = wcs.axis_coordinates(axis, 3)
        assert found is None or (len(found[0]) == 3 and np.isfinite(found[0]).all())
    assert wcs.at_level(level, 1000).world(pixels).shape == (2, 2)
