"""Values and profiles equal what numpy takes from the array; lines equal an independent Bresenham."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.analysis import bresenham, line_profile, pixel_values

CUBE = np.arange(2 * 3 * 7 * 9, dtype=np.int32).reshape(2, 3, 7, 9) * 10
PLANES = CUBE.reshape(6, 7, 9)
ENDS = st.tuples(st.integers(-300, 300), st.integers(-300, 300))
NEAR = st.tuples(st.integers(-4, 13), st.integers(-4, 11))
CHANNELS = st.one_of(st.none(), st.lists(st.integers(-2, 8), max_size=5))


def line_by_fractions(start: tuple[int, int], stop: tuple[int, int]) -> list[tuple[int, int]]:
    """At every step along the longer distance the pixel nearest to the exact line; of two alike the farther one."""
    steps = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]))
    points = []
    for step in range(steps + 1):
        point = []
        for a, b in zip(start, stop, strict=True):
            away = floor(Fraction(abs(b - a) * step, steps or 1) + Fraction(1, 2))
            point.append(a + away if b >= a else a - away)
        points.append((point[0], point[1]))
    return points


@given(ENDS, ENDS)
def test_line_equals_the_exact_one(start: tuple[int, int], stop: tuple[int, int]) -> None:
    x, y = bresenham(start, stop)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == line_by_fractions(start, stop)


@given(ENDS, ENDS)
def test_line_has_both_ends_and_no_gap(start: tuple[int, int], stop: tuple[int, int]) -> None:
    x, y = bresenham(start, stop)
    assert (x[0], y[0]) == start
    assert (x[-1], y[-1]) == stop
    steps = np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y)))
    assert (steps == 1).all()
    assert len(x) == max(abs(stop[0] - start[0]), abs(stop[1] - start[1])) + 1
    # No pixel is farther from the line than half a pixel, along the shorter axis.
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    assert (2 * np.abs((x - start[0]) * dy - (y - start[1]) * dx) <= max(abs(dx), abs(dy))).all()


def test_far_lines_are_exact() -> None:
    """Integers throughout: at 10^8 pixels from the origin a float32 would be off by 8."""
    x, y = bresenham((10**8 + 1, -(10**8)), (10**8 + 4, -(10**8) + 1))
    assert x.tolist() == [10**8 + i for i in (1, 2, 3, 4)]
    assert y.tolist() == [-(10**8), -(10**8), -(10**8) + 1, -(10**8) + 1]


@given(NEAR, CHANNELS)
def test_pixel_values_are_numpys(pixel: tuple[int, int], channels: list[int] | None) -> None:
    x, y = pixel
    values = pixel_values(FakeReader(CUBE), channels, x, y)
    inside = 0 <= x < 9 and 0 <= y < 7
    expected = [
        PLANES[c, y, x] if inside and 0 <= c < 6 else np.nan for c in (range(6) if channels is None else channels)
    ]
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, expected)


def test_a_spectrum_is_one_read_and_outside_none() -> None:
    reader = FakeReader(CUBE)
    pixel_values(reader, None, 8, 6)
    assert [window.shape for window in reader.windows] == [(2, 3, 1, 1)]
    reader = FakeReader(CUBE)
    assert np.isnan(pixel_values(reader, None, 9, 0)).all()
    assert np.isnan(pixel_values(reader, [0, 1], 0, -1)).all()
    assert reader.windows == []


def test_images_have_one_channel() -> None:
    reader = FakeReader(np.array([[1.5, np.nan]], np.float32))
    np.testing.assert_array_equal(pixel_values(reader, None, 0, 0), [1.5])
    np.testing.assert_array_equal(pixel_values(reader, [0, 1], 1, 0), [np.nan, np.nan])
    _, _, values = line_profile(reader, None, (0, 0), (1, 0))
    np.testing.assert_array_equal(values, [[1.5], [np.nan]])


def test_precision_is_the_sources() -> None:
    """A float64 that no float32 holds, and an integer up to 2^53, come through."""
    assert pixel_values(FakeReader(np.array([[1 + 1e-12]])), [0], 0, 0) == [1 + 1e-12]
    assert pixel_values(FakeReader(np.array([[2**53 - 1]])), [0], 0, 0) == [2.0**53 - 1]


@given(NEAR, NEAR, CHANNELS)
def test_profile_is_numpys(start: tuple[int, int], stop: tuple[int, int], channels: list[int] | None) -> None:
    reader = FakeReader(CUBE)
    x, y, values = line_profile(reader, channels, start, stop)
    chosen = range(6) if channels is None else channels
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == line_by_fractions(start, stop)
    assert values.shape == (len(x), len(chosen))
    for i, (px, py) in enumerate(zip(x, y, strict=True)):
        inside = 0 <= px < 9 and 0 <= py < 7
        for j, c in enumerate(chosen):
            expected = PLANES[c, py, px] if inside and 0 <= c < 6 else np.nan
            np.testing.assert_array_equal(values[i, j], expected)


@given(ENDS, ENDS)
def test_profile_reads_a_narrow_strip_in_few_reads(start: tuple[int, int], stop: tuple[int, int]) -> None:
    """A read for every 64 points of the line, each of a box around them."""
    shape = (1, 900, 900)
    reader = FakeReader(np.broadcast_to(np.int16(1), shape))
    moved = [(x + 450, y + 450) for x, y in (start, stop)]
    x, y, values = line_profile(reader, [0], moved[0], moved[1])
    assert (values == 1).all()
    assert len(reader.windows) == -(-len(x) // 64)
    assert reader.bytes_read <= 2 * len(x) * 64
    for i, window in enumerate(reader.windows):
        piece = slice(64 * i, 64 * i + 64)
        assert window.start == (0, y[piece].min(), x[piece].min())
        assert window.stop == (1, y[piece].max() + 1, x[piece].max() + 1)


@given(chunked_fakes(), st.data())
def test_chunked_sources_give_the_same(fake: ChunkedFake, data: st.DataObject) -> None:
    plain = FakeReader(fake.array)
    ends = st.tuples(st.integers(-4, fake.shape[-1] + 4), st.integers(-4, fake.shape[-2] + 4))
    start, stop = data.draw(ends), data.draw(ends)
    channels = data.draw(CHANNELS)
    np.testing.assert_array_equal(pixel_values(fake, channels, *start), pixel_values(plain, channels, *start))
    for found, expected in zip(
        line_profile(fake, channels, start, stop), line_profile(plain, channels, start, stop), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@given(NEAR, NEAR)
def test_every_chunk_along_a_line_is_decoded_once(start: tuple[int, int], stop: tuple[int, int]) -> None:
    array = np.arange(8 * 300 * 300, dtype=np.int32).reshape(8, 300, 300)
    fake = ChunkedFake(array, (4, 100, 32), 7)
    x, y, values = line_profile(fake, None, *((20 * x, 20 * y) for x, y in (start, stop)))
    inside = (x >= 0) & (x < 300) & (y >= 0) & (y < 300)
    np.testing.assert_array_equal(values[inside], array[:, y[inside], x[inside]].T)
    assert fake.most_often <= 1
    fake.decoded.clear()
    np.testing.assert_array_equal(
        pixel_values(fake, [7, 1, 0, 99, 1], 5, 6), [*array[[7, 1, 0], 6, 5], np.nan, array[1, 6, 5]]
    )
    assert len(fake.decoded) == 2
