"""Samples for statistics: bounded, evenly spread, whole rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.pyramid import sample_plane, sampled_channels


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_channels_are_few_and_evenly_spread(count: int, most: int) -> None:
    channels = sampled_channels(count, most)
    assert channels == sorted(set(channels))
    assert len(channels) == min(count, most)
    assert 0 <= channels[0] <= channels[-1] < count
    if most > 1:
        assert (channels[0], channels[-1]) == (0, count - 1)
        steps = np.diff(channels)
        assert steps.size == 0 or steps.max() - steps.min() <= 1


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20_000), st.sampled_from(["u1", "i2", "f4", "f8"]))
def test_sample_keeps_to_the_limit(height: int, width: int, limit: int, dtype: str) -> None:
    array = np.arange(2 * height * width).reshape(2, height, width).astype(dtype)
    reader = FakeReader(array)
    sample = sample_plane(reader, 1, limit)
    assert sample.dtype == np.float32
    assert reader.bytes_read <= max(limit, array.itemsize)
    (window,) = reader.windows
    np.testing.assert_array_equal(sample, array[window.slices][0].astype(np.float32))
    assert window.start[0] == 1
    if width * array.itemsize <= limit:
        assert sample.shape[1] == width
    else:  # part of one row, from its middle
        assert sample.shape[0] == 1
        assert abs(window.start[2] + window.stop[2] - width) <= 1


@given(st.integers(1, 300), st.integers(1, 300))
def test_rows_are_as_many_as_the_limit_allows_and_centred(height: int, rows: int) -> None:
    reader = FakeReader(np.zeros((height, 5), np.float32))
    sample = sample_plane(reader, 0, rows * 20)
    assert sample.shape == (min(rows, height), 5)
    taken = reader.windows[0].ranges[0]
    below, above = taken[0], height - 1 - taken[-1]
    assert abs(below - above) <= 1
    assert taken.step <= height / len(taken)


def test_nan_and_infinities_stay() -> None:
    array = np.array([[np.nan, np.inf, 1e300]])
    np.testing.assert_array_equal(sample_plane(FakeReader(array), 0, 1000), [[np.nan, np.inf, np.inf]])


@pytest.mark.parametrize("count", [1, 16, 17, 4000])
def test_sixteen_channels_are_the_default(count: int) -> None:
    assert len(sampled_channels(count, 16)) == min(count, 16)
