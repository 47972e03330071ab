"""The brick loader: level k is the mean over the finite pixels of level 0; previews keep to a limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.fake_reader import FakeReader
from tests.contracts.strategies import block_means, planes
from visiomatic_dask.pyramid import Box, level_count, level_size, load_block, load_preview_box, loading, preview


def loaded(array: NDArray[Any], level: int, box: Box, plane: int = 0) -> NDArray[np.float32]:
    out = np.full((box.rows, box.columns), 7e7, np.float32)
    load_block(FakeReader(array), (plane, plane + 1), level, box, out[np.newaxis])
    return out


def expected(plane: NDArray[Any], level: int, box: Box) -> NDArray[np.float64]:
    raster = plane[::-1].astype(np.float32)
    whole = block_means(raster, level) if level else raster.astype(np.float64)
    return whole[box.top : box.bottom, box.left : box.right]


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, ...], level: int) -> Box:
    """Any rectangle of a level, not empty; often the whole."""
    height, width = level_size(shape[0], level), level_size(shape[1], level)
    if draw(st.booleans()):
        return Box(0, 0, height, width)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Box(top, left, draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width)))


@given(planes(), st.integers(0, 7), st.data())
def test_level_is_the_nanmean_of_level_0(plane: NDArray[np.float32], level: int, data: st.DataObject) -> None:
    """Odd sizes, 1x1, NaN, infinities, any box, any size of the band that is read at a time."""
    box = data.draw(boxes(plane.shape, level))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_BAND", data.draw(st.sampled_from([1, 100, 700, 2**21])))
        found = loaded(plane, level, box)
    np.testing.assert_allclose(found, expected(plane, level, box), rtol=1e-6, atol=2e-4)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 6), st.integers(1, 20000), st.data())
def test_integers_are_exact_and_bands_do_not_matter(
    height: int, width: int, level: int, band: int, data: st.DataObject
) -> None:
    """Sums of small integers are exact, so the oracle is met to the last bit, whatever the band."""
    plane = np.random.default_rng(height * 100 + width).integers(-999, 999, (height, width), dtype=np.int16)
    box = data.draw(boxes(plane.shape, level))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_BAND", band)
        found = loaded(plane, level, box)
    np.testing.assert_array_equal(found, expected(plane, level, box).astype(np.float32))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 6), st.sampled_from([8, 64, 1000, 2**21]))
def test_every_pixel_of_the_box_is_read_once(height: int, width: int, level: int, band: int) -> None:
    reader = FakeReader(np.zeros((height, width), np.float32))
    rows, columns = level_size(height, level), level_size(width, level)
    box = Box(rows // 2, columns // 2, rows, columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_BAND", band)
        load_block(reader, (0, 1), level, box, np.empty((1, box.rows, box.columns), np.float32))
    read = np.zeros((height, width), int)
    for window in reader.windows:
        read[window.slices] += 1
        assert window.size * 4 <= max(band, 4 * width)
    wanted = np.zeros((height, width), int)
    wanted[: height - (box.top << level), box.left << level :] = 1
    np.testing.assert_array_equal(read, wanted)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_dtype_and_plane(dtype: str) -> None:
    cube = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7).astype(dtype)
    for plane in range(6):
        one = cube.reshape(6, 5, 7)[plane]
        for level in range(4):
            box = Box(0, 0, level_size(5, level), level_size(7, level))
            found = loaded(cube, level, box, plane)
            np.testing.assert_allclose(found, expected(one, level, box), rtol=1e-6)
            assert found.dtype == np.float32


def test_level_0_keeps_nan_and_infinities() -> None:
    plane = np.array([[1, np.nan], [np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(loaded(plane, 0, Box(0, 0, 2, 2)), plane[::-1])


def test_blocks_without_a_finite_pixel_are_nan() -> None:
    plane = np.array([[np.nan, np.inf, 1], [-np.inf, np.nan, 3]], np.float32)
    np.testing.assert_array_equal(loaded(plane, 1, Box(0, 0, 1, 2)), [[np.nan, 2]])


def test_float64_beyond_float32_counts_as_invalid() -> None:
    assert loaded(np.array([[1e300, 4.0]]), 1, Box(0, 0, 1, 1)) == 4.0


def test_half_empty_blocks_are_no_mean_of_means() -> None:
    """Level 2 weighs every finite pixel alike, not every block of level 1."""
    plane = np.full((4, 4), np.nan, np.float32)
    plane[0, 0] = 100
    plane[2:, 2:] = 0
    assert loaded(plane, 2, Box(0, 0, 1, 1)) == 20


@st.composite
def previews(draw: st.DrawFn) -> tuple[NDArray[np.float32], int, Box, int]:
    height, width = draw(st.integers(1, 200)), draw(st.integers(1, 60))
    level = draw(st.integers(0, level_count(width, height, 8)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    plane = random.normal(size=(height, width)).astype(np.float32)
    plane[random.random(plane.shape) < 0.2] = np.nan
    box = draw(boxes(plane.shape, level))
    return plane, level, box, draw(st.one_of(st.integers(1, 3000), st.integers(1, 100_000)))


@given(previews())
def test_previews_read_whole_rows_within_the_limit(case: tuple[NDArray[np.float32], int, Box, int]) -> None:
    plane, level, box, limit = case
    reader = FakeReader(plane)
    out = np.full((box.rows, box.columns), 7e7, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "LEAST_READ", 64)
        load_preview_box(reader, 0, level, box, out, limit)
    left, right = box.left << level, min(box.right << level, plane.shape[1])
    assert reader.bytes_read <= max(limit, 4 * (right - left))  # a single row is read whatever it takes
    raster = plane[::-1]
    top, bottom = box.top << level, min(box.bottom << level, plane.shape[0])
    assert all(w.start[1] == left and w.stop[1] == right and w.step[1] == 1 for w in reader.windows)
    rows = sorted(plane.shape[0] - 1 - y for w in reader.windows for y in w.ranges[0])
    assert len(set(rows)) == len(rows)
    assert len(rows) <= max(1, limit // 64)
    assert top <= rows[0] <= rows[-1] < bottom
    assert len(set(np.diff(rows))) <= 1  # evenly
    # Every row of the picture is the exact mean along x over the source rows taken of its block, or is interpolated
    # between the nearest above and below; where either is NaN it is the nearer.
    means = {}
    for i in range(box.rows):
        taken = [y for y in rows if y >> level == box.top + i]
        if taken:
            sums = [raster[taken][:, x : x + (1 << level)].astype(np.float64) for x in range(left, right, 1 << level)]
            means[i] = np.array([np.nan if np.isnan(one).all() else np.nanmean(one) for one in sums])
    for i in range(box.rows):
        above = max((one for one in means if one <= i), default=min(means))
        below = min((one for one in means if one >= i), default=max(means))
        weight = (i - above) / (below - above) if below > above else 0
        nearest = means[above] if weight < 0.5 else means[below]
        between = means[above] * (1 - weight) + means[below] * weight
        np.testing.assert_allclose(out[i], np.where(np.isnan(between), nearest, between), rtol=1e-5, atol=1e-5)


def test_previews_of_a_smooth_picture_are_smooth() -> None:
    """What lies between the rows that are read is interpolated, not repeated."""
    plane = np.repeat(np.arange(512, dtype=np.float32)[:, None], 64, axis=1)
    out = np.empty((128, 16), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "LEAST_READ", 1)
        load_preview_box(FakeReader(plane), 0, 2, Box(0, 0, 128, 16), out, 16 * 64 * 4)
    assert np.abs(np.diff(out[8:-8], axis=0) + 4).max() < 1


@given(planes(most_side=30), st.integers(0, 5), st.data())
def test_preview_without_need_is_exact(plane: NDArray[np.float32], level: int, data: st.DataObject) -> None:
    box = data.draw(boxes(plane.shape, level))
    out = np.empty((box.rows, box.columns), np.float32)
    most = box.rows * plane.shape[1] * 4 << level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "LEAST_READ", 1)
        load_preview_box(FakeReader(plane), 0, level, box, out, most)
    wanted = expected(plane, level, box)
    wanted = np.where(np.isfinite(wanted), wanted, np.nan)
    np.testing.assert_allclose(out, wanted, rtol=1e-6, atol=2e-4)
