"""Stretches: curves that take 0 … 1 to 0 … 1, written as short texts.

======================  ==============================================  ============
text                    curve                                           parameter
======================  ==============================================  ============
``linear``              v
``sqrt``                v^(1/2)
``square``              v^2
``log:A``               log(1 + A·v)/log(1 + A)                         0.01 … 1e9
``asinh:A``             asinh(A·v)/asinh(A)                             0.01 … 1e9
``power:P``             v^P                                             0.4 … 10
``histogram:k1,k2,…``   0, 1/(n - 1), … 1 at k1, k2, … kn, straight     2 … 256 knots
                        lines between them
======================  ==============================================  ============

They are those of `astropy.visualization`: `LogStretch` with the same A, `AsinhStretch` with a = 1/A, `PowerStretch`,
and `HistEqStretch` with as few knots as are needed.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.content import canonical

LINEAR = "linear"
HISTOGRAM = "histogram"
STRETCH_NAMES = (LINEAR, "sqrt", "square", "log", "asinh", "power", HISTOGRAM)
LOG = ASINH = (0.01, 1e9)
POWER = (0.4, 10.0)
"""At 0.4 and gamma 5 the smallest float32 that is not denormal is still black; at 10 and gamma 0.2 the transfer table
has 14 bits of mantissa."""
MOST_KNOTS = 256
SENT_KNOTS = 65
"""Of a histogram that is equalised: the text goes to a worker with every tile."""

_DEFAULTS = {"log": 1000.0, "asinh": 10.0}
_RANGES = {"log": LOG, "asinh": ASINH, "power": POWER}
_EXPONENTS = {LINEAR: 1.0, "sqrt": 0.5, "square": 2.0}
_NUMBER = re.compile(r"\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST = 32 * MOST_KNOTS
_ALLOWED = (
    f"linear, sqrt, square, log:A and asinh:A (A from {LOG[0]:g} to {LOG[1]:g}), "
    f"power:P (P from {POWER[0]:g} to {POWER[1]:g}), histogram"
)

Kind = Literal["power", "log", "asinh", "histogram"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A stretch that rises from 0 to 1, and what it is the inverse of.

    Attributes
    ----------
    kind : {"power", "log", "asinh", "histogram"}
        Its formula; ``linear``, ``sqrt`` and ``square`` are powers.
    parameter : float
        Exponent, or A; 0 for a histogram.
    knots : tuple of float
        Of a histogram.
    """

    kind: Kind
    parameter: float
    knots: tuple[float, ...] = ()

    def __call__(self, v: ArrayLike) -> Floats:
        """Evaluate the curve; what is below 0 or above 1 is taken as 0 and 1, NaN stays NaN."""
        clipped = np.clip(np.asarray(v, np.float64), 0, 1)
        a = self.parameter
        if self.kind == "power":
            return np.asarray(clipped**a)
        if self.kind == "log":
            return np.asarray(np.log1p(a * clipped) / math.log1p(a))
        if self.kind == "asinh":
            return np.asarray(np.arcsinh(a * clipped) / math.asinh(a))
        # Of knots at the same place the last is what has been reached there; but 0 is black, whatever lies there.
        return np.where(clipped > 0, np.interp(clipped, *self._steps), clipped)

    def inverse(self, y: ArrayLike) -> Floats:
        """Where the curve reaches y of 0 … 1, for the first time."""
        y, a = np.asarray(y, np.float64), self.parameter
        if self.kind == "power":
            return np.asarray(y ** (1 / a))
        if self.kind == "log":
            return np.asarray(np.expm1(y * math.log1p(a)) / a)
        if self.kind == "asinh":
            return np.asarray(np.sinh(y * math.asinh(a)) / a)
        return np.asarray(np.interp(y, np.linspace(0, 1, len(self.knots)), self.knots))

    @property
    def steepness(self) -> float:
        """The most that the curve's logarithm rises with that of v; infinite for a histogram, which may jump."""
        if self.kind == "histogram":
            return math.inf
        return self.parameter if self.kind == "power" else 1.0

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        knots = np.asarray(self.knots)
        return knots, np.linspace(0, 1, knots.size)


def canonical_stretch(text: str) -> str:
    """Write a stretch in its one canonical way: ``log`` as ``log:1000.0``.

    Raises
    ------
    InvalidRequest
        If there is no such stretch, or its parameter is out of range. ``histogram`` needs its knots here.
    """
    name, colon, rest = text.partition(":")
    if len(text) > _LONGEST:
        raise InvalidRequest.value("stretch", f"{text[:40]}…", _ALLOWED)
    if name in _EXPONENTS and not colon:
        return name
    if name == HISTOGRAM and colon:
        return _histogram(text, rest)
    if name not in _RANGES or (not colon and name not in _DEFAULTS):
        raise InvalidRequest.value("stretch", text, _ALLOWED)
    low, high = _RANGES[name]
    value = _number(rest) if colon else _DEFAULTS[name]
    if not low <= value <= high:
        raise InvalidRequest.value("stretch", text, f"{name}:N with N from {low:g} to {high:g}")
    return f"{name}:{canonical(value)}"


def check_stretch(text: str) -> str:
    """Return the text if it is the canonical one of a stretch, else raise `InvalidRequest`."""
    if canonical_stretch(text) != text:
        raise InvalidRequest.value("stretch", text, canonical_stretch(text))
    return text


def histogram_stretch(knots: Sequence[float]) -> str:
    """Write the stretch that equalises a histogram.

    Parameters
    ----------
    knots : sequence of float
        Values of v, 0 … 1 and ascending, at which the output reaches evenly spaced steps. More than `SENT_KNOTS` are
        thinned out; each is rounded to six digits.

    Raises
    ------
    InvalidRequest
        If there are fewer than two different ones, or they do not ascend from 0 to 1.
    """
    if len(knots) > SENT_KNOTS:
        given = np.linspace(0, 1, len(knots))
        knots = np.interp(np.linspace(0, 1, SENT_KNOTS), given, np.asarray(knots, np.float64)).tolist()
    rounded = ",".join(canonical(float(f"{knot:.6g}")) for knot in knots)
    return canonical_stretch(f"{HISTOGRAM}:{rounded}")


def stretch_values(text: str, v: ArrayLike) -> Floats:
    """Evaluate a stretch.

    Parameters
    ----------
    text : str
        Of a stretch, canonical or not.
    v : array_like
        Values; what is below 0 or above 1 is taken as 0 and 1, NaN stays NaN.

    Returns
    -------
    ndarray of float64
        0 … 1, in the shape of `v`.

    Raises
    ------
    InvalidRequest
        If there is no such stretch.
    """
    return curve_of(canonical_stretch(text))(v)


@lru_cache(maxsize=64)
def curve_of(text: str) -> Curve:
    """Make the curve of a canonical text."""
    name, _, rest = check_stretch(text).partition(":")
    if name == HISTOGRAM:
        return Curve("histogram", 0.0, tuple(map(float, rest.split(","))))
    kinds: dict[str, Any] = {"log": "log", "asinh": "asinh"}
    return Curve(kinds.get(name, "power"), _EXPONENTS[name] if name in _EXPONENTS else float(rest))


def _histogram(text: str, rest: str) -> str:
    allowed = f"2 to {MOST_KNOTS} numbers from 0 to 1, ascending, the first below the last"
    parts = rest.split(",")
    if not 2 <= len(parts) <= MOST_KNOTS:
        raise InvalidRequest.value("stretch", f"{HISTOGRAM} of {len(parts)} knots", allowed)
    knots = [_number(part) for part in parts]
    ascends = all(one <= other for one, other in itertools.pairwise(knots))
    if not (ascends and 0 <= knots[0] < knots[-1] <= 1):
        raise InvalidRequest.value("stretch", text[:80], allowed)
    return f"{HISTOGRAM}:{','.join(map(canonical, knots))}"


def _number(text: str) -> float:
    """Read a number; what is none is NaN, which is in no range."""
    return float(text) if _NUMBER.fullmatch(text) and len(text) <= 32 else math.nan
