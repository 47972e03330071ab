"""Admission: how many tiles may wait in a front end, and how many of them may be one viewer's."""

from __future__ import annotations

from visiomatic_dask.errors import Unavailable


class Admission:
    """A bounded waiting room with dynamic thresholds (Choudhury & Hahne 1998, IEEE/ACM Trans. Netw. 6, 130).

    A viewer may hold as many places as are free. One greedy viewer so gets half of them, two a third each, and there is
    always room for someone who comes new.

    Parameters
    ----------
    limit : int
        Places in all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting = 0
        self._of: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """Places taken."""
        return self._waiting

    def enter(self, viewer: str) -> None:
        """Take a place; whoever does has to `leave`.

        Raises
        ------
        Unavailable
            If the viewer has more than their share.
        """
        mine = self._of.get(viewer, 0)
        if mine >= self._limit - self._waiting:
            raise Unavailable(f"{self._waiting} tiles are waiting already, {mine} of them yours; try again in a moment")
        self._of[viewer] = mine + 1
        self._waiting += 1

    def leave(self, viewer: str) -> None:
        """Give a place back."""
        self._waiting -= 1
        mine = self._of[viewer] - 1
        if mine:
            self._of[viewer] = mine
        else:
            del self._of[viewer]
