"""Room in the store: made now and then while something is being built."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from concurrent.futures import Executor

from visiomatic_dask.pyramid.store.upkeep import make_room

_PACE = 30.0
"""Seconds between two looks at how full the store is."""


class StoreRoom:
    """Keeps a store within its limit, as one server sees it.

    Parameters
    ----------
    store : str
        Path or URL.
    limit : int
        Bytes.
    threads : Executor
        Looks at the store.

    Attributes
    ----------
    has_grown : bool
        Whether something has been built since it was looked at.
    """

    def __init__(self, store: str, limit: int, threads: Executor) -> None:
        self.has_grown = False
        self._store = store
        self._limit = limit
        self._threads = threads
        self._made = -_PACE
        self._making = asyncio.Lock()

    async def make(self, keep: Container[str]) -> list[str]:
        """Remove the pyramids that were used least recently, where the store is too full; see `make_room`.

        Returns
        -------
        list of str
            Addresses of those that were removed; none where it was looked at a moment ago.
        """
        loop = asyncio.get_running_loop()
        async with self._making:
            if loop.time() - self._made < _PACE:
                return []
            self._made, self.has_grown = loop.time(), False
            return await loop.run_in_executor(self._threads, make_room, self._store, self._limit, keep)
