"""What readers of one process share: decoded chunks and opened files, bounded, the least recently used out first.

A reader is a frozen description that travels between processes, so it can hold neither; xarray keeps its opened files
in the same way.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
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
        """Return what is kept under a key, or make it. Where `make` raises, who waits tries it too."""
        return self.get_all([key], lambda _: [make()])[0]

    def get_all(self, keys: Sequence[Hashable], make: Callable[[list[int]], Sequence[T]]) -> list[T]:
        """Return what is kept under several keys, making all that is missing in one go.

        Parameters
        ----------
        keys : sequence
            All different.
        make : callable
            Gets the positions in `keys` of those that are missing and that nobody else is making, and returns a value
            for each. What it raises is raised; who waits for one of them then makes that one.
        """
        found: dict[int, T] = {}
        others: dict[int, Future[T]] = {}
        mine: dict[int, Future[T]] = {}
        with self._lock:
            for position, key in enumerate(keys):
                if key in self._kept:
                    self._kept.move_to_end(key)
                    found[position] = self._kept[key]
                elif key in self._making:
                    others[position] = self._making[key]
                else:
                    mine[position] = self._making[key] = Future()
        if mine:
            self._make(keys, mine, found, make)
        # Last: nobody who waits for ours has to wait for these as well. What failed may have failed at another part.
        for position, future in others.items():
            found[position] = future.result() if future.exception() is None else make([position])[0]
        return [found[position] for position in range(len(keys))]

    def _make(
        self,
        keys: Sequence[Hashable],
        mine: dict[int, Future[T]],
        found: dict[int, T],
        make: Callable[[list[int]], Sequence[T]],
    ) -> None:
        try:
            made = make(list(mine))
            found.update(zip(mine, made, strict=True))
        except BaseException as error:
            with self._lock:
                for position in mine:
                    del self._making[keys[position]]
            for future in mine.values():
                future.set_exception(error)
            raise
        for position, future in mine.items():
            self._put(keys[position], found[position])
            future.set_result(found[position])

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
        """Keep what was made. Nobody can make it once more between its being under way and its being kept."""
        gone: list[T] = []
        with self._lock:
            del self._making[key]
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
