"""Arguments of a query: typed, checked, and complained about by name, value and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from visiomatic_dask.errors import InvalidRequest

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LONGEST = 1024


class Arguments:
    """The decoded arguments of one query.

    Parameters
    ----------
    values : mapping of str to sequence of str
        All values of each name, in order.
    """

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def with_defaults(self, values: Mapping[str, Sequence[str]]) -> Arguments:
        """Add values of names that are not there yet."""
        return Arguments({**values, **self._values})

    def text(self, name: str) -> str | None:
        """Last value of a name, or None."""
        values = self._values.get(name)
        return values[-1] if values else None

    def texts(self, name: str) -> Sequence[str]:
        """All values of a name."""
        return self._values.get(name, ())

    def check_names(self, allowed: Sequence[str]) -> None:
        """Raise `InvalidRequest` if there is a name that means nothing here: a misspelt key must not be ignored."""
        for name in self._values:
            if name not in allowed:
                raise InvalidRequest(
                    f"{name} is not a key of this request; allowed: {', '.join(allowed) or 'no keys'}", name
                )

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Read a number within a range, both ends included."""
        text = self.text(name)
        if text is None:
            return default
        allowed = f"a number from {low:g} to {high:g}"
        value = _float(name, text, allowed)
        if not low <= value <= high:
            raise InvalidRequest.value(name, text, allowed)
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Read an integer within a range, both ends included."""
        text = self.text(name)
        return default if text is None else _int(name, text, low, high)

    def integers(self, name: str, low: int, high: int) -> list[int]:
        """All values of a name as integers within a range."""
        return [_int(name, text, low, high) for text in self.texts(name)]

    def flag(self, name: str, default: bool) -> bool:
        """Read ``true`` or ``false`` (also 1 and 0)."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in ("true", "false", "1", "0"):
            raise InvalidRequest.value(name, text, "true or false")
        return text.lower() in ("true", "1")

    def line(self, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Read ``x1,y1:x2,y2``: four integers."""
        text = self.text(name) or ""
        start, colon, stop = text.partition(":")
        if not colon:
            raise InvalidRequest.value(name, text, "x1,y1:x2,y2: four integers")
        return pair(name, start), pair(name, stop)

    def channel_numbers(self, name: str, count: int, low: int, high: int, meaning: str) -> dict[int, tuple[float, ...]]:
        """Read repeated ``c:a,b,…``: a channel and `count` finite numbers. The last one of a channel counts."""
        found: dict[int, tuple[float, ...]] = {}
        pattern = re.compile(rf"(\d{{1,9}}):{','.join([f'({_NUMBER})'] * count)}")
        for text in self.texts(name):  # perhaps thousands
            match = pattern.fullmatch(text) if len(text) <= _LONGEST else None
            numbers = () if match is None else tuple(map(float, match.groups()[1:]))
            if match is None or not all(map(math.isfinite, numbers)):
                raise InvalidRequest.value(name, text, f"{meaning}, finite numbers")
            channel = int(match[1])
            if not low <= channel <= high:
                raise InvalidRequest.value(name, match[1], f"an integer from {low} to {high}")
            found[channel] = numbers
        return found


def _float(name: str, text: str, allowed: str) -> float:
    if len(text) > _LONGEST or re.fullmatch(_NUMBER, text) is None or not math.isfinite(float(text)):
        raise InvalidRequest.value(name, text, allowed)
    return float(text)


def _int(name: str, text: str, low: int, high: int) -> int:
    allowed = f"an integer from {low} to {high}"
    if re.fullmatch(r"[+-]?\d{1,18}", text) is None or not low <= int(text) <= high:
        raise InvalidRequest.value(name, text, allowed)
    return int(text)


def pair(name: str, text: str) -> tuple[int, int]:
    """Read ``x,y``: two integers."""
    match = re.fullmatch(r"([+-]?\d{1,9}),([+-]?\d{1,9})", text)
    if match is None:
        raise InvalidRequest.value(name, text, "x,y: two integers")
    return int(match[1]), int(match[2])
