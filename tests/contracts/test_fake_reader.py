"""The fake keeps the contract as far as it goes: what it stands in for is a `Reader`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.errors import InvalidRequest


def test_fake_is_a_reader_that_counts() -> None:
    fake = FakeReader(np.arange(12, dtype=np.int16).reshape(3, 4))
    assert isinstance(fake, Reader)
    pixels = fake.read(Window((1, 0), (3, 4), (1, 3)))
    np.testing.assert_array_equal(pixels, [[4, 7], [8, 11]])
    assert fake.bytes_read == 8
    with pytest.raises(InvalidRequest):
        fake.read(Window((0, 0), (4, 4)))
    assert len(fake.windows) == 1
