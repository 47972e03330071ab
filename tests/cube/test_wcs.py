"""World coordinates: astropy's, degraded to pixels where a header is wrong."""

from __future__ import annotations

import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.cube import LayerWCS, cd_matrix
from visiomatic_dask.cube.sky import FRAMES
from visiomatic_dask.errors import InvalidRequest


def header(lon: str = "RA---TAN", lat: str = "DEC--TAN", naxis: int = 2, **cards: Any) -> fits.Header:
    values: dict[str, Any] = {"NAXIS": naxis} | {f"NAXIS{i + 1}": 100 for i in range(naxis)}
    values |= {"CTYPE1": lon, "CRVAL1": 83.82208, "CRPIX1": 50.5, "CDELT1": -2e-4, "CUNIT1": "deg"}
    values |= {"CTYPE2": lat, "CRVAL2": -5.39111, "CRPIX2": 40.0, "CDELT2": 2e-4, "CUNIT2": "deg"}
    return fits.Header([*(values | cards).items()])


SPECTRAL: dict[str, Any] = {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 3.0, "CDELT3": -1e6, "CUNIT3": "Hz"}


def by_astropy(one: fits.Header) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(one)


@given(st.floats(-50, 150), st.floats(-50, 150))
def test_sky_equals_astropys(x: float, y: float) -> None:
    one = header()
    position = LayerWCS.from_header(one).sky(x, y)
    assert position is not None
    lon, lat = by_astropy(one).pixel_to_world_values(x - 1, y - 1)
    assert [position.lon, position.lat] == pytest.approx([float(lon), float(lat)], abs=1e-12)


def test_position_for_people() -> None:
    position = LayerWCS.from_header(header(RADESYS="FK5", EQUINOX=2000.0)).sky(50.5, 40)
    assert position is not None
    assert (position.frame, position.names) == ("fk5", ("RA", "Dec"))
    expected = SkyCoord(83.82208, -5.39111, unit="deg")
    assert position.text == (
        expected.ra.to_string(unit="hour", sep="hms", precision=2, pad=True),
        expected.dec.to_string(unit="deg", sep="dms", precision=1, pad=True, alwayssign=True),
    )


class Watched(WCS):
    """A WCS that notes how many positions it is given at a time."""

    def __init__(self, one: fits.Header) -> None:
        super().__init__(one)
        self.counts: list[int] = []

    def wcs_pix2world(self, *arguments: Any) -> Any:
        self.counts.append(len(arguments[0]))
        return super().wcs_pix2world(*arguments)

    def wcs_world2pix(self, *arguments: Any) -> Any:
        self.counts.append(len(arguments[0]))
        return super().wcs_world2pix(*arguments)


def test_many_positions_are_converted_in_pieces() -> None:
    """Between them, somebody else can have the WCS."""
    watched = Watched(header())
    wcs = LayerWCS(watched, watched)
    pixels = np.random.default_rng(2).uniform(-1e3, 1e3, (25_001, 2))
    world = wcs.world(pixels)
    assert watched.counts == [10_000, 10_000, 5_001]
    np.testing.assert_array_equal(world, by_astropy(header()).wcs_pix2world(pixels, 1))
    np.testing.assert_allclose(wcs.pixels(world), pixels, atol=1e-6)
    assert watched.counts[3:] == [10_000, 10_000, 5_001]


def test_galactic_and_unknown_frames() -> None:
    galactic = LayerWCS.from_header(header("GLON-CAR", "GLAT-CAR")).sky(50.5, 40)
    assert galactic is not None
    assert (galactic.frame, galactic.names) == ("galactic", ("l", "b"))
    assert galactic.text == ("83.822080°", "-5.391110°")
    solar = LayerWCS.from_header(header("HPLN-TAN", "HPLT-TAN"))
    assert solar.frame == "HPLN-TAN/HPLT-TAN"
    position = solar.sky(50.5, 40)
    assert position is not None
    assert position.names == ("lon", "lat")


@pytest.mark.parametrize(("lon", "lat", "frame"), [("SLON", "SLAT", "supergalactic"), ("ELON", "ELAT", "ecliptic")])
def test_frames_of_paper_two_that_astropy_leaves_out(lon: str, lat: str, frame: str) -> None:
    wcs = LayerWCS.from_header(header(f"{lon}-TAN", f"{lat}-TAN"))
    assert frame in str(wcs.frame)
    icrs = wcs.world(np.array([[50.5, 40.0]]), "icrs")[0]
    kind = "supergalactic" if frame == "supergalactic" else "barycentricmeanecliptic"
    expected = SkyCoord(83.82208, -5.39111, unit="deg", frame=kind).icrs
    assert icrs.tolist() == pytest.approx([expected.ra.deg, expected.dec.deg], abs=1e-9)


@pytest.mark.parametrize("frame", FRAMES)
def test_pixels_and_world_are_inverse_in_every_frame(frame: str) -> None:
    wcs = LayerWCS.from_header(header("RA---TAN-SIP", "DEC--TAN-SIP", A_ORDER=2, A_2_0=1e-4, B_ORDER=2, B_0_2=1e-4))
    pixels = np.array([[1.0, 1.0], [50.5, 40.0], [100.0, 100.0]])
    world = wcs.world(pixels, frame)
    np.testing.assert_allclose(wcs.pixels(world, frame), pixels, atol=1e-4)
    expected = SkyCoord(*wcs.world(pixels).T, unit="deg").transform_to(frame)
    np.testing.assert_allclose(world, np.column_stack([expected.spherical.lon.deg, expected.spherical.lat.deg]))


def test_frames_that_cannot_be_had() -> None:
    with pytest.raises(InvalidRequest, match=r"frame is 'helio'; allowed: native, icrs, fk5"):
        LayerWCS.from_header(header()).world(np.zeros((1, 2)), "helio")
    with pytest.raises(InvalidRequest, match=r"frame is 'icrs'; allowed: native"):
        LayerWCS.from_header(header("HPLN-TAN", "HPLT-TAN")).world(np.zeros((1, 2)), "icrs")


def test_what_is_not_on_the_sky_is_nan() -> None:
    wcs = LayerWCS.from_header(header("RA---SIN", "DEC--SIN", CDELT1=-1.0, CDELT2=1.0))
    world = wcs.world(np.array([[50.5, 40.0], [500.0, 500.0]]))
    assert np.isfinite(world[0]).all()
    assert np.isnan(world[1]).all()
    pixels = wcs.pixels(np.array([[83.82208, -5.39111], [263.0, 5.0], [np.nan, 0.0]]))
    np.testing.assert_allclose(pixels[0], [50.5, 40.0])
    assert np.isnan(pixels[1:]).all()
    assert np.isnan(LayerWCS(None, None).pixels(np.zeros((2, 2)))).all()


def test_a_distortion_that_cannot_be_inverted_gives_no_pixel() -> None:
    """Far from the reference pixel the polynomial folds back; astropy's iteration ends anywhere."""
    wcs = LayerWCS.from_header(header("RA---TAN-SIP", "DEC--TAN-SIP", A_ORDER=2, A_2_0=-5e-3, B_ORDER=2, B_0_2=-5e-3))
    far = wcs.pixels(np.array([[83.5, -5.1]]))
    assert np.isnan(far).all()


def test_distorted_plane_of_a_cube() -> None:
    """astropy refuses SIP in three dimensions: the plane and the spectral axis are taken by themselves."""
    cards: dict[str, Any] = {"A_ORDER": 2, "A_2_0": 1e-4, "B_ORDER": 2, "B_0_2": 1e-4}
    one = header("RA---TAN-SIP", "DEC--TAN-SIP", naxis=3, **SPECTRAL, **cards)
    wcs = LayerWCS.from_header(one)
    flat = header("RA---TAN-SIP", "DEC--TAN-SIP", **cards)
    expected = by_astropy(flat).all_pix2world([[90, 90]], 1)
    np.testing.assert_allclose(wcs.world(np.array([[90.0, 90.0]])), expected, atol=1e-12)
    found = wcs.axis_coordinates(3, 4)
    assert found is not None
    assert found[0] == pytest.approx([1.402e9, 1.401e9, 1.4e9, 1.399e9])


def test_a_wrong_plane_leaves_the_spectral_axis() -> None:
    wcs = LayerWCS.from_header(header("RA---TAN", "DEC--SIN", naxis=3, **SPECTRAL))
    assert wcs.celestial is None
    found = wcs.axis_coordinates(3, 2)
    assert found is not None
    assert found == ((1.402e9, 1.401e9), "Hz")


def test_other_axes_can_be_the_plane() -> None:
    spectral_first = {"CTYPE1": "FREQ", "CRVAL1": 1.4e9, "CDELT1": 1e6, "CRPIX1": 1.0, "CUNIT1": "Hz"}
    sky = {f"{key}{i + 1}": value for i in (1, 2) for key, value in {
        "CTYPE": ("RA---TAN", "DEC--TAN")[i - 1], "CRVAL": (83.8, -5.4)[i - 1], "CDELT": 1e-4, "CRPIX": 10.0 * i,
    }.items()}  # fmt: skip
    one = fits.Header([("NAXIS", 3), *spectral_first.items(), *sky.items()])
    assert LayerWCS.from_header(one).celestial is None
    position = LayerWCS.from_header(one, 2, 3).sky(10, 20)
    assert position is not None
    assert [position.lon, position.lat] == pytest.approx([83.8, -5.4])


def test_commentary_is_kept_from_wcslib() -> None:
    one = header()
    for i in range(2000):
        one.add_history(f"CRVAL1 = {i}")
    wcs = LayerWCS.from_header(one)
    assert wcs.parts.full is not None
    assert "HISTORY" not in wcs.parts.full.to_header_string()


def test_nothing_is_read_before_something_is_asked() -> None:
    def tables() -> fits.HDUList | None:
        read.append(1)
        return None

    read: list[int] = []
    wcs = LayerWCS.from_header(header(CPDIS1="LOOKUP"), tables=tables)
    assert read == []
    assert wcs.sky(50.5, 40) is not None
    assert any("lookup tables" in warning for warning in wcs.warnings)
    assert read == [1]


def test_threads_get_what_one_alone_gets() -> None:
    wcs = LayerWCS.from_header(header("RA---ZEA", "DEC--ZEA", CDELT1=-2.0, CDELT2=2.0))
    pixels = np.random.default_rng(5).uniform(-60, 160, (200, 2))
    expected = LayerWCS.from_header(header("RA---ZEA", "DEC--ZEA", CDELT1=-2.0, CDELT2=2.0)).world(pixels)
    assert np.isnan(expected).any()
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: wcs.world(pixels), range(64)):
            np.testing.assert_array_equal(found, expected)


def test_distortion_is_taken_into_account() -> None:
    one = header("RA---TAN-SIP", "DEC--TAN-SIP", A_ORDER=2, A_2_0=1e-4, B_ORDER=2, B_0_2=1e-4)
    position = LayerWCS.from_header(one).sky(90, 90)
    assert position is not None
    lon, lat = by_astropy(one).all_pix2world([[90, 90]], 1)[0]
    assert [position.lon, position.lat] == pytest.approx([float(lon), float(lat)], abs=1e-12)
    plain = LayerWCS.from_header(header()).sky(90, 90)
    assert plain is not None
    assert abs(position.lon - plain.lon) > 1e-6


def test_axis_order_dec_first() -> None:
    one = header("DEC--TAN", "RA---TAN", CRVAL1=-5.0, CRVAL2=83.0)
    position = LayerWCS.from_header(one).sky(50.5, 40)
    assert position is not None
    sky = by_astropy(one).pixel_to_world(49.5, 39)
    assert position.lon == pytest.approx(sky.ra.deg)
    assert position.lat == pytest.approx(sky.dec.deg)


def test_beyond_the_projection_there_is_no_sky() -> None:
    one = header("RA---SIN", "DEC--SIN", CDELT1=-1.0, CDELT2=1.0)
    wcs = LayerWCS.from_header(one)
    assert wcs.sky(50.5, 40) is not None
    assert wcs.sky(500, 500) is None


def test_pixel_scale() -> None:
    assert LayerWCS.from_header(header()).pixel_scale == pytest.approx(2e-4)
    assert LayerWCS.from_header(header(CDELT1=-1e-4, CDELT2=4e-4)).pixel_scale == pytest.approx(2e-4)


def test_axis_coordinates_equal_astropys() -> None:
    one = header(naxis=3, **SPECTRAL)
    wcs = LayerWCS.from_header(one)
    found = wcs.axis_coordinates(3, 100)
    assert found is not None
    coordinates, unit = found
    assert unit == "Hz"
    np.testing.assert_allclose(coordinates, 1.4e9 - 1e6 * (np.arange(1, 101) - 3), rtol=1e-14)
    np.testing.assert_allclose(coordinates, by_astropy(one).pixel_to_world_values(0, 0, np.arange(100))[2], rtol=1e-14)
    assert wcs.axis_coordinates(4, 3) is None
    assert wcs.axis_coordinates(0, 3) is None


@pytest.mark.parametrize(
    "cards",
    [
        {"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"},
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--SIN"},
        {"CDELT1": 0.0},
        {"CUNIT1": "no unit"},
    ],
)
def test_a_wrong_header_degrades_with_a_warning(cards: dict[str, Any]) -> None:
    wcs = LayerWCS.from_header(header(**cards))
    assert wcs.celestial is None
    assert (wcs.frame, wcs.pixel_scale, wcs.sky(1, 1)) == (None, None, None)
    assert any("the WCS cannot be used" in warning for warning in wcs.warnings)
    assert all("\n" not in warning for warning in wcs.warnings)


def test_no_wcs_at_all() -> None:
    wcs = LayerWCS.from_header(fits.Header([("NAXIS", 2), ("NAXIS1", 5), ("NAXIS2", 5)]))
    assert (wcs.celestial, wcs.sky(1, 1), wcs.warnings) == (None, None, ())


def test_celestial_axes_elsewhere_give_no_sky() -> None:
    """Position-velocity diagrams: x is an offset, y a velocity."""
    wcs = LayerWCS.from_header(header("OFFSET", "VRAD", CUNIT2="m/s"))
    assert wcs.celestial is None
    assert wcs.full is not None


ANGLE = math.radians(30)
PC = {"PC1_1": math.cos(ANGLE), "PC1_2": -math.sin(ANGLE), "PC2_1": math.sin(ANGLE), "PC2_2": math.cos(ANGLE)}


@pytest.mark.parametrize(
    "cards",
    [
        {},
        PC,
        {"PC1_2": 0.1},
        {"CD1_1": -1e-4, "CD1_2": 2e-5, "CD2_1": 3e-5, "CD2_2": 1e-4},
        {"CROTA2": 30.0},
        {"CROTA2": -120.0, "CDELT1": -1e-4, "CDELT2": 3e-4},
    ],
    ids=["CDELT", "PC", "one PC", "CD", "CROTA2", "CROTA2, oblong"],
)
def test_cd_matrix_equals_astropys(cards: dict[str, Any]) -> None:
    one = header(**cards)
    if "CD1_1" in cards:
        del one["CDELT1"], one["CDELT2"]
    ours = cd_matrix(dict(one))
    oracle = by_astropy(one).pixel_scale_matrix
    for i in (1, 2):
        for j in (1, 2):
            assert ours[f"CD{i}_{j}"] == pytest.approx(oracle[i - 1, j - 1], abs=1e-15)


def test_cd_matrix_of_older_and_empty_headers() -> None:
    older = cd_matrix({"CDELT1": -2.0, "CDELT2": 3.0, "PC001001": 0.5, "PC002001": 0.25})
    assert older == {"CD1_1": -1.0, "CD1_2": 0.0, "CD2_1": 0.75, "CD2_2": 3.0}
    assert cd_matrix({}) == {"CD1_1": 1.0, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1.0}
    assert cd_matrix({"CDELT1": "wide"})["CD1_1"] == 1.0


def test_alternate_descriptions_alone_are_no_sky_and_no_complaint() -> None:
    """Raw files describe their detector by WCSs with letters, and the sky not at all."""
    header = fits.Header({"CTYPE1A": "PIXEL", "CTYPE2A": "PIXEL", "CRVAL1A": 5.0, "CD1_1A": 1.0, "CD2_2A": -1.0})
    wcs = LayerWCS.from_header(header)
    assert (wcs.full, wcs.celestial, wcs.warnings) == (None, None, ())
