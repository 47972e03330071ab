"""The look: what is done to values once cuts and mix are applied. Frozen, hashable, with one canonical text."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.content import canonical
from visiomatic_dask.rendering.stretches import check_stretch

ImageFormat = Literal["jpeg", "png", "webp"]
MEDIA_TYPES: dict[ImageFormat, str] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
LARGEST_JPEG = 65_500
"""Pixels along a side that libjpeg encodes."""

BRIGHTNESS = (-100.0, 100.0)
CONTRAST = (0.0, 1000.0)
GAMMA = (0.2, 5.0)
QUALITY = (0, 100)
SATURATION = (0.0, 5.0)
OPACITY = (0.0, 1.0)
_RANGES: dict[str, tuple[float, float]] = {
    "contrast": CONTRAST,
    "brightness": BRIGHTNESS,
    "gamma": GAMMA,
    "quality": QUALITY,
    "saturation": SATURATION,
    "opacity": OPACITY,
}
_COLOUR = re.compile("#[0-9a-f]{6}")
TRANSPARENT = "transparent"
MARKS = ("bad", "under", "over")
"""Colours that stand for pixels."""


@dataclass(frozen=True)
class Look:
    """What is done to values once cuts and mix are applied: none of it needs the pixels read again.

    In this order: contrast and brightness, saturation, the stretch, gamma, inversion, the colormap, and the colours
    that stand for pixels without a value or outside the cuts.

    Attributes
    ----------
    contrast : float
        Factor, 0 to 1000.
    brightness : float
        Per cent of the range, -100 to 100, added before the factor.
    gamma : float
        Display gamma, 0.2 to 5: v becomes v^(1/gamma).
    colormap : str
        Name known to `visiomatic_dask.rendering.colormaps`; for what is not a mix.
    invert : bool
        Swap black and white, before the colormap.
    quality : int
        Of JPEG and WebP, 0 to 100.
    format : {"jpeg", "png", "webp"}
        Encoding.
    stretch : str
        Canonical text of a stretch of `visiomatic_dask.rendering.stretches`; ``linear`` leaves v as it is.
    saturation : float
        Of mixes, 0 (grey) to 5: each colour's distance from the luma (Rec. 709) is multiplied by it.
    hue : bool
        Of mixes: stretch the mean of the three colours and scale them alike, so that none changes its hue (Lupton et
        al. 2004, PASP 116, 133).
    bad : str
        What pixels without a finite value are shown as: a colour as ``#rrggbb``, ``transparent`` (PNG and WebP only),
        or nothing, for them to count as the lower cut.
    under, over : str
        The same for values below the lower and above the upper cut, of what is not a mix; nothing for the ends of the
        colormap.
    opacity : float
        Of the whole picture, 0 to 1; below 1 in PNG and WebP only.

    Raises
    ------
    InvalidRequest
        If a number is out of its range, or something cannot be had together; the message names it.
    """

    contrast: float = 1.0
    brightness: float = 0.0
    gamma: float = 2.2
    colormap: str = "grey"
    invert: bool = False
    quality: int = 90
    format: ImageFormat = "jpeg"
    stretch: str = "linear"
    saturation: float = 1.0
    hue: bool = False
    bad: str = ""
    under: str = ""
    over: str = ""
    opacity: float = 1.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidRequest.value(name, value, f"a number from {low:g} to {high:g}")
        check_stretch(self.stretch)
        for name in MARKS:
            colour = getattr(self, name)
            if colour and colour != TRANSPARENT and not _COLOUR.fullmatch(colour):
                raise InvalidRequest.value(name, colour, f"a colour as #rrggbb, or {TRANSPARENT}")
        if self.has_alpha and self.format == "jpeg":
            name = next((name for name in MARKS if getattr(self, name) == TRANSPARENT), "opacity")
            allowed = "1" if name == "opacity" else "a colour"
            raise InvalidRequest.value(name, getattr(self, name), f"{allowed} in JPEG; PNG and WebP have transparency")

    @property
    def has_alpha(self) -> bool:
        """Whether pixels can be transparent."""
        return self.opacity < 1 or TRANSPARENT in (self.bad, self.under, self.over)

    @property
    def is_plain(self) -> bool:
        """Whether no pixel has a colour that stands for it, so that the fast kernels do."""
        return not (self.bad or self.under or self.over or self.opacity < 1)

    @cached_property
    def fields(self) -> tuple[Any, ...]:
        """The attributes in order: how a look travels."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        return " ".join(
            f"{field.name}={canonical(value) if isinstance(field.default, float) else value}"
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        )
