"""What readers of one process share: decoded chunks and opened files, bounded, the least recently used out first.

A reader is a frozen description that travels between processes, so it can hold neither; xarray keeps its opened files
in the same way.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class SharedCache(Generic[T]):
    """A thread-safe cache with a bounded cost; those who ask for the same thing at the same time share its making.

    Parameters
    ----------
    limit : int
        What may be kept, in the unit of `cost`.
    cost : callable
        What one value costs.
    dispose : callable, optional
        Called with a value that is let go of.
    """

    def __init__(
        self, limit: int, cost: Callable[[T], int] = lambda _: 1, dispose: Callable[[T], None] | None = None
    ) -> None:
        self.limit = limit
        self._cost = cost
        self._dispose = dispose
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._total = 0
        self._making: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key, or make it. What `make` raises is raised for all who wait."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            making = self._making.get(key)
            if making is None:
                mine = self._making[key] = Future()
        if making is not None:
            return making.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
        self._put(key, value)
        mine.set_result(value)
        return value

    def discard(self, key: Hashable) -> None:
        """Let go of what is kept under a key, if anything is."""
        with self._lock:
            gone = [self._pop(key)] if key in self._kept else []
        self._let_go(gone)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            gone = [self._pop(key) for key in list(self._kept)]
        self._let_go(gone)

    def _put(self, key: Hashable, value: T) -> None:
        gone: list[T] = []
        with self._lock:
            if self._cost(value) <= self.limit:
                self._kept[key] = value
                self._total += self._cost(value)
                while self._total > self.limit:
                    gone.append(self._pop(next(iter(self._kept))))
        self._let_go(gone)

    def _pop(self, key: Hashable) -> T:
        value = self._kept.pop(key)
        self._total -= self._cost(value)
        return value

    def _let_go(self, gone: list[T]) -> None:
        if self._dispose is not None:
            for value in gone:
                self._dispose(value)


CHUNKS: SharedCache[NDArray[np.generic]] = SharedCache(128 * 2**20, cost=lambda chunk: chunk.nbytes)
"""Decoded chunks, by token of the reader and index of the chunk; read-only arrays. In bytes."""
