"""Samples for statistics: bounded, evenly spread, whole rows, or whole chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.pyramid import Storage, sample_layer, sample_plane
from visiomatic_dask.pyramid.sampling import sampled_channels


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


@given(chunked_fakes(most_side=40, most_leading=12), st.integers(1, 20_000), st.integers(1, 9), st.integers(1, 2000))
def test_samples_of_chunked_layers_keep_to_the_limit(
    fake: ChunkedFake, limit: int, most_channels: int, most_pixels: int
) -> None:
    storage = Storage.of(fake)
    assume(storage.is_chunked)
    count = storage.count
    samples = dict(sample_layer(fake, count, limit, most_channels, most_pixels))
    assert 1 <= len(samples) <= most_channels
    assert fake.bytes_decoded <= max(limit, storage.block_nbytes) or storage.beside > 1
    flat = fake.array.reshape(count, -1)
    for channel, sample in samples.items():
        assert sample.dtype == np.float32
        assert sample.size > 0
        if np.isfinite(sample).any():
            assert np.isin(sample[np.isfinite(sample)], flat[channel]).all()
    sizes = {sample.size for sample in samples.values()}
    if storage.depth == count:  # all from the same chunks
        assert len(sizes) == 1
        assert len(samples) == min(count, most_channels)
    if len({storage.block(channel) for channel in samples}) > 1:
        assert {0, count - 1} <= set(samples)


def test_channels_that_share_chunks_are_sampled_from_the_same_ones() -> None:
    fake = ChunkedFake(np.random.default_rng(1).normal(size=(64, 64, 64)).astype(np.float32), (16, 16, 16))
    samples = dict(sample_layer(fake, 64, 2**20, 16, 2**18))  # all that there is
    assert sorted(samples) == [first + i for first in (0, 16, 32, 48) for i in (0, 5, 10, 15)]
    assert len(fake.decoded) == 64
    assert fake.most_often == 1
    for channel, sample in samples.items():
        np.testing.assert_array_equal(np.sort(sample), np.sort(fake.array[channel].ravel()))


def test_few_large_chunks_are_sampled_rather_than_many_channels() -> None:
    fake = ChunkedFake(np.zeros((160, 64, 64), np.float32), (16, 32, 32))  # 10 blocks of four chunks of 64 kB
    samples = dict(sample_layer(fake, 160, 8 * 65536, 16, 2**18))
    assert len(fake.decoded) == 8
    assert {chunk[0] for chunk in fake.decoded} == {0, 9}
    assert len(samples) == 16
    assert {0, 159} <= set(samples)


def test_a_plane_is_sampled_by_whole_chunks() -> None:
    fake = ChunkedFake(np.arange(100 * 100, dtype=np.int32).reshape(1, 100, 100), (1, 10, 10))
    sample = sample_plane(fake, 0, 4000)
    assert sample.size == 900  # 3 x 3 of the ten chunks that could be read: both axes alike
    assert len(fake.decoded) == 9
    assert sample_plane(fake, 0, 10**6).size == 10_000
