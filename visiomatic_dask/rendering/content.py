"""What of a cube is shown: one channel, a weighted sum of many in three colours, or a range of them made one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visiomatic_dask.errors import InvalidRequest

NaNPolicy = Literal["lo", "renormalise"]
NAN_POLICIES: tuple[NaNPolicy, ...] = get_args(NaNPolicy)
CollapseMethod = Literal["max", "min", "mean", "sum"]
COLLAPSE_METHODS: tuple[CollapseMethod, ...] = get_args(CollapseMethod)


def canonical(value: float) -> str:
    """Write equal numbers alike: 1 as 1.0, and zero without a sign."""
    return repr(float(value) + 0.0)


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
        return f"{canonical(self.low)},{canonical(self.high)}"


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

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that are read."""
        return (self.channel,)

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        return f"mono {self.channel}:{self.cut.text}"


@dataclass(frozen=True)
class Collapse:
    """A range of channels made one, pixel by pixel, over those that are finite there; through a colormap.

    Attributes
    ----------
    first, last : int
        First channel, and one past the last.
    method : {"max", "min", "mean", "sum"}
        What is made of them.
    cut : Cut
        What of that is black and what is white.
    """

    first: int
    last: int
    method: CollapseMethod
    cut: Cut

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last:
            raise InvalidRequest.value("channels", f"{self.first}-{self.last - 1}", "a range of one channel or more")

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """The channels that are read."""
        return tuple(range(self.first, self.last))

    @property
    def shown(self) -> str:
        """Canonical text of the plane, whatever its cuts."""
        return f"{self.method} {self.first}-{self.last}"

    @cached_property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.shown}:{self.cut.text}"


@dataclass(frozen=True, eq=False)
class Mix:
    """A weighted sum of channels in each of red, green and blue.

    A mix of thousands of channels is compared, hashed and written by a digest of its numbers.

    Attributes
    ----------
    channels : tuple of int, (C,)
        From 0, ascending.
    cuts : ndarray of float64, (C, 2)
        Lower and upper cut of each: (x - low)/(high - low) is what is summed.
    weights : ndarray of float64, (C, 3)
        Shares of each in red, green and blue; may be negative.
    nan : {"lo", "renormalise"}
        What is done where channels are not finite: they count as `low` and add nothing; or the sums are divided by the
        share that the weights of the finite ones have in those of all, absolutely.

    Raises
    ------
    InvalidRequest
        If there are no channels, they are not ascending, or a number cannot be used.
    """

    channels: tuple[int, ...]
    cuts: NDArray[np.float64]
    weights: NDArray[np.float64]
    nan: NaNPolicy = "lo"

    def __init__(
        self,
        channels: Sequence[int],
        cuts: Sequence[Cut] | Sequence[Sequence[float]] | NDArray[np.float64],
        weights: ArrayLike,
        nan: NaNPolicy = "lo",
    ) -> None:
        pairs = [(one.low, one.high) for one in cuts if isinstance(one, Cut)]
        set_ = object.__setattr__
        set_(self, "channels", tuple(map(int, channels)))
        set_(self, "cuts", _frozen(pairs or cuts, len(self.channels), 2))
        set_(self, "weights", _frozen(weights, len(self.channels), 3))
        set_(self, "nan", nan)
        if not self.channels or self.channels[0] < 0 or (np.diff(self.channels) <= 0).any():
            raise InvalidRequest("a mix takes one channel or more, each once, in ascending order", "mix")
        with np.errstate(over="ignore"):
            sums = np.abs(self.weights).sum(axis=0)
        if not np.isfinite(sums).all():
            raise InvalidRequest("the weights of a mix are finite numbers, and so are their sums", "mix")
        if not np.isfinite(self.cuts).all() or (self.cuts[:, 0] == self.cuts[:, 1]).any():
            raise InvalidRequest("the cuts of a mix are two finite numbers that differ, for each channel", "cuts")
        if nan not in NAN_POLICIES:
            raise InvalidRequest.value("nan", nan, ", ".join(NAN_POLICIES))

    @cached_property
    def weight_sums(self) -> tuple[float, float, float]:
        """Sums of the weights in red, green and blue."""
        r, g, b = (math.fsum(column) for column in self.weights.T.tolist())
        return r, g, b

    @cached_property
    def factors(self) -> NDArray[np.float64]:
        """What (x - low) of each channel is multiplied by in red, green and blue, (C, 3)."""
        return self.weights / (self.cuts[:, 1] - self.cuts[:, 0])[:, np.newaxis]

    @cached_property
    def text(self) -> str:
        """Canonical text: the number of channels, and a digest."""
        digest = hashlib.blake2b(self.nan.encode(), digest_size=16)
        for numbers in (np.asarray(self.channels, np.int64), self.cuts + 0.0, self.weights + 0.0):
            digest.update(numbers.tobytes())
        return f"mix {len(self.channels)}:{digest.hexdigest()}"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Mix) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)


Content = Mono | Collapse | Mix
"""What can be shown."""


def _frozen(numbers: object, count: int, width: int) -> NDArray[np.float64]:
    array = np.array(numbers, dtype=np.float64).reshape(-1, width)
    if len(array) != count:
        raise InvalidRequest(f"a mix of {count} channels takes {width} numbers for each", "mix")
    array.flags.writeable = False
    return array
