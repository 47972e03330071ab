"""What is found once for all who ask, at the same time or later."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any


class FoundOnce:
    """What was found, by what was asked for; what fails is not kept.

    Parameters
    ----------
    most : int, optional
        How much is kept, least recently used out first. Without it, all is.
    most_weight : int, optional
        How much room all of that may take together, in the unit of `get`. What was asked for last is kept nevertheless.
    """

    def __init__(self, most: int = sys.maxsize, most_weight: int = sys.maxsize) -> None:
        self._most = most
        self._most_weight = most_weight
        self._tasks: OrderedDict[Hashable, tuple[asyncio.Future[Any], int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._tasks)

    async def get(self, key: Hashable, find: Callable[[], Awaitable[Any]], weight: int = 0) -> Any:
        """Return what a key stands for. It is being found on, even if whoever asks is cancelled.

        Parameters
        ----------
        key : hashable
            Says everything that the result depends on.
        find : callable
            Finds it.
        weight : int
            How much room it takes.
        """
        kept = self._tasks.get(key)
        if kept is not None:
            self._tasks.move_to_end(key)
            return kept[0].result() if kept[0].done() else await asyncio.shield(kept[0])
        task = asyncio.ensure_future(find())
        self._tasks[key] = task, weight
        self._weight += weight
        task.add_done_callback(lambda done: self._found(key, done))
        while len(self._tasks) > 1 and (len(self._tasks) > self._most or self._weight > self._most_weight):
            self._weight -= self._tasks.popitem(last=False)[1][1]
        return await asyncio.shield(task)

    def forget(self, key: Hashable) -> None:
        """Have something found anew when it is asked for again."""
        kept = self._tasks.pop(key, None)
        if kept is not None:
            self._weight -= kept[1]

    def _found(self, key: Hashable, task: asyncio.Future[Any]) -> None:
        failed = task.cancelled() or task.exception() is not None  # seen, even if nobody waits any more
        kept = self._tasks.get(key)
        if failed and kept is not None and kept[0] is task:
            self.forget(key)
