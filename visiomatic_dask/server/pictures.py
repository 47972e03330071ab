"""The picture desk: encoded pictures that are kept, and identical requests that share one rendering."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass

from visiomatic_dask.engine.requests import Picture


@dataclass(slots=True)
class _UnderWay:
    """A picture that is being made."""

    fingerprint: str
    picture: asyncio.Future[Picture | None]
    is_outdated: bool = False


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
        self._fingerprints: dict[str, str] = {}
        self._of_file: dict[str, set[str]] = {}
        self._under_way: dict[str, _UnderWay] = {}

    def kept(self, token: str) -> Picture | None:
        """Return a picture that is kept, which counts as used."""
        picture = self._kept.get(token)
        if picture is not None:
            self._kept.move_to_end(token)
        return picture

    async def get(
        self, token: str, fingerprint: str, make: Callable[[], Awaitable[Picture]], passing: bool = False
    ) -> Picture:
        """Return the picture that `token` names: one that is kept, one under way, or a new one.

        Parameters
        ----------
        token : str
            Says everything the picture depends on.
        fingerprint : str
            Of the reader it is made from.
        make : callable
            Makes it.
        passing : bool
            Whether it will be no more than a preview of that. Who asks for the exact picture later is never given one
            that is under way.
        """
        kept = self.kept(token)
        if kept is not None:
            return kept
        under_way = f"preview of {token}" if passing else token
        while (other := self._under_way.get(under_way)) is not None:
            picture = await asyncio.shield(other.picture)
            if picture is not None:
                return picture
            # Whoever was making it is gone: the first of those who waited takes over.
        mine = self._under_way[under_way] = _UnderWay(fingerprint, asyncio.get_running_loop().create_future())
        made: Picture | None = None
        try:
            made = await make()
            if not (mine.is_outdated or made.passing):
                self._keep(token, fingerprint, made)
        except Exception as error:
            mine.picture.set_exception(error)
            mine.picture.exception()  # seen, even if nobody else waits
            raise
        finally:
            del self._under_way[under_way]
            if not mine.picture.done():
                mine.picture.set_result(made)
        return made

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of the pictures of files that are others now, or gone; those under way will not be kept."""
        for fingerprint in [one for one in self._of_file if one in fingerprints]:
            for token in list(self._of_file[fingerprint]):
                self._drop(token, fingerprint)
        for under_way in self._under_way.values():
            under_way.is_outdated |= under_way.fingerprint in fingerprints

    def __len__(self) -> int:
        return len(self._kept)

    def _keep(self, token: str, fingerprint: str, picture: Picture) -> None:
        self._kept[token] = Picture(picture.data, picture.preview, kept=True)
        self._fingerprints[token] = fingerprint
        self._of_file.setdefault(fingerprint, set()).add(token)
        self._size += len(picture.data)
        while self._size > self._limit:
            oldest = next(iter(self._kept))
            self._drop(oldest, self._fingerprints[oldest])

    def _drop(self, token: str, fingerprint: str) -> None:
        self._size -= len(self._kept.pop(token).data)
        del self._fingerprints[token]
        tokens = self._of_file[fingerprint]
        tokens.remove(token)
        if not tokens:
            del self._of_file[fingerprint]
