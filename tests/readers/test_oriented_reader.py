"""Axes in any order and rows from either end: the oriented reader is the array, transposed and flipped."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.fake_reader import FakeReader
from tests.contracts.strategies import windows
from visiomatic_dask.cube import Window
from visiomatic_dask.readers.oriented_reader import OrientedReader, oriented

ARRAY = np.arange(3 * 5 * 7 * 2).reshape(3, 5, 7, 2)


@given(st.data(), st.permutations(range(4)), st.booleans())
def test_windows_are_those_of_the_turned_array(data: st.DataObject, order: list[int], y_down: bool) -> None:
    reader = OrientedReader(FakeReader(ARRAY), tuple(order), y_down)
    expected = ARRAY.transpose(order)
    if y_down:
        expected = expected[..., ::-1, :]
    assert reader.shape == expected.shape
    window = data.draw(windows(reader.shape))
    pixels = reader.read(window)
    np.testing.assert_array_equal(pixels, expected[window.slices])
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_only_what_is_needed_is_read() -> None:
    fake = FakeReader(ARRAY)
    OrientedReader(fake, (3, 0, 1, 2), y_down=True).read(Window((0, 2, 1, 0), (1, 3, 3, 1)))
    assert fake.windows[0].size == 2


def test_an_axis_faster_than_x_is_read_whole() -> None:
    assert OrientedReader(FakeReader(ARRAY), (3, 0, 1, 2)).chunks == (2, 1, 1, 1)
    assert OrientedReader(FakeReader(ARRAY), (2, 3, 0, 1)).chunks == (7, 2, 1, 1)
    assert OrientedReader(FakeReader(ARRAY), (0, 1, 2, 3)).chunks == (1, 1, 1, 1)


def test_token_says_how_it_is_turned() -> None:
    fake = FakeReader(ARRAY)
    tokens = {OrientedReader(fake, order, down).token for order in permutations(range(4)) for down in (False, True)}
    assert len(tokens) == 48
    assert oriented(fake, (0, 1, 2, 3)) is fake
