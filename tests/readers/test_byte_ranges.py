"""The plan of reads, without any I/O: byte for byte what numpy's own indexing takes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.strategies import windows
from visiomatic_dask.cube import Window
from visiomatic_dask.readers.byte_ranges import byte_ranges, contiguous_window, whole_rows

SHAPES = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)
WINDOWED = SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), windows(shape).map(contiguous_window)))


@given(WINDOWED, st.sampled_from(["u1", "i2", "f4", "f8"]))
def test_concatenation_is_the_window(case: tuple[tuple[int, ...], Window], dtype: str) -> None:
    shape, window = case
    array = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    data = array.tobytes()
    ranges = byte_ranges(shape, array.itemsize, window)
    assert b"".join(data[one : one + ranges.size] for one in ranges.offsets) == array[window.slices].tobytes()
    assert (ranges.size > 0) == (len(ranges.offsets) > 0)


@given(SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), windows(shape, most_step=1))))
def test_ranges_are_as_long_as_can_be(case: tuple[tuple[int, ...], Window]) -> None:
    shape, window = case
    ranges = byte_ranges(shape, 4, window)
    for one, after in pairwise(ranges.offsets):
        assert one + ranges.size < after


@given(SHAPES.flatmap(windows))
def test_contiguous_window_spans_the_strided_one(window: Window) -> None:
    wide = contiguous_window(window)
    assert wide.step[-1] == 1
    assert wide.ranges[:-1] == window.ranges[:-1]
    assert set(window.ranges[-1]) <= set(wide.ranges[-1])


@pytest.mark.parametrize(
    ("window", "rows"),
    [
        (Window((0, 8), (50, 1024)), (0, 1088)),  # an overscan of 64 columns
        (Window((0, 8), (50, 1024), (2, 1)), (8, 1024)),  # every other row: the reads stay apart
        (Window((7, 8), (8, 1024)), (8, 1024)),  # one row is one read as it is
        (Window((0, 300), (50, 1088)), (300, 1088)),  # more than a quarter
        (Window((0, 8), (50, 8)), (8, 8)),
    ],
)
def test_rows_are_read_whole_where_that_adds_little(window: Window, rows: tuple[int, int]) -> None:
    wide = whole_rows((50, 1088), 2, window)
    assert (wide.start[-1], wide.stop[-1]) == rows
    assert wide.ranges[:-1] == window.ranges[:-1]


def test_a_page_is_the_most_that_is_added_to_a_row() -> None:
    window = Window((0, 0), (50, 99_000))
    assert whole_rows((50, 99_000 + 1024), 4, window).stop == (50, 99_000 + 1024)
    assert whole_rows((50, 99_000 + 1025), 4, window) == window


def test_terabytes_are_plain_integers() -> None:
    """Offsets of exabytes neither overflow nor turn into floats."""
    shape = (10**5, 10**6, 10**6)
    ranges = byte_ranges(shape, 8, Window((10**5 - 1, 10**6 - 1, 5), (10**5, 10**6, 10**6)))
    assert ranges.offsets == [8 * ((10**5 - 1) * 10**12 + (10**6 - 1) * 10**6 + 5)]
    assert ranges.offsets[0] + ranges.size == 8 * 10**17
