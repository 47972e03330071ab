"""The catalog: cubes that are open, checked against their files, with what has been learnt of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.errors import CubeNotFound, UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Background
from visiomatic_dask.server.names import DataRoots, Listing

_TRUSTED = 1.0
"""Seconds for which a file is not looked at again."""

BackgroundSource = Callable[[Layer], Awaitable[list[Background]]]


class OpenedCube:
    """One version of a cube, with the statistics of its layers once someone has asked for them."""

    def __init__(self, cube: Cube, path: Path, source: BackgroundSource) -> None:
        self.cube = cube
        self.path = path
        self.checked = time.monotonic()
        self._source = source
        self._backgrounds: dict[str, asyncio.Task[list[Background]]] = {}

    async def backgrounds(self, layer: Layer) -> list[Background]:
        """Background of every channel of a layer; sampled once, however many ask."""
        task = self._backgrounds.get(layer.name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._backgrounds[layer.name] = asyncio.ensure_future(self._source(layer))
        return await asyncio.shield(task)


class Catalog:
    """Opens cubes by name, and keeps those used last.

    Parameters
    ----------
    roots : DataRoots
        What may be opened.
    source : callable
        Samples the background of a layer.
    most : int
        How many cubes stay open.
    """

    def __init__(self, roots: DataRoots, source: BackgroundSource, most: int) -> None:
        self._roots = roots
        self._source = source
        self._most = most
        self._opened: OrderedDict[str, OpenedCube] = OrderedDict()
        self._opening: dict[str, asyncio.Task[OpenedCube]] = {}

    def current(self, name: str) -> OpenedCube | None:
        """Return a cube that is open, and whose file was looked at a moment ago."""
        opened = self._opened.get(name)
        if opened is None or time.monotonic() - opened.checked >= _TRUSTED:
            return None
        self._opened.move_to_end(name)
        return opened

    async def get(self, name: str, parameter: str) -> OpenedCube:
        """Return a cube by name, as its file is now.

        Raises
        ------
        CubeNotFound, UnreadableCube
            If it cannot be opened.
        """
        opened = self.current(name)
        if opened is not None:
            return opened
        task = self._opening.get(name)
        if task is None:
            task = self._opening[name] = asyncio.ensure_future(self._look(name, parameter))
            task.add_done_callback(lambda _: self._opening.pop(name, None))
        return await asyncio.shield(task)

    async def list(self) -> Listing:
        """Look for cubes below the roots."""
        return await asyncio.to_thread(self._roots.list)

    async def _look(self, name: str, parameter: str) -> OpenedCube:
        """Open the cube, or find that the open one is still what its file is.

        Off the event loop: file systems can be slow.
        """
        known = self._opened.get(name)
        try:
            opened = await asyncio.to_thread(self._open, name, parameter, known)
        except (CubeNotFound, UnreadableCube):
            self._opened.pop(name, None)
            raise
        opened.checked = time.monotonic()
        self._opened[name] = opened
        self._opened.move_to_end(name)
        while len(self._opened) > self._most:
            self._opened.popitem(last=False)
        return opened

    def _open(self, name: str, parameter: str, known: OpenedCube | None) -> OpenedCube:
        path = self._roots.resolve(name, parameter)
        if known is not None and known.path == path and known.cube.is_current:
            return known
        return OpenedCube(open_cube(path, name=name), path, self._source)
