"""Placement: rendezvous hashing over the live workers.

Every front end ranks the workers alike without talking to the others, and a worker that comes or goes moves its own
share only (Thaler & Ravishankar 1998, IEEE/ACM Trans. Netw. 6, 1). The hash has to be a real one: crc32 is linear and
sent every brick to one worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def ranked(text: str, workers: Iterable[str]) -> list[str]:
    """Sort workers by preference for what `text` names, the most preferred first."""
    return sorted(workers, key=lambda worker: _weight(text, worker), reverse=True)


def preferred(text: str, workers: Iterable[str]) -> str | None:
    """Return the most preferred worker, or None where there are none."""
    return max(workers, key=lambda worker: _weight(text, worker), default=None)


def _weight(text: str, worker: str) -> bytes:
    return hashlib.blake2b(f"{worker}|{text}".encode(), digest_size=8).digest()
