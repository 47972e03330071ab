"""The picture desk: encoded pictures that are kept, and identical requests that share one rendering."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

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
        self._under_way: dict[str, asyncio.Future[Picture | None]] = {}

    def kept(self, token: str) -> Picture | None:
        """Return a picture that is kept, which counts as used."""
        picture = self._kept.get(token)
        if picture is not None:
            self._kept.move_to_end(token)
        return picture

    async def get(self, token: str, make: Callable[[], Awaitable[Picture]]) -> Picture:
        """Return the picture that `token` names: one that is kept, one under way, or a new one.

        Parameters
        ----------
        token : str
            Says everything the picture depends on.
        make : callable
            Makes it.
        """
        kept = self.kept(token)
        if kept is not None:
            return kept
        while (under_way := self._under_way.get(token)) is not None:
            picture = await asyncio.shield(under_way)
            if picture is not None:
                return picture
            # Whoever was making it is gone: the first of those who waited takes over.
        under_way = self._under_way[token] = asyncio.get_running_loop().create_future()
        made: Picture | None = None
        try:
            made = await make()
            self._keep(token, made)
        except Exception as error:
            under_way.set_exception(error)
            under_way.exception()  # seen, even if nobody else waits
            raise
        finally:
            del self._under_way[token]
            if not under_way.done():
                under_way.set_result(made)
        return made

    def _keep(self, token: str, picture: Picture) -> None:
        self._kept[token] = Picture(picture.data, picture.preview, kept=True)
        self._size += len(picture.data)
        while self._size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.data)
