"""Styles: everything that turns values into the bytes of a picture. Frozen, hashable, with one canonical text."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from visiomatic_dask.errors import InvalidRequest

ImageFormat = Literal["jpeg", "png", "webp"]
MEDIA_TYPES: dict[ImageFormat, str] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

BRIGHTNESS = (-100.0, 100.0)
CONTRAST = (0.0, 1000.0)
GAMMA = (0.2, 5.0)
QUALITY = (0, 100)


def _canonical(value: float) -> str:
    """Write equal numbers alike: 1 as 1.0, and zero without a sign."""
    return repr(value + 0.0)


@dataclass(frozen=True)
class Cut:
    """The values shown black and white, `low` and `high`; the other way round where low is above high.

    Raises
    ------
    InvalidRequest
        If the two are equal, or one is not finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.high != self.low):
            raise InvalidRequest.value("cuts", f"{self.low},{self.high}", "two finite numbers that differ")

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        return f"{_canonical(self.low)},{_canonical(self.high)}"


@dataclass(frozen=True)
class Mono:
    """One channel, through a colormap.

    Attributes
    ----------
    channel : int
        From 0, over all axes before y and x, flattened.
    cut : Cut
        What is black and what is white.
    """

    channel: int
    cut: Cut

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        return f"mono {self.channel}:{self.cut.text}"


@dataclass(frozen=True)
class Mix:
    """A weighted sum of channels in each of red, green and blue.

    Attributes
    ----------
    channels : tuple of int
        From 0, ascending.
    cuts : tuple of Cut
        One a channel: (x - low)/(high - low) is what is summed.
    weights : tuple of (float, float, float)
        One a channel: its shares in red, green and blue; may be negative.
    """

    channels: tuple[int, ...]
    cuts: tuple[Cut, ...]
    weights: tuple[tuple[float, float, float], ...]

    @property
    def weight_sums(self) -> tuple[float, float, float]:
        """Sums of the weights in red, green and blue."""
        r, g, b = (sum(column) for column in zip(*self.weights, strict=True))
        return r, g, b

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        rows = zip(self.channels, self.cuts, self.weights, strict=True)
        return "mix " + " ".join(f"{c}:{cut.text}:{','.join(map(_canonical, w))}" for c, cut, w in rows)


@dataclass(frozen=True)
class Look:
    """What is done to values once cuts and mix are applied: none of it needs the pixels read again.

    Attributes
    ----------
    contrast : float
        Factor, 0 to 1000.
    brightness : float
        Per cent of the range, -100 to 100, added before the factor.
    gamma : float
        Display gamma, 0.2 to 5: v becomes v^(1/gamma).
    colormap : str
        Name known to `visiomatic_dask.rendering.colormaps`; for single channels only.
    invert : bool
        Swap black and white, before the colormap.
    quality : int
        Of JPEG and WebP, 0 to 100.
    format : {"jpeg", "png", "webp"}
        Encoding.

    Raises
    ------
    InvalidRequest
        If a number is out of its range; the message names it.
    """

    contrast: float = 1.0
    brightness: float = 0.0
    gamma: float = 2.2
    colormap: str = "grey"
    invert: bool = False
    quality: int = 90
    format: ImageFormat = "jpeg"

    def __post_init__(self) -> None:
        for name, (low, high) in {
            "contrast": CONTRAST,
            "brightness": BRIGHTNESS,
            "gamma": GAMMA,
            "quality": QUALITY,
        }.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidRequest.value(name, value, f"a number from {low:g} to {high:g}")

    @cached_property
    def fields(self) -> tuple[Any, ...]:
        """The attributes in order: how a look travels."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        return (
            f"contrast={_canonical(self.contrast)} brightness={_canonical(self.brightness)} "
            f"gamma={_canonical(self.gamma)} "
            f"colormap={self.colormap} invert={self.invert} quality={self.quality} format={self.format}"
        )


@dataclass(frozen=True)
class Style:
    """What is shown, and how it looks."""

    content: Mono | Mix
    look: Look

    @cached_property
    def text(self) -> str:
        """Canonical text: equal for two styles if and only if they are equal."""
        return f"{self.content.text} {self.look.text}"

    @property
    def low(self) -> float:
        """What is subtracted from brick values first: the lower cut, or 0 for a mix, where that is done already."""
        return self.content.cut.low if isinstance(self.content, Mono) else 0.0

    @cached_property
    def scale_offset(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Factors and summands that take values above `low` to 0 … 1.

        One of each for a single channel, three for a mix.

        ``v = (x - low)/(high - low)·contrast + 0.01·contrast·brightness``. In a mix the first term is summed already,
        and the brightness, added to each channel before mixing, is multiplied by the sum of the weights.
        """
        contrast, shift = self.look.contrast, 0.01 * self.look.contrast * self.look.brightness
        if isinstance(self.content, Mono):
            return (contrast / (self.content.cut.high - self.content.cut.low),), (shift,)
        return (contrast,) * 3, tuple(shift * total for total in self.content.weight_sums)
