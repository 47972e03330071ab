"""Ticks: round numbers between two values, few enough to be read, and how they are written."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_PLAIN = range(-3, 5)
"""Powers of ten of numbers that are written without one."""
_MOST_DECIMALS = 9
_FINEST = 1e-8
"""Of the larger of two values: how far they have to be apart for round numbers to be found between them."""
_SMALLEST = 1e-290
"""Below it, powers of ten have lost digits."""
_ROUNDING = 1e-6
"""Of a step: by so much a tick may lie outside for its rounding."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Ticks:
    """Round numbers, and how they are written.

    Attributes
    ----------
    values : tuple of float
        Ascending.
    labels : tuple of str
        One of each, all with the same number of decimals, to be multiplied by `factor`.
    factor : str
        ``×10⁻⁵``, or nothing.
    """

    values: tuple[float, ...]
    labels: tuple[str, ...]
    factor: str


def round_ticks(low: float, high: float, most: int) -> Ticks:
    """Choose ticks: multiples of 1, 2, 2.5 or 5 times a power of ten.

    Parameters
    ----------
    low, high : float
        Finite and different, in any order.
    most : int
        How many there may be at most; 2 or more.

    Returns
    -------
    Ticks
        Of values that hardly differ, or are next to nothing, the two themselves, in full.
    """
    low, high = min(low, high), max(low, high)
    largest = max(abs(low), abs(high))
    if largest < _SMALLEST or high / largest - low / largest < _FINEST:
        return Ticks((low, high), (repr(low).replace("-", "−"), repr(high).replace("-", "−")), "")
    digit, power = _step(low, high, most)
    step = digit * 10.0**power
    first, last = math.ceil(low / step - _ROUNDING), math.floor(high / step + _ROUNDING)
    values = tuple(min(max(place * step, low), high) for place in range(first, last + 1))
    exponent = math.floor(math.log10(largest))
    exponent = 0 if exponent in _PLAIN else exponent
    decimals = min(max(0, exponent - power + (digit == 2.5)), _MOST_DECIMALS)
    labels = tuple(_text(value / 10.0**exponent, decimals) for value in values)
    return Ticks(values, labels, f"×10{str(exponent).translate(_SUPERSCRIPTS)}" if exponent else "")


def _step(low: float, high: float, most: int) -> tuple[float, int]:
    """Return the digit and the power of ten of the smallest step with which there are few enough."""
    power = math.floor(math.log10(high / most - low / most))  # the difference may be beyond all numbers
    for digit in _STEPS:
        step = digit * 10.0**power
        if math.floor(high / step + _ROUNDING) - math.ceil(low / step - _ROUNDING) + 1 <= most:
            return (digit, power) if digit < 10 else (1.0, power + 1)
    return 2.0, power + 1


def _text(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")
