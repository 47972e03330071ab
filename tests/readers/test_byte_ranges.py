"""The plan of reads, without any I/O: byte for byte what numpy's own indexing takes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.strategies import windows
from visiomatic_dask.cube import Window
from visiomatic_dask.readers.byte_ranges import byte_ranges, contiguous_window

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


def test_terabytes_are_plain_integers() -> None:
    """Offsets of exabytes neither overflow nor turn into floats."""
    shape = (10**5, 10**6, 10**6)
    ranges = byte_ranges(shape, 8, Window((10**5 - 1, 10**6 - 1, 5), (10**5, 10**6, 10**6)))
    assert ranges.offsets == [8 * ((10**5 - 1) * 10**12 + (10**6 - 1) * 10**6 + 5)]
    assert ranges.offsets[0] + ranges.size == 8 * 10**17
