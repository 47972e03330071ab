"""Which worker builds the next piece, and how many are built at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

from visiomatic_dask.engine.build_task import MEMORY_OF_A_PIECE

_SHARE = 0.5
"""Of a worker's memory limit for pieces; bricks may take nearly as much (``visiomatic.brick-cache``)."""


class BuildSlots:
    """The workers of a cluster, and how many pieces each may have under way.

    Over all workers one more than there are threads, so that reading, computing and writing overlap; on any worker no
    more than it has memory for, but one at least.
    """

    def __init__(self) -> None:
        self._threads: dict[str, int] = {}
        self._most: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many pieces may be under way."""
        return min(sum(self._most.values()), sum(self._threads.values()) + 1) if self._threads else 0

    def learn(self, workers: Mapping[str, Mapping[str, Any]]) -> None:
        """Take note of the workers, as the scheduler describes them (``identity``)."""
        self._threads = {address: int(worker["nthreads"]) for address, worker in workers.items()}
        self._most = {address: _most(worker) for address, worker in workers.items()}

    def choose(self, usable: Container[str], busy: Counter[str]) -> str | None:
        """Choose the worker with the least to build for its threads; None where none has room.

        Parameters
        ----------
        usable : container of str
            Addresses of workers that can be used.
        busy : Counter of str
            Pieces that each has under way.
        """
        if busy.total() >= self.count:
            return None
        free = [one for one in self._most if one in usable and busy[one] < self._most[one]]
        return min(free, key=lambda one: (busy[one] / self._threads[one], one), default=None)


def _most(worker: Mapping[str, Any]) -> int:
    threads, limit = int(worker["nthreads"]), worker.get("memory_limit") or 0
    fit = int(_SHARE * limit / MEMORY_OF_A_PIECE) if limit else threads + 1
    return max(1, min(threads + 1, fit))
