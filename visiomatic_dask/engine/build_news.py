"""What is told of a build: what has been done, how far it is, and what went wrong."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from visiomatic_dask.pyramid.store.buildable import Buildable
from visiomatic_dask.pyramid.store.pyramid import Piece

_LOOK_BACK = 30.0
"""Seconds that the rate is the mean of."""


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is, in bytes of the source.

    Attributes
    ----------
    done_bytes, total_bytes : int
        Behind what is wanted of a pyramid; what was in the store already counts as done.
    rate : float
        Bytes that are done in a second, by whomever; 0 as long as nothing is.
    seconds_left : float or None
        At that rate.
    """

    done_bytes: int
    total_bytes: int
    rate: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class BuildNews:
    """What there is new of a pyramid.

    Attributes
    ----------
    pyramid : Buildable
        Which.
    done : tuple of Piece
        What of that which was wanted is in the store since the last news, whoever put it there.
    progress : BuildProgress
        How far it is.
    failed : str or None
        Why nothing more of what was wanted will be built, as a sentence.
    is_over : bool
        Whether nothing is left to build of it, or it has failed.
    read : int
        Bytes that the builder's own tasks have read of the source, since there was nothing to build last.
    """

    pyramid: Buildable
    done: tuple[Piece, ...]
    progress: BuildProgress
    failed: str | None = None
    is_over: bool = False
    read: int = 0


class Pace:
    """How fast a build gets on."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def progress(self, now: float, built: int, found: int, total: int) -> BuildProgress:
        """Say how far a build is.

        Parameters
        ----------
        now : float
            Seconds.
        built, found, total : int
            Bytes: built since the beginning, done before, and all.
        """
        if self._marks and built < self._marks[-1][1]:  # another build of the same pyramid
            self._marks.clear()
        # Pieces end in bursts: marks only where one has ended, so that the rate does not depend on when it is asked for
        if not self._marks or built > self._marks[-1][1]:
            self._marks.append((now, built))
        while len(self._marks) > 2 and now - self._marks[1][0] > _LOOK_BACK:
            self._marks.popleft()
        since, before = self._marks[0]
        rate = (built - before) / max(now - since, 1e-3) if built > before else 0.0
        done = built + found
        left = max(0, total - done)
        return BuildProgress(done, total, rate, left / rate if rate and math.isfinite(rate) else None)
