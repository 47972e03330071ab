"""Placement: which worker is to hold a brick, found by every front end alike without talking to the others.

Workers are ranked by rendezvous hashing (Thaler & Ravishankar 1998, IEEE/ACM Trans. Netw. 6, 1). The hash has to be a
real one: crc32 is linear and sent every brick to one worker. Bricks that lie side by side go to workers that stand side
by side in that ranking: were each of them a toss of its own, one viewport in six would have four of its five bricks on
one of two workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class Placement(NamedTuple):
    """What a worker is chosen by.

    Attributes
    ----------
    text : str
        What is hashed: the same for all bricks that lie side by side.
    stripe : int
        Number of the brick among those; neighbours differ by 1.
    holder : str or None
        A worker that holds what the brick is made of: preferred to all others.
    """

    text: str
    stripe: int = 0
    holder: str | None = None


def ranked(placement: Placement, workers: Iterable[str]) -> list[str]:
    """Sort workers by preference for a brick, the most preferred first."""
    order = sorted(workers, key=lambda worker: _weight(placement.text, worker), reverse=True)
    first = placement.stripe % len(order) if order else 0
    order = order[first:] + order[:first]
    return order if placement.holder is None else sorted(order, key=lambda worker: worker != placement.holder)


def preferred(placement: Placement, workers: Iterable[str]) -> str | None:
    """Return the most preferred worker, or None where there are none."""
    return next(iter(ranked(placement, workers)), None)


def _weight(text: str, worker: str) -> bytes:
    return hashlib.blake2b(f"{worker}|{text}".encode(), digest_size=8).digest()
