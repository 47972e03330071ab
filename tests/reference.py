"""Reference rendering in plain NumPy, float64: what docs/web-api.md says, written down a second time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Floats = NDArray[np.float64]
Picture = NDArray[np.int64]


def level_of(plane: NDArray[Any], level: int) -> Floats:
    """Mean of the finite pixels of each block, row 0 at the top of the picture."""
    values = np.asarray(plane, np.float64)[::-1]
    if level == 0:
        return values
    side = 1 << level
    rows, columns = (-(-size // side) for size in values.shape)
    padded = np.full((rows * side, columns * side), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows, side, columns, side)
    finite = np.isfinite(blocks)
    counts = finite.sum(axis=(1, 3))
    sums = np.where(finite, blocks, 0).sum(axis=(1, 3))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def tile_of(picture: NDArray[Any], row: int, column: int, size: int = 256) -> NDArray[Any]:
    """One tile of a level, cropped at the edges."""
    return picture[row * size : (row + 1) * size, column * size : (column + 1) * size]


def displayed(v: Floats, gamma: float = 2.2, invert: bool = False) -> Picture:
    """Clip, apply the display gamma, and count from 0 to 255."""
    grey = np.rint(255 * np.clip(v, 0, 1) ** (1 / gamma)).astype(np.int64)
    return 255 - grey if invert else grey


def mono(
    values: Floats,
    low: float,
    high: float,
    contrast: float = 1,
    brightness: float = 0,
    gamma: float = 2.2,
    invert: bool = False,
) -> Picture:
    """Render one channel."""
    v = np.where(np.isnan(values), low, values)
    return displayed((v - low) / (high - low) * contrast + 0.01 * contrast * brightness, gamma, invert)


def mix(
    channels: Sequence[Floats],
    cuts: Sequence[tuple[float, float]],
    weights: ArrayLike,
    contrast: float = 1,
    brightness: float = 0,
    gamma: float = 2.2,
    invert: bool = False,
) -> Picture:
    """Render channels in colour: (rows, columns, 3)."""
    total = np.zeros((*channels[0].shape, 3))
    for values, (low, high), row in zip(channels, cuts, np.asarray(weights, np.float64), strict=True):
        v = (np.where(np.isnan(values), low, values) - low) / (high - low) * contrast + 0.01 * contrast * brightness
        total += v[:, :, None] * row
    return displayed(total, gamma, invert)


def stretched(v: Floats, stretch: str = "linear", gamma: float = 1) -> Floats:
    """Clip, stretch and apply the display gamma: 0 to 1."""
    v = np.clip(v, 0, 1)
    name, _, number = stretch.partition(":")
    if name == "log":
        v = np.log1p(float(number) * v) / np.log1p(float(number))
    elif name == "asinh":
        v = np.arcsinh(float(number) * v) / np.arcsinh(float(number))
    elif name == "histogram":
        knots = np.array(number.split(","), np.float64)
        v = np.interp(v, knots, np.linspace(0, 1, knots.size))
    else:
        exponents = {"linear": 1.0, "sqrt": 0.5, "square": 2.0}
        v = v ** (float(number) if name == "power" else exponents[name])
    return np.asarray(v ** (1 / gamma))


def saturated(colours: Floats, saturation: float) -> Floats:
    """Multiply the distance of colours (…, 3) from their luma."""
    luma = (colours * [0.2126, 0.7152, 0.0722]).sum(axis=-1, keepdims=True)
    return np.asarray(luma + saturation * (colours - luma))


def hue_kept(colours: Floats, stretch: str, gamma: float) -> Floats:
    """Stretch the mean of colours (…, 3), and scale them alike: 0 to 1, after Lupton et al. (2004)."""
    mean = colours.sum(axis=-1, keepdims=True) / 3
    light = mean >= np.finfo(np.float32).tiny
    factor = np.where(light, stretched(mean, stretch, gamma) / np.where(light, mean, 1), 0)
    scaled = np.maximum(colours * factor, 0)
    return np.asarray(scaled / np.maximum(scaled.max(axis=-1, keepdims=True), 1))


def decoded(data: bytes) -> Picture:
    """Pixels of a JPEG or PNG: (rows, columns), or (rows, columns, 3) in colour."""
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.int64)


def assert_close(data: bytes, expected: Picture, most: float) -> None:
    """Compare an encoded picture with the reference: every pixel within `most`, those apart that are transparent."""
    picture = decoded(data)
    if picture.ndim == 3 and picture.shape[2] in (2, 4):
        opaque = picture[..., -1] == 255
        assert set(picture[~opaque].flat) <= {0}
        picture = picture[..., 0] if picture.shape[2] == 2 else picture[..., :3]
        expected = np.where(opaque if expected.ndim == 2 else opaque[..., np.newaxis], expected, 0)
    assert picture.shape == expected.shape
    worst = np.abs(picture - expected).max()
    assert worst <= most, f"differs by {worst}"
