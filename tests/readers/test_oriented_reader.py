"""Oriented readers keep the contract whatever the order of the file's axes, and read runs of bytes, not pixels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake
from tests.contracts.fake_reader import FakeReader
from tests.contracts.reader_contract import ReaderContract, Source
from tests.contracts.strategies import windows
from visiomatic_dask.cube import Reader, SourceFile, Window, first_chunk_rows
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import oriented_reader
from visiomatic_dask.readers.oriented_reader import OrientedReader, oriented
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling

ORDERS = [
    ((1, 2, 0), False),
    ((2, 0, 1), True),  # BIP: spectra one after the other, from the top
    ((1, 0, 2), True),  # BIL
    ((0, 1, 2), True),
    ((0, 2, 1), False),
]
ARRAY = np.arange(5 * 7 * 6, dtype="<i2").reshape(5, 7, 6)


def raw(path: Path) -> RawReader:
    return RawReader(SourceFile.of(path), 0, ARRAY.shape, Scaling("<i2"))


class TestOrientedReader(ReaderContract):
    @pytest.fixture(params=ORDERS, ids=str)
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Source:
        order, y_down = request.param
        path = tmp_path / "array.raw"
        ARRAY.tofile(path)
        pixels = ARRAY.transpose(order)
        return Source(path, OrientedReader(raw(path), order, y_down), pixels[:, ::-1] if y_down else pixels)

    def reopen(self, source: Source, path: Path) -> Reader:
        if path.stat().st_size < ARRAY.nbytes:  # what a format would say
            raise UnreadableCube(f"{path.name} is truncated")
        reader = source.reader
        assert isinstance(reader, OrientedReader)
        return dataclasses.replace(reader, inner=raw(path))

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = source.reader
        assert isinstance(reader, OrientedReader)
        os.truncate(path, ARRAY.nbytes - 1)
        return dataclasses.replace(reader, inner=raw(path))


@dataclass(frozen=True)
class Ranges:
    """Bytes in memory that keep account of what is asked for."""

    data: bytes
    asked: list[tuple[int, int]] = field(default_factory=list)
    name = "ranges"
    fingerprint = "0123456789abcdef"
    size = property(lambda self: len(self.data))

    def check(self) -> None:
        pass

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int], out: memoryview) -> None:
        self.asked.extend(zip(offsets, sizes, strict=True))
        out[:] = b"".join(self.data[first : first + size] for first, size in zip(offsets, sizes, strict=True))


def test_a_plane_of_a_file_of_spectra_is_read_by_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(40 * 30 * 20, dtype="<f4").reshape(40, 30, 20)
    source = Ranges(array.tobytes())
    reader = oriented(RawReader(source, 0, array.shape, Scaling("<f4")), (2, 0, 1), y_down=True)
    assert reader.chunks == (20, 1, 1)
    window = Window((3, 10, 5), (5, 22, 15))
    np.testing.assert_array_equal(reader.read(window), array.transpose(2, 0, 1)[:, ::-1][window.slices])
    assert [size for _, size in source.asked] == [10 * 20 * 4] * 12
    # However much more that is than what is wanted, little of it is held.
    monkeypatch.setattr(oriented_reader, "_BUFFER", 3000)
    sizes: list[int] = []
    read = RawReader.read

    def noting(self: RawReader, one: Window) -> NDArray[Any]:
        sizes.append(one.size * 4)
        return read(self, one)

    monkeypatch.setattr(RawReader, "read", noting)
    whole = Window((3, 0, 0), (4, 40, 30), (1, 3, 2))
    np.testing.assert_array_equal(reader.read(whole), array.transpose(2, 0, 1)[:, ::-1][whole.slices])
    assert max(sizes) <= 3000


def test_chunks_of_another_reader_are_left_to_it() -> None:
    fake = ChunkedFake(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6), (2, 2, 3))
    reader = oriented(fake, (2, 0, 1))
    window = Window((1, 0, 0), (2, 4, 5))
    np.testing.assert_array_equal(reader.read(window), fake.array.transpose(2, 0, 1)[window.slices])
    assert {chunk[2] for chunk in fake.decoded} == {0}
    assert reader.chunks == (3, 2, 2)


def test_chunks_are_counted_from_where_the_file_starts() -> None:
    fake = ChunkedFake(np.zeros((3, 50, 40), np.float32), (1, 16, 16))
    assert first_chunk_rows(oriented(fake, (0, 1, 2), y_down=True)) == 2
    assert first_chunk_rows(oriented(fake, (0, 2, 1), y_down=True)) == 8
    assert first_chunk_rows(oriented(fake, (0, 2, 1))) == 0
    assert first_chunk_rows(fake) == 0
    assert oriented(plain := FakeReader(fake.array), (0, 1, 2)) is plain


@given(st.data(), st.permutations(range(4)), st.booleans())
def test_windows_are_those_of_the_turned_array(data: st.DataObject, order: list[int], y_down: bool) -> None:
    array = np.arange(3 * 5 * 7 * 2).reshape(3, 5, 7, 2)
    reader = OrientedReader(FakeReader(array), tuple(order), y_down)
    expected = array.transpose(order)
    if y_down:
        expected = expected[..., ::-1, :]
    assert reader.shape == expected.shape
    window = data.draw(windows(reader.shape))
    pixels = reader.read(window)
    np.testing.assert_array_equal(pixels, expected[window.slices])
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_token_says_how_it_is_turned() -> None:
    fake = FakeReader(np.zeros((2, 3, 4, 5)))
    tokens = {OrientedReader(fake, order, down).token for order in permutations(range(4)) for down in (False, True)}
    assert len(tokens) == 48
