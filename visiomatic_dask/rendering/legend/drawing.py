"""Drawings: a few shapes and texts, from which SVG and PNG are made alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon; coordinates in pixels, y down. Without `fill` only its outline."""

    points: tuple[tuple[float, float], ...]
    fill: str | None
    stroke: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """A rectangle that changes colour from left to right, or upwards.

    Attributes
    ----------
    x, y, width, height : float
        Where it is.
    colours : ndarray of uint8, (N, 3)
        From the left, or from the bottom.
    vertical : bool
        Whether it goes upwards.
    """

    x: float
    y: float
    width: float
    height: float
    colours: NDArray[np.uint8]
    vertical: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one pixel's width."""

    x1: float
    y1: float
    x2: float
    y2: float
    stroke: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text on a baseline."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Items, drawn in order, on a background or on none."""

    width: int
    height: int
    background: str | None
    items: tuple[Polygon | Gradient | Line | Text, ...]


def rectangle(x: float, y: float, width: float, height: float, fill: str | None, stroke: str | None = None) -> Polygon:
    """Make a rectangle."""
    return Polygon(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), fill, stroke)
