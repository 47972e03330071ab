"""Headlines: what an entry of a folder is, told from its first bytes, and what layers it has, from its headers."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from visiomatic_dask.cube import Layer, Source
from visiomatic_dask.errors import VisiomaticError
from visiomatic_dask.readers import Place, UnpackCache, format_of, peek_cube, to_be_unpacked
from visiomatic_dask.readers.place import is_url
from visiomatic_dask.readers.refusals import why_refused
from visiomatic_dask.readers.shared_cache import SharedCache
from visiomatic_dask.server.folders import Item, scan, single_item, sorted_items
from visiomatic_dask.server.names import DataRoots, Folder

logger = logging.getLogger(__name__)

_MOST_KEPT = 20_000
"""Entries whose first bytes or headers are remembered."""
_MOST_LAYERS = 50
"""Of one cube that are listed."""

Kind = Literal["folder", "cube", "other"]


@dataclass(frozen=True, slots=True)
class Headline:
    """What an entry is.

    Attributes
    ----------
    kind : {"folder", "cube", "other"}
        A cube may be a file or a folder.
    format : str or None
        Name of a cube's format.
    size : int or None
        Bytes of a file.
    changed : int or None
        Time of the last change, in nanoseconds since 1970.
    error : str or None
        Why it is no cube, or why it cannot be looked at.
    """

    kind: Kind
    format: str | None = None
    size: int | None = None
    changed: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What layers a cube has.

    Attributes
    ----------
    layers : str
        Name, shape, dtype and unit of each, as JSON: thousands are kept, which the garbage collector need not walk.
    error : str or None
        Why it cannot be opened.
    source : Source or None
        The version of it that was opened.
    stamp : Hashable
        Tells the version of its folder.
    is_whole : bool
        Whether these are all of its layers; of a compressed file only the beginning is looked at.
    """

    layers: str
    error: str | None
    source: Source | None
    stamp: Hashable
    is_whole: bool = True


class Headlines:
    """Looks at entries, and remembers them for as long as they do not change. Any number of threads may.

    Parameters
    ----------
    cache : UnpackCache
        Where compressed files are unpacked; listing them unpacks none.
    """

    def __init__(self, cache: UnpackCache) -> None:
        self._cache = cache
        self._told: SharedCache[tuple[str | None, str | None]] = SharedCache(_MOST_KEPT, cost=lambda _: 1)
        self._details: SharedCache[Details] = SharedCache(_MOST_KEPT, cost=lambda _: 1)

    def look(self, item: Item, stamp: Hashable) -> Headline:
        """Look at the first bytes of an entry.

        Parameters
        ----------
        item : Item
            The entry.
        stamp : Hashable
            Changes when a name in its folder comes or goes: what a file is may depend on those beside it.
        """
        if is_url(item.path):
            return Headline("cube")  # for which the operator answers: to ask would hold up the list
        try:
            status = os.stat(item.path)  # noqa: PTH116 - thousands of them
            key = (item.path, status.st_size, status.st_mtime_ns, stamp)
            name, why_not = self._told.get(key, lambda: _told(item.path))
        except OSError as error:
            return Headline("folder" if item.is_folder else "other", error=_cannot_be_read(error))
        kind: Kind = "cube" if name is not None else "folder" if item.is_folder else "other"
        size = None if item.is_folder else status.st_size
        return Headline(kind, name, size, status.st_mtime_ns, None if kind == "folder" else why_not)

    def open(self, item: Item, headline: Headline, stamp: Hashable) -> Details | None:
        """Read the headers of a cube; None of one at a URL, which may keep others waiting for as long as it likes."""
        if is_url(item.path):
            return None
        key = (item.path, headline.size, headline.changed)
        kept = self._details.get(key, lambda: _opened(item, stamp, self._cache))
        told_more = not kept.is_whole and to_be_unpacked(item.path, self._cache) is None  # it has been opened since
        if told_more or not _holds(kept, stamp):
            self._details.discard(key)
            kept = self._details.get(key, lambda: _opened(item, stamp, self._cache))
        return kept

    def walk(self, roots: DataRoots) -> Iterator[tuple[Item, Headline]]:
        """Everything below the roots, depth first, files before folders. Folders behind symbolic links are left out."""
        for name, address in roots.single.items():
            item = single_item(name, address)
            yield item, self.look(item, None)
        for root in roots.folders("", "path"):
            yield from self._walk(root, "")

    def _walk(self, folder: Folder, prefix: str) -> Iterator[tuple[Item, Headline]]:
        try:
            stamp = folder.path.stat().st_mtime_ns
            items = list(sorted_items(scan(folder, prefix)))
        except OSError:
            return  # a folder that may not be entered, or has just gone, holds nothing that could be served
        below = []
        for item in items:
            headline = self.look(item, stamp)
            if item.is_folder and headline.kind != "cube":
                below.append(item)
            else:
                yield item, headline
        for item in below:
            yield item, Headline("folder")
            if not item.is_link:
                yield from self._walk(Folder(folder.root, Path(item.path)), item.name)


def described(item: Item, headline: Headline, details: Details | None) -> dict[str, Any]:
    """Describe an entry as JSON; ``docs/web-api.md`` says what each field is."""
    entry: dict[str, Any] = {
        "name": item.name,
        "kind": headline.kind,
        "format": headline.format,
        "size": headline.size,
        "modified": None if headline.changed is None else _iso(headline.changed),
    }
    if details is not None:
        entry["layers"] = json.loads(details.layers)
        if not details.is_whole:
            entry["partial"] = True
    error = headline.error if details is None else details.error
    return entry if error is None else entry | {"error": error}


def pending(item: Item, headline: Headline | None) -> dict[str, Any]:
    """Describe an entry as far as it is known, while somebody looks at it."""
    headline = headline or Headline("folder" if item.is_folder else "other")
    return described(item, headline, None) | {"pending": True}


def _told(path: str) -> tuple[str | None, str | None]:
    """Name of the format of what lies at a path; else why it is no cube."""
    place = Place.look(path)
    if str(place.path) != path:
        raise OSError(0, "it is another file than a moment ago")  # nothing leads out of the roots, at no time
    found = format_of(place)
    if found is not None:
        return found.name, None
    return None, "it is empty" if not (place.head or place.is_folder) else why_refused(place)


def _opened(item: Item, stamp: Hashable, cache: UnpackCache) -> Details:
    try:
        cube, is_whole = peek_cube(item.path, item.name, cache)
    except VisiomaticError as error:
        return Details("[]", error.message, None, stamp)
    except Exception:  # the format may be somebody else's: one bad file must not hide a folder
        logger.exception("%s cannot be opened", item.name)
        return Details("[]", "it cannot be opened: its reader failed, and the server's log says how", None, stamp)
    layers = json.dumps([_layer(one) for one in cube.layers[:_MOST_LAYERS]])
    return Details(layers, None, cube.source, stamp, is_whole)


def _holds(details: Details, stamp: Hashable) -> bool:
    """Whether what was found is still so."""
    if details.source is None:
        return details.stamp == stamp
    try:
        details.source.check()
    except VisiomaticError:
        return False
    return True


def _layer(layer: Layer) -> dict[str, Any]:
    return {"name": layer.name, "shape": list(layer.shape), "dtype": str(layer.dtype), "unit": layer.unit}


def _cannot_be_read(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or type(error).__name__}"


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
