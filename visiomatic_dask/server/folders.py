"""Folders: the names in them, sorted, before anything is looked at. Blocks; meant for a thread of its own."""

from __future__ import annotations

import heapq
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.place import is_url
from visiomatic_dask.server.names import DataRoots, Folder

_MOST_NAMES = 200_000
"""In one folder; those beyond are left out."""
_MOST_KEPT = 400_000
"""Names in all folders that are remembered."""
_SLICE = 4096
"""Names that are sorted in one go, for which the interpreter is held."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes in a name that are no UTF-8."""
_TICK = 50_000_000
"""Nanoseconds after a change within which another may leave the time of a folder as it is."""


@dataclass(frozen=True, slots=True)
class Item:
    """A name in a folder.

    Attributes
    ----------
    name : str
        As requests call it: relative to the data roots, with ``/`` between folders.
    path : str
        Where it lies; symbolic links followed. Or a URL.
    is_folder : bool
        Whether it is a folder, which may still be a cube.
    is_link : bool
        Whether it is a symbolic link.
    """

    name: str
    path: str
    is_folder: bool
    is_link: bool = False


def single_item(name: str, address: str) -> Item:
    """Make the item of a single cube, which may be a folder, or lie at a URL."""
    return Item(name, address, not is_url(address) and os.path.isdir(address))  # noqa: PTH112 - a path as text


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a folder.

    Attributes
    ----------
    path : str
        The folder's name.
    items : tuple of Item
        Folders before files, each by name.
    stamp : tuple of (str, int)
        The folder in each root, and the time of its last change in nanoseconds.
    truncated : bool
        Whether there is more.
    """

    path: str
    items: tuple[Item, ...]
    stamp: tuple[tuple[str, int], ...]
    truncated: bool


class FolderReader:
    """Reads folders, and remembers those read last for as long as they do not change.

    Parameters
    ----------
    roots : DataRoots
        What may be read.
    """

    def __init__(self, roots: DataRoots) -> None:
        self._roots = roots
        self._kept: OrderedDict[str, Contents] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: str, parameter: str) -> Contents:
        """Read a folder, or all roots and single cubes where `path` is empty.

        Raises
        ------
        CubeNotFound
            If there is no such folder below the roots.
        UnreadableCube
            If it cannot be read.
        """
        folders = self._roots.folders(path, parameter)
        path = PurePosixPath(path).as_posix() if path else ""
        began = time.time_ns()
        stamp = tuple((str(one.path), _changed(one)) for one in folders)
        with self._lock:
            kept = self._kept.get(path)
        if kept is not None and kept.stamp == stamp:
            return kept
        single = [single_item(name, address) for name, address in self._roots.single.items() if not path]
        found = {item.name: item for item in single}
        why: OSError | None = None
        for folder in folders:
            try:
                for item in islice(scan(folder, path), _MOST_NAMES + 1):
                    found.setdefault(item.name, item)
            except OSError as error:  # the other roots may be well
                why = error
        if why is not None and not found:
            raise UnreadableCube(f"the folder {path!r} cannot be read: {why.strerror}", parameter) from why
        contents = Contents(
            path, tuple(islice(sorted_items(found.values()), _MOST_NAMES)), stamp, len(found) > _MOST_NAMES
        )
        if why is None and all(began - changed > _TICK for _, changed in stamp):
            self._keep(contents)
        return contents

    def _keep(self, contents: Contents) -> None:
        with self._lock:
            self._kept[contents.path] = contents
            self._kept.move_to_end(contents.path)
            while sum(len(one.items) for one in self._kept.values()) > _MOST_KEPT:
                self._kept.popitem(last=False)


def scan(folder: Folder, prefix: str) -> Iterator[Item]:
    """Names in a folder that can be asked for: neither hidden ones, nor links out of the root."""
    before = f"{prefix}/" if prefix else ""
    root = os.path.join(folder.root, "")  # noqa: PTH118 - with a separator at its end
    with os.scandir(folder.path) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not _can_be_asked_for(entry.name):
                continue
            if not entry.is_symlink():
                yield Item(before + entry.name, entry.path, entry.is_dir(follow_symlinks=False))
                continue
            real = os.path.realpath(entry.path)
            if real.startswith(root):
                yield Item(before + entry.name, real, os.path.isdir(real), is_link=True)  # noqa: PTH112


def sorted_items(items: Iterable[Item]) -> Iterator[Item]:
    """Folders before files, each by name whatever its case; in slices, as no other thread runs while one is sorted."""
    rest = iter(items)
    slices = []
    while part := list(islice(rest, _SLICE)):
        slices.append(sorted(part, key=_order))
    return heapq.merge(*slices, key=_order)


def _changed(folder: Folder) -> int:
    """Time of the last change, in nanoseconds; -1 of a folder that has gone."""
    try:
        return folder.path.stat().st_mtime_ns
    except OSError:
        return -1


def _order(item: Item) -> str:
    return f"{'0' if item.is_folder else '1'}{item.name.casefold()}\0{item.name}"


def _can_be_asked_for(name: str) -> bool:
    """Whether a request can hold a name: not one that is no Unicode, or has a backslash."""
    return "\\" not in name and (name.isascii() or not _SURROGATE.search(name))
