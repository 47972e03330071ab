"""Recipes on real axes: which channels, and how much of each colour."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import constants
from astropy import units as u
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering.recipes import (
    ChannelCoordinates,
    Collapsed,
    Components,
    Resolved,
    Weighted,
    parse_recipe,
    resolve,
)
from visiomatic_dask.rendering.recipes.cie import cie_weights, matching_functions

Cards = dict[str, Any]


@pytest.fixture
def coordinates_of(tmp_path: Path) -> Any:
    def make(shape: tuple[int, ...], **cards: Any) -> ChannelCoordinates:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.fits"
        fits.writeto(path, np.zeros((*shape, 2, 3), np.float32), fits.Header(cards))
        return ChannelCoordinates.of(open_cube(path).layer())

    return make


def axis(ctype: str, unit: str, first: float, step: float, number: int = 3) -> Cards:
    keys = {"CTYPE": ctype, "CUNIT": unit, "CRVAL": first, "CDELT": step, "CRPIX": 1.0}
    return {f"{key}{number}": value for key, value in keys.items()}


def resolved(coordinates: ChannelCoordinates, *texts: str) -> Resolved:
    return resolve(parse_recipe(texts), coordinates)


def weighted(coordinates: ChannelCoordinates, *texts: str) -> tuple[list[int], NDArray[np.float64]]:
    found = resolved(coordinates, *texts)
    assert isinstance(found, Weighted)
    assert (np.diff(found.channels) > 0).all()
    return found.channels.tolist(), found.weights


def test_wavelengths(coordinates_of: Any) -> None:
    visible = coordinates_of((81,), **axis("WAVE", "nm", 380.0, 5.0))
    channels, weights = weighted(visible, "range:400-410nm:red")
    assert channels == [4, 5, 6]
    np.testing.assert_allclose(weights, [[1 / 3, 0, 0]] * 3)
    for same in ("0.4-0.41um", "4000..4100Angstrom", "4e-7-4.1e-7m", "410-400nm"):
        assert weighted(visible, f"range:{same}:red")[0] == channels
    light = float(constants.c.value)
    hertz = f"{light / 410e-9!r}..{light / 400e-9!r}Hz".replace("e+", "e")
    assert weighted(visible, f"range:{hertz}:red")[0] == channels
    electronvolts = [float((energy * u.nm).to_value(u.eV, equivalencies=u.spectral())) for energy in (410, 400)]
    assert weighted(visible, f"range:{electronvolts[0]!r}-{electronvolts[1]!r}eV:red")[0] == channels
    assert weighted(visible, "range:24390-25000 1/cm:red")[0] == channels


def test_ramps_run_from_the_first_end_to_the_second(coordinates_of: Any) -> None:
    rising = coordinates_of((5,), **axis("WAVE", "nm", 500.0, 10.0))
    falling = coordinates_of((5,), **axis("WAVE", "nm", 540.0, -10.0))
    ramp = np.array([[0, 0, 1], [0.5, 0.5, 1], [1, 1, 1], [1, 0.5, 0.5], [1, 0, 0]]) / 5
    np.testing.assert_allclose(weighted(rising, "range:500-540nm:blue..white..red")[1], ramp)
    np.testing.assert_allclose(weighted(falling, "range:500-540nm:blue..white..red")[1], ramp[::-1])
    np.testing.assert_allclose(weighted(falling, "range:540-500nm:blue..white..red")[1], ramp)
    np.testing.assert_allclose(weighted(falling, "range:0-4:blue..white..red")[1], ramp)
    np.testing.assert_allclose(weighted(falling, "range:4-0:blue..white..red")[1], ramp[::-1])
    np.testing.assert_allclose(weighted(rising, "range:*:blue..white..red")[1], ramp)
    np.testing.assert_allclose(weighted(rising, "range:520-520nm:blue..red")[1], [[0.5, 0, 0.5]])


def test_negative_velocities(coordinates_of: Any) -> None:
    moving = coordinates_of((41,), **axis("VELO-LSR", "m/s", -40e3, 2e3))
    assert weighted(moving, "range:-20--5km/s:red")[0] == list(range(10, 18))
    assert weighted(moving, "range:-20..-5km/s:red")[0] == list(range(10, 18))
    assert weighted(moving, "range:-2e3-2000m/s:red")[0] == [19, 20, 21]
    with pytest.raises(InvalidRequest, match="needs a rest frequency"):
        weighted(moving, "range:1-2GHz:red")
    at_rest = coordinates_of((41,), **axis("VRAD", "m/s", -40e3, 2e3), RESTFRQ=1.42e9)
    assert 20 in weighted(at_rest, "range:1.4199-1.4201GHz:red")[0]


def test_velocities_of_frequencies_are_radio(coordinates_of: Any) -> None:
    line = coordinates_of((21,), **axis("FREQ", "Hz", 1.42e9 - 1e6, 1e5), RESTFRQ=1.42e9)
    expected = [
        c for c in range(21) if -100 <= (1 - (1.42e9 - 1e6 + c * 1e5) / 1.42e9) * constants.c.to_value(u.km / u.s) <= 50
    ]
    assert weighted(line, "range:-100-50km/s:red")[0] == expected
    silent = coordinates_of((21,), **axis("FREQ", "Hz", 1.42e9, 1e5))
    with pytest.raises(InvalidRequest, match="needs a rest frequency"):
        weighted(silent, "range:-100-50km/s:red")


def test_flat_spectra_give_the_colour(coordinates_of: Any) -> None:
    channels = coordinates_of((81,), **axis("WAVE", "nm", 380.0, 5.0))
    for text in ("range:400-500nm:", "tophat:500,50nm:", "gauss:500,30nm:", "table:400nm=0,450nm=1,600nm=0:"):
        np.testing.assert_allclose(weighted(channels, text + "1,0.5,-2")[1].sum(axis=0), [1, 0.5, -2])
    assert weighted(channels, "tophat:500,20nm:red")[0] == [22, 23, 24, 25, 26]
    numbers, weights = weighted(channels, "gauss:500,20nm:red")
    assert weights[numbers.index(26), 0] == pytest.approx(weights[numbers.index(24), 0] / 2)  # at half of the FWHM
    numbers, weights = weighted(channels, "table:400nm=0,450nm=1,500nm=0:red")
    assert numbers == list(range(5, 24))
    assert weights[numbers.index(9), 0] == pytest.approx(weights[numbers.index(14), 0] / 2)
    assert weighted(channels, "tophat:10,2:red")[0] == [9, 10, 11]


def test_elements_add_up_and_nothing_stays_where_they_cancel(coordinates_of: Any) -> None:
    channels = coordinates_of((10,))
    numbers, weights = weighted(channels, "range:2-5:red", "range:4-5:0,1,0", "3:-0.25,0,0", "9:0,0,0")
    assert numbers == [2, 4, 5]
    np.testing.assert_allclose(weights, [[0.25, 0, 0], [0.25, 0.5, 0], [0.25, 0.5, 0]])
    assert weighted(channels, "range:2-5:black")[0] == [2]  # one has to stay


def test_several_stokes_parameters_share_coordinates(coordinates_of: Any) -> None:
    both = coordinates_of((2, 4), **axis("WAVE", "nm", 500.0, 10.0), **axis("STOKES", "", 1.0, 1.0, 4))
    numbers, weights = weighted(both, "range:510-530nm:blue..red")
    assert numbers == [1, 2, 3, 5, 6, 7]
    np.testing.assert_allclose(weights[:3], weights[3:])
    np.testing.assert_allclose(weighted(both, "range:*:blue..red")[1][:4], weighted(both, "range:*:blue..red")[1][4:])
    with pytest.raises(InvalidRequest, match=r"follow one another.* channel numbers, as max:1-2$"):
        resolved(both, "max:510-520nm")
    assert resolved(both, "max:1-2") == Collapsed(1, 3, "max")
    outside = coordinates_of((4, 2), **axis("STOKES", "", 1.0, 1.0), **axis("WAVE", "nm", 500.0, 10.0, 4))
    assert weighted(outside, "range:510-520nm:red")[0] == [2, 3, 4, 5]
    assert resolved(outside, "max:510-520nm") == Collapsed(2, 6, "max")


def test_responses_of_any_size_are_normalised(coordinates_of: Any) -> None:
    channels = coordinates_of((4,), **axis("WAVE", "nm", 500.0, 10.0))
    for scale in ("1", "1e308", "1e-308"):
        numbers, weights = weighted(channels, f"table:490nm={scale},540nm={scale}:red")
        assert numbers == [0, 1, 2, 3]
        np.testing.assert_allclose(weights, np.outer(np.full(4, 0.25), [1, 0, 0]))


def test_methods(coordinates_of: Any) -> None:
    channels = coordinates_of((10,), **axis("WAVE", "nm", 500.0, 10.0))
    assert resolved(channels, "pca") == Components(tuple(range(10)))
    assert resolved(channels, "pca:510-540nm") == Components((1, 2, 3, 4))
    assert resolved(channels, "sum:3-5") == Collapsed(3, 6, "sum")
    assert resolved(channels, "mean:*") == Collapsed(0, 10, "mean")
    with pytest.raises(InvalidRequest, match="three channels"):
        resolved(channels, "pca:0-1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("range:700-800nm:red", "the nearest is channel 9 at 590 nm; allowed: within 500 to 590 nm"),
        ("range:532-538nm:red", "the nearest is channel 3 at 530 nm"),
        ("tophat:5001,1nm:red", "within 500 to 590 nm"),
        ("tophat:5.4,0.1:red", "the nearest is channel 5 at 5; allowed"),
        ("gauss:50.01,1um:red", "within 0.5 to 0.59 um"),
        ("table:1nm=1,2nm=1:red", "within 500 to 590 nm"),
        ("range:5-10:red", "channels from 0 to 9"),
        ("10:red", "0 to 9"),
        ("range:1-2Jy:red", "for a unit one of"),
        ("range:1-2nanometrics:red", "for a unit one of"),
    ],
)
def test_what_selects_nothing(coordinates_of: Any, text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        resolved(coordinates_of((10,), **axis("WAVE", "nm", 500.0, 10.0)), text)
    assert caught.value.parameter == "mix"


def test_a_cube_without_coordinates_has_channel_numbers(coordinates_of: Any) -> None:
    plain = coordinates_of((10,))
    assert weighted(plain, "range:0-9:red")[0] == list(range(10))
    for text in ("range:400-500nm:red", "cie", "pca:1-2GHz"):
        with pytest.raises(InvalidRequest, match=r"no (spectral coordinates|wavelengths)"):
            resolved(plain, text)


def test_matching_functions_are_those_of_the_standard() -> None:
    # CIE 15: colorimetric table of the 2° observer
    table = {
        420: (0.13438, 0.0040, 0.6456), 450: (0.3362, 0.0380, 1.77211), 480: (0.09564, 0.13902, 0.81295),
        500: (0.0049, 0.3230, 0.2720), 520: (0.06327, 0.7100, 0.07825), 550: (0.43345, 0.99495, 0.00875),
        580: (0.9163, 0.8700, 0.00165), 600: (1.0622, 0.6310, 0.0008), 620: (0.85445, 0.3810, 0.00019),
        650: (0.2835, 0.1070, 0.0), 700: (0.01136, 0.0041, 0.0),
    }  # fmt: skip
    found = matching_functions(np.array(list(table), np.float64))
    np.testing.assert_allclose(found, list(table.values()), atol=0.025)


def test_true_colour(coordinates_of: Any) -> None:
    visible = coordinates_of((41,), **axis("WAVE", "nm", 380.0, 10.0))
    numbers, weights = weighted(visible, "cie")
    assert numbers == list(range(41))
    np.testing.assert_allclose(weights.sum(axis=0), [1, 1, 1])
    assert weights[numbers.index(25)].argmax() == 0  # 630 nm
    assert weights[numbers.index(15)].argmax() == 1  # 530 nm
    assert weights[numbers.index(7)].argmax() == 2  # 450 nm
    falling = coordinates_of((41,), **axis("WAVE", "nm", 780.0, -10.0))
    np.testing.assert_allclose(weighted(falling, "cie")[1], weights[::-1])
    red = coordinates_of((11,), **axis("WAVE", "nm", 600.0, 10.0))
    shares = weighted(red, "cie")[1].sum(axis=0)
    assert shares[0] > 0.5 > 0.2 > shares[1] > shares[2] - 1e-9  # red light alone is red
    with pytest.raises(InvalidRequest, match="380 to 780 nm"):
        weighted(coordinates_of((5,), **axis("WAVE", "um", 3.0, 1.0)), "cie")
    frequencies = coordinates_of((300,), **axis("FREQ", "Hz", 3.9e14, 1.3e12))
    np.testing.assert_allclose(weighted(frequencies, "cie")[1].sum(axis=0), [1, 1, 1])


@given(st.permutations(range(12)), st.floats(1, 30))
def test_true_colour_does_not_depend_on_the_order(order: list[int], step: float) -> None:
    wavelengths, places = 390.0 + step * np.arange(12.0), np.array(order)
    np.testing.assert_allclose(cie_weights(wavelengths[places]), cie_weights(wavelengths)[places])


def test_units_that_are_none_are_refused_at_once(coordinates_of: Any) -> None:
    channels = coordinates_of((10,), **axis("WAVE", "nm", 500.0, 10.0))
    began = time.process_time()
    for number in range(20):
        for unit in ("AngstromAngstromm.", "sqrt", "Jy20", "Knm/HzHz"):
            with pytest.raises(InvalidRequest, match="for a unit one of"):
                resolved(channels, f"range:1-2{unit}{number or ''}:red")
    assert time.process_time() - began < 2  # where astropy looks for names that are alike, each takes 0.1 s
