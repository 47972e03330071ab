"""The table is within 1 of 255 of the power function for every float32, and NaN is black."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.rendering import LookTables, render_plane, stretch_values
from visiomatic_dask.rendering.stretches import canonical_stretch
from visiomatic_dask.rendering.transfer import transfer_table

GAMMAS = [0.2, 0.35, 0.5, 1.0, 1.8, 2.2, 3.3, 5.0]
EXTREMES = [
    *("sqrt", "square", "power:0.4", "power:10.0", "power:1.7"),
    *("log:0.01", "log:1000.0", "log:1000000000.0", "asinh:0.01", "asinh:10.0", "asinh:1000000000.0"),
]
STRETCHES = st.one_of(
    st.sampled_from(EXTREMES),
    st.floats(0.4, 10).map("power:{}".format).map(canonical_stretch),
    st.floats(0.01, 1e9).map("log:{}".format).map(canonical_stretch),
    st.floats(0.01, 1e9).map("asinh:{}".format).map(canonical_stretch),
)


def shown(
    values: NDArray[np.float32], gamma: float, stretch: str = "linear", *, invert: bool = False
) -> NDArray[np.int64]:
    """Bytes of values that are 0 … 1 already."""
    brick = values.astype(np.float32).reshape(1, 1, -1)
    tables = LookTables(transfer_table(gamma, invert=invert, stretch=stretch), None)
    picture = render_plane(brick, 0, 0, 0, (1, values.size), 0.0, 1.0, 0.0, tables)
    return picture.reshape(-1).astype(np.int64)


def by_numpy(values: NDArray[np.floating[Any]], gamma: float, stretch: str = "linear") -> NDArray[np.float64]:
    clipped = np.clip(np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return 255 * np.power(stretch_values(stretch, clipped), 1 / gamma)


def edges(bits: int = 11) -> NDArray[np.float32]:
    """First and last float32 of every entry of the table: the function rises, so that its error is largest there."""
    step = 2 ** (23 - bits)
    first = np.arange(step, int(np.float32(1).view(np.int32)) + 3 * step, step, dtype=np.int32)
    return np.concatenate([first, first - 1]).view(np.float32)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_within_one_of_255_everywhere(gamma: float) -> None:
    values = edges()
    assert np.abs(shown(values, gamma) - by_numpy(values, gamma)).max() <= 1
    assert (np.diff(shown(np.sort(values), gamma)) >= 0).all()


@pytest.mark.parametrize("gamma", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("stretch", EXTREMES)
def test_stretched_within_one_of_255_everywhere(stretch: str, gamma: float) -> None:
    """First and last float of every entry, of the coarsest table to the finest."""
    values = edges(23 - transfer_table(gamma, stretch=stretch).shift)
    assert np.abs(shown(values, gamma, stretch) - by_numpy(values, gamma, stretch)).max() <= 1
    assert (np.diff(shown(np.sort(values), gamma, stretch)) >= 0).all()


@given(st.lists(st.floats(0, 1, width=32), min_size=1), st.floats(0.2, 5), STRETCHES)
def test_any_stretch_at_any_gamma(listed: list[float], gamma: float, stretch: str) -> None:
    values = np.array(listed, np.float32)
    assert np.abs(shown(values, gamma, stretch) - by_numpy(values, gamma, stretch)).max() <= 1
    table = transfer_table(gamma, stretch=stretch)
    assert table.values.size < 2**18
    assert (table.values[0], table.values[-1]) == (0, 255)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=65).map(sorted).filter(lambda one: one[0] < one[-1]),
    st.lists(st.floats(0, 1, width=32), min_size=1),
    st.floats(0.2, 5),
)
def test_histogram_jumps_within_a_hair(knots: list[float], listed: list[float], gamma: float) -> None:
    stretch = canonical_stretch(f"histogram:{','.join(map(repr, knots))}")
    values = np.array([*listed, *knots], np.float32)
    found = shown(values, gamma, stretch)
    hair, least = 2.0**-14, np.finfo(np.float32).tiny
    wide = values.astype(np.float64)
    assert (found >= by_numpy(wide * (1 - hair) - least, gamma, stretch) - 1).all()
    assert (found <= by_numpy(wide * (1 + hair) + least, gamma, stretch) + 1).all()
    table = transfer_table(gamma, stretch=stretch)
    assert table.values.size < 2**21
    assert (table.values[0], table.values[-1]) == (0, 255)


@given(st.floats(width=32), st.floats(0.2, 5))
def test_any_float_at_any_gamma(value: float, gamma: float) -> None:
    """Denormals, infinities, NaN, negative values and those beyond 1 among them."""
    values = np.array([value], np.float32)
    assert abs(shown(values, gamma)[0] - by_numpy(values, gamma)[0]) <= 1


@pytest.mark.parametrize("gamma", GAMMAS)
def test_ends_are_black_and_white(gamma: float) -> None:
    tiny = np.finfo(np.float32)
    black = np.array([0, -0.0, -1, -np.inf, np.nan, -1e30, tiny.smallest_subnormal, 1e-40], np.float32)
    white = np.array([1, np.inf, 2, 1e30, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    np.testing.assert_array_equal(shown(black, gamma), 0)
    np.testing.assert_array_equal(shown(white, gamma), 255)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.floats(0.2, 5))
def test_inverted_is_255_minus(values: list[float], gamma: float) -> None:
    array = np.array(values, np.float32)
    np.testing.assert_array_equal(shown(array, gamma, invert=True), 255 - shown(array, gamma))


def test_table_spans_the_bytes() -> None:
    for gamma in GAMMAS:
        table, first, shift = transfer_table(gamma)
        assert table.dtype == np.uint8
        assert shift == 23 - 11
        assert table.size == (127 << 11) - first + 1
        assert (table[0], table[-1]) == (0, 255)
        assert (np.diff(table.astype(int)) >= 0).all()
    assert len(np.unique(transfer_table(1.0).values)) == 256
