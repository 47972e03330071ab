"""Windows: N-d boxes of pixels, in array order (slowest axis first)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visiomatic_dask.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Window:
    """A box of pixels: along each axis the indices ``range(start, stop, step)``.

    Attributes
    ----------
    start, stop : tuple of int
        First index, and one past the last, of every axis; ``0 <= start <= stop``.
    step : tuple of int
        Distance between the indices taken; 1 or more. ``()`` means 1 along every axis.

    Raises
    ------
    InvalidRequest
        If the tuples differ in length or an axis is out of order.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.step:
            object.__setattr__(self, "step", (1,) * len(self.start))
        if not len(self.start) == len(self.stop) == len(self.step):
            raise InvalidRequest(
                f"a window needs as many starts as stops and steps, not {self.start}, {self.stop}, {self.step}"
            )
        for first, last, step in zip(self.start, self.stop, self.step, strict=True):
            if first < 0 or last < first or step < 1:
                raise InvalidRequest(f"{first}:{last}:{step} is no range of a window: 0 <= start <= stop, step >= 1")

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Window:
        """Make the window that holds an array of that shape."""
        return cls((0,) * len(shape), tuple(shape))

    @classmethod
    def from_slices(cls, slices: Sequence[slice], shape: Sequence[int]) -> Window:
        """Make a window from slices with positive steps, as they would index an array of that shape."""
        bounds = [one.indices(size) for one, size in zip(slices, shape, strict=True)]
        return cls(tuple(b[0] for b in bounds), tuple(max(b[0], b[1]) for b in bounds), tuple(b[2] for b in bounds))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of indices along each axis."""
        return tuple(len(indices) for indices in self.ranges)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def ranges(self) -> tuple[range, ...]:
        """The indices along each axis."""
        return tuple(range(a, b, s) for a, b, s in zip(self.start, self.stop, self.step, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The same box as slices, to index an array with."""
        return tuple(slice(a, b, s) for a, b, s in zip(self.start, self.stop, self.step, strict=True))

    def check_within(self, shape: Sequence[int]) -> None:
        """Raise `InvalidRequest` unless the window lies within an array of that shape."""
        if len(self.start) != len(shape) or any(last > size for last, size in zip(self.stop, shape, strict=True)):
            box = ", ".join(f"{a}:{b}:{s}" for a, b, s in zip(self.start, self.stop, self.step, strict=True))
            raise InvalidRequest(f"window [{box}] does not lie within shape {tuple(shape)}", "window")


def plane_window(shape: Sequence[int], plane: int, y: range, x: range) -> Window:
    """Make the window of a rectangle of one plane.

    Parameters
    ----------
    shape : sequence of int
        Shape of the layer; the last two axes are y and x.
    plane : int
        Index over all axes before y and x, flattened in C order (NAXIS3 varies fastest).
    y, x : range
        Rows and columns, in the order of the file, not empty.
    """
    position = tuple(int(i) for i in np.unravel_index(plane, tuple(shape[:-2]))) if len(shape) > 2 else ()
    return Window(
        (*position, y.start, x.start),
        (*(i + 1 for i in position), y.stop, x.stop),
        (*(1 for _ in position), y.step, x.step),
    )
