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

K = TypeVar("K", bound=Hashable)
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

    def get_many(self, keys: Sequence[K], make: Callable[[Sequence[K]], Sequence[T]]) -> list[T]:
        """Return what is kept under keys, and make all that is not by one call.

        Parameters
        ----------
        keys : sequence of hashable
            In any order, also more than once.
        make : callable
            Given the keys that nobody is making yet, without repetition, returns their values. What it raises is
            raised; who waits for a part of it then makes that part, for it may have failed at another.
        """
        found: dict[K, T] = {}
        waiting: dict[K, Future[T]] = {}
        mine: dict[K, Future[T]] = {}
        with self._lock:
            for key in dict.fromkeys(keys):
                if key in self._kept:
                    self._kept.move_to_end(key)
                    found[key] = self._kept[key]
                elif (making := self._making.get(key)) is not None:
                    waiting[key] = making
                else:
                    mine[key] = self._making[key] = Future()
        if mine:
            found |= self._make_many(mine, make)
        for key, making in waiting.items():
            found[key] = making.result() if making.exception() is None else make([key])[0]
        return [found[key] for key in keys]

    def _make_many(self, mine: dict[K, Future[T]], make: Callable[[Sequence[K]], Sequence[T]]) -> dict[K, T]:
        try:
            made = dict(zip(mine, make(list(mine)), strict=True))
        except BaseException as error:
            with self._lock:
                for key in mine:
                    del self._making[key]
            for future in mine.values():
                future.set_exception(error)
            raise
        with self._lock:
            for key in mine:
                del self._making[key]
        for key, future in mine.items():
            self._put(key, made[key])
            future.set_result(made[key])
        return made

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
