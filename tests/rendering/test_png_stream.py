"""PNG of bands that were compressed by themselves: what Pillow reads is what was written."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from visiomatic_dask.rendering.png_stream import joined_adler32, png_band, png_band_size, png_head, png_tail
from visiomatic_dask.rendering.tiff_layout import tiff_head


@given(st.binary(max_size=5000), st.binary(max_size=5000))
def test_joined_checksums_are_zlibs(first: bytes, second: bytes) -> None:
    joined = joined_adler32(zlib.adler32(first), zlib.adler32(second), len(second))
    assert joined == zlib.adler32(first + second)


@given(
    st.integers(1, 70),
    st.integers(1, 4),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_bands_make_one_picture(width: int, colours: int, heights: list[int], seed: int, smooth: bool) -> None:
    height = sum(heights)
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, colours), dtype=np.uint8)
    if smooth:
        picture = np.cumsum(picture // 100, axis=1, dtype=np.uint8)
    data, checksum, top = png_head(width, height, colours), 1, 0
    for rows in heights:
        chunk, own = png_band(picture[top : top + rows])
        data += chunk
        checksum = joined_adler32(checksum, own, png_band_size(rows, width, colours))
        top += rows
    with Image.open(io.BytesIO(data + png_tail(checksum))) as image:
        image.verify()
    with Image.open(io.BytesIO(data + png_tail(checksum))) as image:
        assert np.array_equal(np.asarray(image).reshape(picture.shape), picture)


@pytest.mark.parametrize("largest", [2**32 - 1, 1000])
@pytest.mark.parametrize("colours", [1, 2, 3, 4])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (53, 97), (2000, 1500)])
def test_pixels_after_a_tiff_head_are_the_picture(width: int, height: int, colours: int, largest: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (height, width, colours), dtype=np.uint8)
    head = tiff_head(width, height, colours, largest)
    assert head[2] == (43 if len(head) + picture.size > largest else 42)
    with Image.open(io.BytesIO(head + picture.tobytes())) as image:
        assert np.array_equal(np.asarray(image).reshape(picture.shape), picture)


def test_a_tiff_beyond_4_gb_is_a_bigtiff() -> None:
    assert tiff_head(70_000, 70_000, 1)[:4] == b"II\x2b\x00"
    assert tiff_head(60_000, 60_000, 1)[:4] == b"II\x2a\x00"
