"""Elements of recipes: frozen, each checked when it is made, in whatever form it was written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.content import COLLAPSE_METHODS, CollapseMethod
from visiomatic_dask.rendering.recipes.colours import Colour, check_colour

MOST_ELEMENTS = 256
"""Elements of a recipe, colours of a ramp and points of a table, each."""
_LARGEST_CHANNEL = 10**9


@dataclass(frozen=True, slots=True)
class Span:
    """A range of coordinates, both ends included.

    Attributes
    ----------
    start, stop : float
        In any order: a ramp runs from start to stop.
    unit : str
        Of both, as astropy reads it; empty for channel numbers, from 0.
    """

    start: float
    stop: float
    unit: str = ""

    def __post_init__(self) -> None:
        whole = self.unit or (_is_channel(self.start) and _is_channel(self.stop))
        if not (math.isfinite(self.start) and math.isfinite(self.stop) and whole):
            shown = f"{self.start:g}..{self.stop:g}{self.unit}"
            raise InvalidRequest.value("mix", shown, "a range of channel numbers from 0, or of coordinates with a unit")


@dataclass(frozen=True, slots=True)
class ChannelElement:
    """One channel with its weights in red, green and blue."""

    channel: int
    weights: Colour

    def __post_init__(self) -> None:
        if not _is_channel(self.channel):
            raise InvalidRequest.value("mix", self.channel, "for a channel an integer from 0")
        if not all(map(math.isfinite, self.weights)):
            raise InvalidRequest.value("mix", self.weights, "finite weights")


@dataclass(frozen=True, slots=True)
class RangeElement:
    """All channels of a span (None: of the layer), in one colour or a ramp of several."""

    span: Span | None
    ramp: tuple[Colour, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.ramp) <= MOST_ELEMENTS:
            raise InvalidRequest.value("mix", f"{len(self.ramp)} colours", f"a ramp of 1 to {MOST_ELEMENTS} colours")
        for colour in self.ramp:
            check_colour(colour)


@dataclass(frozen=True, slots=True)
class BandElement:
    """A response curve of a simple shape: a top-hat of full width `width`, or a Gaussian of that FWHM."""

    shape: Literal["tophat", "gauss"]
    centre: float
    width: float
    unit: str
    colour: Colour

    def __post_init__(self) -> None:
        check_colour(self.colour)
        if not (math.isfinite(self.centre) and 0 < self.width < math.inf):
            shown = f"{self.shape}:{self.centre:g},{self.width:g}{self.unit}"
            raise InvalidRequest.value("mix", shown, "a finite centre, and a width above 0")


@dataclass(frozen=True, slots=True)
class TableElement:
    """A tabulated response: linear between its points, 0 outside."""

    points: tuple[tuple[float, float], ...]
    unit: str
    colour: Colour

    def __post_init__(self) -> None:
        check_colour(self.colour)
        positions = [position for position, _ in self.points]
        usable = all(math.isfinite(x) and 0 <= y < math.inf for x, y in self.points)
        rising = all(a < b for a, b in itertools.pairwise(positions))
        if not (usable and rising and 2 <= len(positions) <= MOST_ELEMENTS and any(y for _, y in self.points)):
            raise InvalidRequest.value(
                "mix",
                f"a table of {len(positions)} points",
                f"2 to {MOST_ELEMENTS} rising points with responses from 0",
            )


@dataclass(frozen=True, slots=True)
class CIEElement:
    """True colour of visible light."""


@dataclass(frozen=True, slots=True)
class ComponentsElement:
    """Principal components of the channels of a span."""

    span: Span | None


@dataclass(frozen=True, slots=True)
class CollapseElement:
    """The channels of a span made one."""

    method: CollapseMethod
    span: Span | None

    def __post_init__(self) -> None:
        if self.method not in COLLAPSE_METHODS:
            raise InvalidRequest.value("mix", self.method, ", ".join(COLLAPSE_METHODS))


Summand = ChannelElement | RangeElement | BandElement | TableElement | CIEElement
Element = Summand | ComponentsElement | CollapseElement


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a mix is made of.

    Attributes
    ----------
    elements : tuple
        They add up; of several weights of one channel the last counts. Principal components, and channels made one,
        are alone.

    Raises
    ------
    InvalidRequest
        If there are none, too many, or others beside one that is alone.
    """

    elements: tuple[Element, ...]

    def __init__(self, elements: Iterable[Element]) -> None:
        given = tuple(elements)
        last = {one.channel: i for i, one in enumerate(given) if isinstance(one, ChannelElement)}
        kept = [one for i, one in enumerate(given) if not isinstance(one, ChannelElement) or last[one.channel] == i]
        others = sum(not isinstance(one, ChannelElement) for one in kept)
        if not kept or others > MOST_ELEMENTS:
            allowed = f"1 to {MOST_ELEMENTS}, channels apart"
            raise InvalidRequest.value("mix", f"{others} elements", allowed)
        if len(kept) > 1 and any(isinstance(one, ComponentsElement | CollapseElement) for one in kept):
            raise InvalidRequest("pca, max, min, mean and sum each exclude everything else in a mix", "mix")
        object.__setattr__(self, "elements", tuple(kept))


def _is_channel(number: float) -> bool:
    return 0 <= number <= _LARGEST_CHANNEL and int(number) == number
