"""The fair queue: viewers take turns, however much each of them asks for."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each viewer, and round robin between viewers (Nagle 1987, IEEE Trans. Commun. 35, 435).

    Someone who asks for a thousand tiles at once delays anyone else's by one.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, viewer: str, item: T) -> None:
        """Queue an item behind the viewer's others."""
        queue = self._waiting.get(viewer)
        if queue is None:
            queue = self._waiting[viewer] = deque()
        queue.append(item)
        self._size += 1

    def get(self) -> T:
        """Take the item whose turn it is.

        Raises
        ------
        IndexError
            If there is none.
        """
        if not self._waiting:
            raise IndexError("the queue is empty")
        viewer, queue = next(iter(self._waiting.items()))
        item = queue.popleft()
        self._size -= 1
        if queue:
            self._waiting.move_to_end(viewer)
        else:
            del self._waiting[viewer]
        return item

    def take_all(self) -> list[T]:
        """Take everything, in turns."""
        return [self.get() for _ in range(self._size)]
