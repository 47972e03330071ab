"""What was found of a version of a cube, by what was asked for: kept while it is used, and found once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

_MOST = 64
_MOST_CHANNELS = 2**17
"""Of all that is kept: each takes some 50 bytes in a mix."""


class ContentCache:
    """Contents and what they are made of, least recently used out first."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[Hashable, tuple[asyncio.Future[Any], int]] = OrderedDict()
        self._channels = 0

    def __len__(self) -> int:
        return len(self._tasks)

    async def get(self, key: Hashable, channels: int, find: Callable[[], Awaitable[Any]]) -> Any:
        """Return what a key stands for.

        Parameters
        ----------
        key : hashable
            Says everything that the result depends on, but for the version of the cube.
        channels : int
            How many it may be about: how much room it takes.
        find : callable
            Finds it. What fails is not kept.
        """
        kept = self._tasks.get(key)
        if kept is not None:
            self._tasks.move_to_end(key)
            return kept[0].result() if kept[0].done() else await asyncio.shield(kept[0])
        task = asyncio.ensure_future(find())
        self._tasks[key] = task, channels
        self._channels += channels
        task.add_done_callback(lambda done: self._found(key, done))
        while len(self._tasks) > 1 and (len(self._tasks) > _MOST or self._channels > _MOST_CHANNELS):
            self._channels -= self._tasks.popitem(last=False)[1][1]
        return await asyncio.shield(task)

    def _found(self, key: Hashable, task: asyncio.Future[Any]) -> None:
        failed = task.cancelled() or task.exception() is not None  # seen, even if nobody waits any more
        kept = self._tasks.get(key)
        if failed and kept is not None and kept[0] is task:
            self._channels -= self._tasks.pop(key)[1]
