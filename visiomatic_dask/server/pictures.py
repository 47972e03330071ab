"""The picture desk: encoded pictures that are kept, and identical requests that share one rendering."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from visiomatic_dask.engine.requests import Picture


class PictureDesk:
    """A byte-bounded cache of encoded pictures, least recently used out first.

    Parameters
    ----------
    limit : int
        Bytes to keep.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._size = 0
        self._under_way: dict[str, asyncio.Task[Picture]] = {}

    async def get(self, token: str, make: Callable[[], Coroutine[Any, Any, Picture]]) -> Picture:
        """Return the picture that `token` names: one that is kept, one under way, or a new one.

        Parameters
        ----------
        token : str
            Says everything the picture depends on.
        make : callable
            Makes it.
        """
        kept = self._kept.get(token)
        if kept is not None:
            self._kept.move_to_end(token)
            return kept
        task = self._under_way.get(token)
        if task is None:
            task = self._under_way[token] = asyncio.ensure_future(make())
            task.add_done_callback(lambda done: self._done(token, done))
        return await asyncio.shield(task)

    def _done(self, token: str, task: asyncio.Task[Picture]) -> None:
        del self._under_way[token]
        # exception() also marks it as seen, should everyone who waited have gone.
        if task.cancelled() or task.exception() is not None:
            return
        picture = task.result()
        self._kept[token] = picture
        self._size += len(picture.data)
        while self._size > self._limit and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.data)
