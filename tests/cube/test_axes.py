"""Axes: what they are, by their CTYPE or unit, and how a pixel of one is written for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.cube import Axis
from visiomatic_dask.cube.axes import STOKES_NAMES, kind_and_name, unique_names


@pytest.mark.parametrize(
    ("ctype", "unit", "expected"),
    [
        ("FREQ", "Hz", ("spectral", "frequency")),
        ("FREQ-LSR", "", ("spectral", "frequency")),
        (" freq ", "", ("spectral", "frequency")),
        ("VRAD", "m/s", ("spectral", "velocity")),
        ("VELO-LSR", "", ("spectral", "velocity")),
        ("VOPT-F2W", "m/s", ("spectral", "velocity")),
        ("WAVE", "m", ("spectral", "wavelength")),
        ("AWAV", "Angstrom", ("spectral", "wavelength")),
        ("ZOPT", "", ("spectral", "redshift")),
        ("ENER", "eV", ("spectral", "energy")),
        ("LINEAR", "Angstrom", ("spectral", "wavelength")),
        ("LINEAR", "km/s", ("spectral", "velocity")),
        ("", "GHz", ("spectral", "frequency")),
        ("STOKES", "", ("stokes", "stokes")),
        ("TIME", "s", ("time", "time")),
        ("UTC", "", ("time", "time")),
        ("", "", ("other", "axis4")),
        ("", "no unit", ("other", "axis4")),
        ("GROUP_NUMBER", "", ("other", "group_number")),
        ("Phase (rad)", "", ("other", "phase__rad_")),
    ],
)
def test_kind_and_name(ctype: str, unit: str, expected: tuple[str, str]) -> None:
    assert kind_and_name(ctype, unit, 4) == expected


@given(st.lists(st.sampled_from(["a", "b", "a_1", "a_2", "a_1_1", "c"]), max_size=8))
def test_unique_names_are_unique(names: list[str]) -> None:
    unique = unique_names(names)
    assert len(set(unique)) == len(names)
    for one, name in zip(unique, names, strict=True):
        assert one == name if names.count(name) == 1 else one.startswith(f"{name}_")


def test_unique_names_are_numbered_in_order() -> None:
    assert unique_names(["DATA", "STAT", "DATA"]) == ["DATA_1", "STAT", "DATA_2"]
    assert unique_names(["DATA", "DATA_1", "DATA"]) == ["DATA_2", "DATA_1", "DATA_3"]


def labels(kind: str, unit: str, *values: float) -> list[str]:
    axis = Axis("name", kind, "", unit, len(values), values)  # type: ignore[arg-type]
    return [axis.label(i) for i in range(len(values))]


def test_labels_have_a_prefix_and_the_digits_that_matter() -> None:
    assert labels("spectral", "Hz", 115.271e9, 115.272e9) == ["115.271 GHz", "115.272 GHz"]
    assert labels("spectral", "Hz", 1.42e9, 1.42e9 + 100) == ["1.42 GHz", "1.4200001 GHz"]
    assert labels("spectral", "m", 656.28e-9, 656.4e-9) == ["656.28 nm", "656.4 nm"]
    assert labels("spectral", "m", 0.21, 0.22) == ["21 cm", "22 cm"]
    assert labels("spectral", "m / s", 2530.0, -40.0) == ["2.53 km/s", "-0.04 km/s"]
    assert labels("spectral", "m/s", 10.0) == ["0.01 km/s"]
    assert labels("spectral", "", 0.0, 1.0) == ["0", "1"]
    assert labels("time", "s", 3.0) == ["3 s"]
    assert labels("spectral", "Hz", 0.0, 0.0) == ["0 Hz", "0 Hz"]


def test_labels_of_stokes() -> None:
    assert labels("stokes", "", *map(float, STOKES_NAMES)) == list(STOKES_NAMES.values())
    assert labels("stokes", "", 17.0) == ["17"]


def test_labels_without_coordinates_count_from_one() -> None:
    axis = Axis("group", "other", "", "", 3)
    assert [axis.label(i) for i in range(3)] == ["group 1", "group 2", "group 3"]


@given(st.floats(1e6, 1e12), st.floats(1e-4, 1e-1), st.integers(2, 50))
def test_neighbours_have_other_labels(first: float, relative_step: float, size: int) -> None:
    values = tuple(first * (1 + relative_step * i) for i in range(size))
    found = labels("spectral", "Hz", *values)
    assert len(set(found)) == size
