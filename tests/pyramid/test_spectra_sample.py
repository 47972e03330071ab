"""Samples of spectra: the same pixels in all channels, and never more than the limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid import Storage, sample_spectra

FAR = 10**12


@given(
    st.integers(1, 6),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 20_000),
    st.sampled_from(["u1", "i2", "f4", "f8"]),
    st.data(),
)
def test_planes_in_rows(count: int, height: int, width: int, limit: int, dtype: str, data: st.DataObject) -> None:
    pixels = np.arange(height * width) % 120
    array = (np.arange(count)[:, np.newaxis] * 2 + pixels).reshape(count, height, width).astype(dtype)
    channels = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    reader = FakeReader(array)
    sample = sample_spectra(reader, channels, limit, FAR)
    assert sample.dtype == np.float32
    assert reader.bytes_read <= max(limit, len(channels) * array.itemsize)
    assert sample.shape[1] == len(channels)
    assert len(sample) >= 1
    np.testing.assert_array_equal(
        sample - sample[:, :1], np.tile(2 * (np.array(channels) - channels[0]), (len(sample), 1))
    )
    if len(channels) * height * width * array.itemsize <= limit:
        assert len(sample) == height * width


@given(chunked_fakes(), st.integers(1, 200_000), st.data())
def test_chunks(reader: ChunkedFake, limit: int, data: st.DataObject) -> None:
    storage = Storage.of(reader)
    channels = sorted(data.draw(st.sets(st.integers(0, storage.count - 1), min_size=1)))
    sample = sample_spectra(reader, channels, limit, FAR)
    assert sample.shape[1] == len(channels)
    assert 1 <= len(sample) <= storage.width * storage.height
    assert sample.size * storage.itemsize <= max(limit, 2 * len(channels) * storage.itemsize) + len(
        channels
    ) * storage.itemsize * max(1, storage.width * storage.height)
    whole = reader.array.reshape(storage.count, -1)[channels].T.astype(np.float32)
    spectra = {spectrum.tobytes() for spectrum in np.ascontiguousarray(whole)}
    assert {spectrum.tobytes() for spectrum in np.ascontiguousarray(sample)} <= spectra


def test_chunks_that_are_too_large() -> None:
    reader = ChunkedFake(np.zeros((50, 8, 8), np.float32), (1, 8, 8))
    assert sample_spectra(reader, range(50), 1, 50 * 256).shape == (1, 50)
    with pytest.raises(TooLarge, match="12,800 bytes at least; at most 12,799"):
        sample_spectra(reader, range(50), 1, 50 * 256 - 1)
