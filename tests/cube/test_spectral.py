"""Spectral axes: what they measure, and what it is in other terms."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SpectralCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.cube import Axis
from visiomatic_dask.cube.spectral import UNITS, SpectralAxis, parse_unit, refractive_index, vacuum_wavelength
from visiomatic_dask.errors import InvalidRequest

HI = {"RESTFRQ": 1.420405751786e9}


def spectral(ctype: str, unit: str, *values: float, **header: Any) -> SpectralAxis:
    found = SpectralAxis.of(Axis("a", "spectral", ctype, unit, len(values), values), header)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ctype", "unit", "header", "quantity"),
    [
        ("FREQ", "Hz", {}, "frequency"),
        ("FREQ-LSR", "Hz", {}, "frequency"),
        ("VOPT-F2W", "m/s", {}, "velocity-optical"),
        ("VELO-LSR", "m/s", {"VELREF": 257}, "velocity-radio"),
        ("VELO-LSR", "m/s", {"VELREF": 1}, "velocity-optical"),
        ("VELO", "m/s", {}, "velocity-relativistic"),
        ("WAVELENG", "Angstrom", {}, "wavelength"),
        ("LINEAR", "Angstrom", {}, "wavelength"),
        ("AWAV", "Angstrom", {}, "wavelength-air"),
        ("", "GHz", {}, "frequency"),
        ("", "km/s", {}, "velocity-radio"),
        ("", "keV", {}, "energy"),
        ("", "cm-1", {}, "wavenumber"),
    ],
)
def test_what_an_axis_measures(ctype: str, unit: str, header: dict[str, Any], quantity: str) -> None:
    assert spectral(ctype, unit, 1.0, 2.0, **header).quantity == quantity


def test_what_is_not_spectral() -> None:
    assert SpectralAxis.of(Axis("s", "stokes", "STOKES", "", 1, (1.0,)), {}) is None
    assert SpectralAxis.of(Axis("f", "spectral", "FREQ", "Hz", 1, None), {}) is None
    assert SpectralAxis.of(Axis("band", "spectral", "", "", 2, (1.0, 2.0)), {}) is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Angstroms", u.AA), ("ANGSTROM", u.AA), ("A", u.ampere), ("nanometers", u.nm), ("Micrometers", u.um),
        ("micron", u.um), ("GHZ", u.GHz), ("hz", u.Hz), ("km / s", u.km / u.s), ("KM/S", u.km / u.s),
        ("km/sec", u.km / u.s), ("cm^-1", u.cm**-1), (" m s-1 ", u.m / u.s),
    ],
)  # fmt: skip
def test_spellings_of_units(text: str, unit: u.UnitBase) -> None:
    assert parse_unit(text) == unit


@pytest.mark.parametrize("text", ["1e-10 m", "1E-10m", "1.e-10 m", "10**-10 m"])
def test_units_with_a_factor(text: str) -> None:
    assert parse_unit(text) == u.Unit(text)


@pytest.mark.parametrize("text", ["", "furlong per", "days since 2000-01-01", "??"])
def test_what_is_no_unit(text: str) -> None:
    assert parse_unit(text) is None


def test_a_missing_unit_is_assumed_and_said() -> None:
    assert (spectral("WAVE", "", 4750.0, 9350.0).unit, spectral("WAVE", "", 4750.0).assumed) == (u.AA, True)
    assert (spectral("WAVE", "", 5e-7).unit, spectral("FREQ", "no", 1e9).unit) == (u.m, u.Hz)
    assert not spectral("WAVE", "nm", 500.0).assumed


@pytest.mark.parametrize("convention", ["radio", "optical", "relativistic"])
@given(frequency=st.floats(1.0e9, 1.8e9))
def test_velocities_equal_astropys(convention: str, frequency: float) -> None:
    axis = spectral("FREQ", "Hz", frequency, **HI)
    values, unit = axis.convert(f"velocity-{convention}", "km/s")
    expected = SpectralCoord(frequency * u.Hz, doppler_rest=HI["RESTFRQ"] * u.Hz, doppler_convention=convention)
    assert unit == u.km / u.s
    assert values[0] == pytest.approx(expected.to_value(u.km / u.s), abs=1e-6)


@pytest.mark.parametrize("one", UNITS)
@pytest.mark.parametrize("other", UNITS)
def test_there_and_back(one: str, other: str) -> None:
    line = spectral("WAVE", "nm", 640.0, 656.3, 670.0, RESTWAV=656.46e-9)
    values, unit = line.convert(one)
    first = SpectralAxis(one, values, unit, line.rest)
    there, unit = first.convert(other)
    back, _ = SpectralAxis(other, there, unit, line.rest).convert("wavelength", "nm")
    np.testing.assert_allclose(back, [640.0, 656.3, 670.0], rtol=1e-12)


def test_lines_in_air() -> None:
    """Vacuum and air wavelengths of lines as the SDSS lists them (Hβ, [O III], Hα), in Å."""
    vacuum = np.array([4862.68, 5008.24, 6564.61])
    axis = spectral("WAVE", "Angstrom", *vacuum)
    np.testing.assert_allclose(axis.convert("wavelength-air", "Angstrom")[0], [4861.325, 5006.843, 6562.80], atol=8e-3)


def test_air_equals_wcslibs() -> None:
    """wcslib has an older formula (Edlén 1953): the same to 2 in 10^8 in the visible."""
    header = fits.Header({"CTYPE1": "WAVE-A2W", "CUNIT1": "m", "CRVAL1": 5e-7, "CRPIX1": 1.0, "CDELT1": 1e-10})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(header)
    vacuum = np.asarray(wcs.wcs_pix2world(np.arange(1.0, 3000.0), 1)[0])
    air = vacuum / refractive_index(vacuum)
    steps = np.diff(air)  # the axis is linear in air
    np.testing.assert_allclose(steps, steps.mean(), rtol=2e-5)
    np.testing.assert_allclose(air, air[0] + steps.mean() * np.arange(len(air)), rtol=2e-8)


@given(st.floats(1e-8, 1e-4))
def test_air_is_inverted(vacuum: float) -> None:
    one = np.array([vacuum])
    air = one / refractive_index(one)
    if not 1.999e-7 < vacuum < 2.001e-7:
        np.testing.assert_allclose(vacuum_wavelength(air), one, rtol=1e-14)


def test_rest_frequencies() -> None:
    assert spectral("FREQ", "Hz", 1.0, RESTFREQ=1e9).rest == 1e9
    assert spectral("WAVE", "m", 1.0, RESTWAV=0.21).rest == pytest.approx(299792458 / 0.21)
    for nothing in ({}, {"RESTFRQ": 0.0}, {"RESTFRQ": "x"}, {"RESTFRQ": True}):
        assert spectral("FREQ", "Hz", 1.0, **nothing).rest is None
    given_one, _ = spectral("FREQ", "Hz", 1.4e9).convert("velocity-radio", "km/s", "21.106114054160 cm")
    own, _ = spectral("FREQ", "Hz", 1.4e9, **HI).convert("velocity-radio")
    np.testing.assert_allclose(given_one, own, atol=1e-3)


def test_what_is_missing_or_wrong_is_said() -> None:
    axis = spectral("FREQ", "Hz", 1e9)
    with pytest.raises(InvalidRequest, match=r"frequency to velocity-radio needs a rest frequency.*rest=1.42GHz"):
        axis.convert("velocity-radio")
    assert "velocity-radio" not in axis.conversions()
    assert {"wavelength", "wavelength-air", "energy", "wavenumber"} <= set(axis.conversions())
    with pytest.raises(InvalidRequest, match=r"to is 'speed'; allowed: frequency"):
        axis.convert("speed")
    for unit in ("m", "furlongs"):
        with pytest.raises(InvalidRequest, match=f"unit is '{unit}'; allowed: a unit of frequency, as GHz"):
            axis.convert("frequency", unit)
    for rest in ("1.42", "x", "-3 GHz", "inf Hz", "3 K", "[1, 2] Hz"):
        with pytest.raises(InvalidRequest, match="rest is"):
            axis.convert("velocity-radio", rest=rest)


def test_what_has_no_counterpart_is_nan() -> None:
    values, _ = spectral("FREQ", "Hz", 0.0, 1e9).convert("wavelength")
    assert np.isnan(values[0])
    assert values[1] > 0
