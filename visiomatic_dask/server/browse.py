"""Browsing: folders below the data roots, page by page, however many files they hold.

Nothing here blocks the event loop. Names are read at once. First bytes and headers are read for the page that is asked
for, within a budget of time; what takes longer is worked on all the same, so that asking again gives it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from visiomatic_dask.readers import UnpackCache
from visiomatic_dask.server.folders import Contents, FolderReader, Item
from visiomatic_dask.server.headlines import Details, Headline, Headlines, described, pending
from visiomatic_dask.server.names import DataRoots

MOST_ENTRIES = 1000
"""On one page."""
_BUDGET = 0.3
"""Seconds for which a page is waited for."""
_PART = 16
"""Entries that are looked at in one go."""
_MOST_PARTS = 64
"""Parts that may be under way; what comes on top is asked for again by those who still want it."""
_KEPT = 10.0
"""Seconds for which whoever was told that something is pending may come and ask for it."""
_PAUSE = 0.0005
"""Seconds between two headers, in which the event loop has the interpreter for itself."""
_MOST_CUBES = 1000
_MOST_LOOKED_AT = 20_000
_LONGEST_WALK = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """Cubes below the data roots.

    Attributes
    ----------
    cubes : tuple of (str, int or None)
        Name and size in bytes, sorted by name; a folder has no size.
    truncated : bool
        Whether there may be more.
    """

    cubes: tuple[tuple[str, int | None], ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which entries of a folder are asked for.

    Attributes
    ----------
    path : str
        The folder; empty for the roots.
    offset, limit : int
        First entry, and how many.
    details : bool
        Whether headers are read, too.
    contains : str
        Part that names must have, in any case; empty for all.
    """

    path: str
    offset: int = 0
    limit: int = 200
    details: bool = False
    contains: str = ""


class Browser:
    """Lists folders.

    Parameters
    ----------
    roots : DataRoots
        What may be listed.
    cache : UnpackCache
        Where compressed files are unpacked; listing them unpacks none.
    budget : float
        Seconds for which a page is waited for.
    """

    def __init__(self, roots: DataRoots, cache: UnpackCache, budget: float = _BUDGET) -> None:
        self._roots = roots
        self._budget = budget
        self._folders = FolderReader(roots)
        self._headlines = Headlines(cache)
        # Headers take longer than first bytes, which are not to wait for them.
        self._looking = ThreadPoolExecutor(2, "looking")
        self._opening = ThreadPoolExecutor(1, "opening")
        self._under_way: dict[Hashable, asyncio.Future[Any]] = {}
        self._missed: set[asyncio.Future[Any]] = set()
        self._late: dict[Hashable, asyncio.Future[Any]] = {}

    def close(self) -> None:
        """Give up what is under way."""
        self._looking.shutdown(wait=False, cancel_futures=True)
        self._opening.shutdown(wait=False, cancel_futures=True)

    async def page(self, request: PageRequest) -> dict[str, Any]:
        """List a page of a folder; ``docs/web-api.md`` says what each field is.

        Raises
        ------
        CubeNotFound
            If there is no such folder below the roots.
        """
        end = asyncio.get_running_loop().time() + self._budget
        contents, items = await self._joined(
            ("contents", request.path, request.contains), self._looking, lambda: self._contents(request)
        )
        last = request.offset + request.limit
        parts = [
            tuple(items[start : min(start + _PART, last)])
            for start in range(request.offset, min(last, len(items)), _PART)
        ]
        stamp = contents.stamp
        heads = await self._in_time(end, [self._look(part, stamp) for part in parts])
        opened: list[tuple[Details | None, ...] | None] = [None] * len(parts)
        if request.details:
            opening: list[asyncio.Future[tuple[Details | None, ...]] | None] = [
                None if seen is None else self._open(part, seen, stamp) for part, seen in zip(parts, heads, strict=True)
            ]
            opened = await self._in_time(end, opening)
        entries: list[dict[str, Any]] = []
        for part, seen, details in zip(parts, heads, opened, strict=True):
            entries += _described(part, seen, details, request.details)
        return {
            "path": contents.path,
            "entries": entries,
            "total": len(items),
            "offset": request.offset,
            "next": last if last < len(items) else None,
            "truncated": contents.truncated,
        }

    async def cubes(self) -> Listing:
        """Look for cubes below the roots, for a bounded time."""
        return await self._joined("cubes", self._looking, self._find_cubes)

    def _contents(self, request: PageRequest) -> tuple[Contents, Sequence[Item]]:
        contents = self._folders.read(request.path, "path")
        wanted = request.contains.casefold()
        if not wanted:
            return contents, contents.items
        before = len(contents.path) + 1 if contents.path else 0
        return contents, [item for item in contents.items if wanted in item.name[before:].casefold()]

    def _find_cubes(self) -> Listing:
        found: dict[str, int | None] = {}
        end = time.monotonic() + _LONGEST_WALK
        truncated = False
        for looked_at, (item, headline) in enumerate(self._headlines.walk(self._roots)):
            if len(found) >= _MOST_CUBES or looked_at >= _MOST_LOOKED_AT or time.monotonic() > end:
                truncated = True
                break
            if headline.kind == "cube":
                found.setdefault(item.name, headline.size)
        return Listing(tuple(sorted(found.items())), truncated)

    def _look(self, part: tuple[Item, ...], stamp: Hashable) -> asyncio.Future[tuple[Headline, ...]] | None:
        def look() -> tuple[Headline, ...]:
            return tuple(self._headlines.look(item, stamp) for item in part)

        return self._started(("look", part, stamp), self._looking, look)

    def _open(
        self, part: tuple[Item, ...], seen: tuple[Headline, ...], stamp: Hashable
    ) -> asyncio.Future[tuple[Details | None, ...]] | None:
        def open_one(item: Item, headline: Headline) -> Details | None:
            if headline.kind != "cube":
                return None
            time.sleep(_PAUSE)
            return self._headlines.open(item, headline, stamp)

        def open_all() -> tuple[Details | None, ...]:
            return tuple(open_one(item, headline) for item, headline in zip(part, seen, strict=True))

        return self._started(("open", part, seen), self._opening, open_all)

    def _started(self, key: Hashable, pool: ThreadPoolExecutor, make: Callable[[], T]) -> asyncio.Future[T] | None:
        """Start something, unless it is under way already, or came too late for who asked before.

        None where too much is under way.
        """
        future = self._under_way.get(key) or self._late.pop(key, None)
        if future is None and len(self._under_way) < _MOST_PARTS:
            future = asyncio.get_running_loop().run_in_executor(pool, make)
            self._under_way[key] = future
            future.add_done_callback(lambda done: self._ended(key, done))
        return future

    def _ended(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        del self._under_way[key]
        if done.cancelled():
            return
        done.exception()  # seen, even if nobody waits any more
        if done in self._missed:
            self._missed.discard(done)
            self._late[key] = done
            asyncio.get_running_loop().call_later(_KEPT, self._late.pop, key, None)

    async def _joined(self, key: Hashable, pool: ThreadPoolExecutor, make: Callable[[], T]) -> T:
        """Do something that comes first, once for all who want it at the same time."""
        future = self._under_way.get(key)
        if future is None:
            future = self._under_way[key] = asyncio.get_running_loop().run_in_executor(pool, make)
            future.add_done_callback(lambda done: self._ended(key, done))
        result: T = await asyncio.shield(future)
        return result

    async def _in_time(self, end: float, futures: Sequence[asyncio.Future[T] | None]) -> list[T | None]:
        """Results of what is done in time, and None for the rest."""
        waited_for = {future for future in futures if future is not None}
        if waited_for:
            await asyncio.wait(waited_for, timeout=max(0.0, end - asyncio.get_running_loop().time()))
        self._missed.update(one for one in waited_for if not one.done())
        return [None if one is None or not one.done() else one.result() for one in futures]


def _described(
    part: tuple[Item, ...],
    seen: tuple[Headline, ...] | None,
    opened: tuple[Details | None, ...] | None,
    with_details: bool,
) -> list[dict[str, Any]]:
    """Describe entries as far as they are known."""
    if seen is None:
        return [pending(item, None) for item in part]
    if not with_details:
        return [described(item, headline, None) for item, headline in zip(part, seen, strict=True)]
    if opened is None:
        return [
            pending(item, headline) if headline.kind == "cube" else described(item, headline, None)
            for item, headline in zip(part, seen, strict=True)
        ]
    return [described(*one) for one in zip(part, seen, opened, strict=True)]
