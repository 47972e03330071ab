"""Encoded pictures decode to what they were: PNG to the byte, JPEG nearly."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from visiomatic_dask.rendering import MEDIA_TYPES, Look, encode


def decoded(data: bytes) -> tuple[str, NDArray[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        picture = np.asarray(image)
        return str(image.format), picture if picture.ndim == 3 else picture[:, :, None]


def smooth(rows: int, columns: int, bands: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:rows, :columns]
    return np.stack([(100 + k * 15 + 50 * np.sin(x / 40 + k) + 40 * np.cos(y / 50)) for k in range(bands)], 2).astype(
        np.uint8
    )


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 9))
def test_png_is_exact(rows: int, columns: int, bands: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (rows, columns, bands), np.uint8)
    kind, found = decoded(encode(picture, Look(format="png")))
    assert kind == "PNG"
    np.testing.assert_array_equal(found, picture)


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("shape", [(256, 256), (1, 1), (7, 250), (88, 3)])
def test_jpeg_is_near_and_keeps_its_shape(bands: int, shape: tuple[int, int]) -> None:
    picture = smooth(*shape, bands)
    kind, found = decoded(encode(picture, Look(quality=95)))
    assert kind == "JPEG"
    assert found.shape == picture.shape
    assert np.abs(found.astype(int) - picture).max() <= 8


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("shape", [(256, 256), (1, 1), (7, 250), (88, 3)])
def test_webp_is_near_and_keeps_its_shape(bands: int, shape: tuple[int, int]) -> None:
    picture = smooth(*shape, bands)
    kind, found = decoded(encode(picture, Look(quality=95, format="webp")))
    assert kind == "WEBP"
    assert found.shape == (*shape, 3)  # WebP knows no grey
    assert np.abs(found.astype(int) - picture).mean() <= 3


def test_colour_is_not_subsampled() -> None:
    """One red column beside one blue: with 4:2:0 they would come out purple."""
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:, ::2, 0] = 255
    picture[:, 1::2, 2] = 255
    _, found = decoded(encode(picture, Look(quality=95)))
    assert found[:, ::2, 0].min() > 200
    assert found[:, 1::2, 0].max() < 60


def test_quality_counts() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    sizes = [len(encode(picture, Look(quality=quality))) for quality in (0, 10, 50, 90, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 3


def test_every_format_has_a_media_type() -> None:
    assert MEDIA_TYPES == {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


@pytest.mark.parametrize("bands", [2, 4])
def test_alpha_of_png_is_exact(bands: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 11, bands), np.uint8)
    np.testing.assert_array_equal(decoded(encode(picture, Look(format="png")))[1], picture)


@pytest.mark.parametrize("bands", [2, 4])
def test_alpha_of_webp_is_exact_and_its_colours_are_near(bands: int) -> None:
    picture = np.concatenate([smooth(40, 60, bands - 1), np.full((40, 60, 1), 255, np.uint8)], axis=2)
    picture[:10, :, -1] = 0
    picture[10:20, :, -1] = 77
    _, found = decoded(encode(picture, Look(quality=95, format="webp")))
    assert found.shape == (40, 60, 4)
    np.testing.assert_array_equal(found[..., 3], picture[..., -1])
    colours = picture[..., [0, 0, 0]] if bands == 2 else picture[..., :3]
    assert np.abs(found[20:, :, :3].astype(int) - colours[20:]).mean() <= 3


@pytest.mark.parametrize("bands", [2, 4])
def test_alpha_that_is_opaque_everywhere_is_left_out(bands: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 11, bands), np.uint8)
    picture[..., -1] = 255
    for_png, for_webp = (encode(picture, Look(format=kind)) for kind in ("png", "webp"))
    np.testing.assert_array_equal(decoded(for_png)[1], picture[..., :-1])
    assert decoded(for_webp)[1].shape == (9, 11, 3)
