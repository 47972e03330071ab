"""Styles: everything that turns values into the bytes of a picture. Frozen, hashable, with one canonical text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from visiomatic_dask.rendering.content import Content, Mix
from visiomatic_dask.rendering.look import Look


@dataclass(frozen=True)
class Style:
    """What is shown, and how it looks."""

    content: Content
    look: Look

    @cached_property
    def text(self) -> str:
        """Canonical text: equal for two styles if and only if they are equal."""
        return f"{self.content.text} {self.look.text}"

    @property
    def low(self) -> float:
        """What is subtracted from brick values first: the lower cut, or 0 for a mix, where that is done already."""
        return 0.0 if isinstance(self.content, Mix) else self.content.cut.low

    @cached_property
    def scale_offset(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Factors and summands that take values above `low` to 0 … 1.

        One of each for a single plane, three for a mix.

        ``v = (x - low)/(high - low)·contrast + 0.01·contrast·brightness``. In a mix the first term is summed already,
        and the brightness, added to each channel before mixing, is multiplied by the sum of the weights.
        """
        contrast, shift = self.look.contrast, 0.01 * self.look.contrast * self.look.brightness
        if isinstance(self.content, Mix):
            return (contrast,) * 3, tuple(shift * total for total in self.content.weight_sums)
        return (contrast / (self.content.cut.high - self.content.cut.low),), (shift,)
