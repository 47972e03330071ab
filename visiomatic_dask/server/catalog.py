"""The catalog: cubes that are open, checked against their files, with what has been learnt of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Cube, Layer, SourceFile
from visiomatic_dask.engine.found_once import FoundOnce
from visiomatic_dask.errors import BeingUnpacked, CubeNotFound, UnreadableCube
from visiomatic_dask.readers import UnpackCache, open_cube
from visiomatic_dask.readers.place import is_url
from visiomatic_dask.rendering import Background
from visiomatic_dask.server.names import DataRoots
from visiomatic_dask.server.unpacking import Unpacking

logger = logging.getLogger(__name__)

_TRUSTED = 1.0
"""Seconds for which a file is not looked at again."""
_SWEEP = 5.0
"""Seconds between two looks at the files of all open cubes, whether anyone asks for them or not."""
_TICK = 0.02
"""Seconds within which a second write may leave a file's time as it is: kernels count it in ticks of 1 to 10 ms."""
_MOST_TICKS = 50
_PATIENCE = 1.0
"""Seconds for which a request waits while a cube is unpacked."""
_MOST_CONTENTS = 64
_MOST_CHANNELS = 2**17
"""Of all contents of a cube that are kept, and what they are made of: each takes some 50 bytes in a mix."""

BackgroundSource = Callable[[Layer], Awaitable[list[Background]]]


class OpenedCube:
    """One version of a cube, with the statistics of its layers once someone has asked for them."""

    def __init__(self, cube: Cube, address: str, source: BackgroundSource) -> None:
        self.cube = cube
        self.address = address
        self.checked = time.monotonic()
        self.is_dropped = False
        self.contents = FoundOnce(_MOST_CONTENTS, _MOST_CHANNELS)
        self._source = source
        self._backgrounds = FoundOnce()
        self._cut_pairs = FoundOnce()
        self._computed = FoundOnce()

    @cached_property
    def fingerprints(self) -> frozenset[str]:
        """Fingerprints of the cube and of all its readers."""
        readers = [layer.reader for layer in self.cube.layers]
        readers += [level.reader for layer in self.cube.layers for level in layer.levels]
        return frozenset((self.cube.fingerprint, *(reader.fingerprint for reader in readers)))

    async def backgrounds(self, layer: Layer) -> list[Background]:
        """Background of every channel of a layer; sampled once, however many ask."""
        found: list[Background] = await self._backgrounds.get(layer.name, lambda: self._source(layer))
        return found

    async def cut_pairs(self, layer: Layer) -> NDArray[np.float64]:
        """Default cuts of every channel of a layer, (channels, 2): of thousands, those of a mix are found at once."""

        async def find() -> NDArray[np.float64]:
            found = [one.cut for one in await self.backgrounds(layer)]
            return np.array([(cut.low, cut.high) for cut in found])

        pairs: NDArray[np.float64] = await self._cut_pairs.get(layer.name, find)
        return pairs

    async def computed(self, what: str, compute: Callable[[], Any]) -> Any:
        """Return what is computed in a thread, once for this version of the cube, however many ask."""
        return await self._computed.get(what, lambda: asyncio.to_thread(compute))


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
    forget : callable
        Told of every version that is no more, and of those of its fingerprints that no open cube has (one file may be
        open under several names, of which one goes): lets go of all that is kept of it elsewhere.
    cache : UnpackCache
        Where compressed files are unpacked.
    """

    def __init__(
        self,
        roots: DataRoots,
        source: BackgroundSource,
        most: int,
        forget: Callable[[Cube, frozenset[str]], None],
        cache: UnpackCache,
    ) -> None:
        self._roots = roots
        self._source = source
        self._most = most
        self._forget = forget
        self._doubted = 0.0
        self._opened: OrderedDict[str, OpenedCube] = OrderedDict()
        self._opening: dict[str, tuple[float, asyncio.Task[OpenedCube]]] = {}
        self._unpacking = Unpacking(cache)

    def current(self, name: str) -> OpenedCube | None:
        """Return a cube that is open, and whose file was looked at a moment ago."""
        opened = self._opened.get(name)
        if opened is None or opened.checked <= self._doubted or time.monotonic() - opened.checked >= _TRUSTED:
            return None
        self._opened.move_to_end(name)
        return opened

    def find(self, layer_token: str) -> tuple[Cube, Layer] | None:
        """Return the layer of an open cube whose reader has a token."""
        found = ((one.cube, layer) for one in self._opened.values() for layer in one.cube.layers)
        return next((one for one in found if one[1].reader.token == layer_token), None)

    async def backgrounds(self, layer: Layer) -> list[Background]:
        """Return the background of every channel of a layer, whether its cube is still open or not."""
        for opened in self._opened.values():
            if any(one.reader.token == layer.reader.token for one in opened.cube.layers):
                return await opened.backgrounds(layer)
        return await self._source(layer)

    def doubt(self) -> None:
        """Trust no look at a file that was made before now: somebody has found one changed."""
        self._doubted = time.monotonic()

    async def get(self, name: str, parameter: str) -> OpenedCube:
        """Return a cube by name, as its file is now.

        Raises
        ------
        CubeNotFound, UnreadableCube, TooLarge
            If it cannot be opened. `UnreadableCube` also if it is open, and it cannot be found out now whether its file
            has changed; it stays open.
        BeingUnpacked
            If that takes longer, as its file is being unpacked. That goes on.
        """
        opened = self.current(name)
        if opened is not None:
            return opened
        if name in self._opening:
            opened = await self._opened_soon(name)
            if opened.checked > self._doubted:
                return opened
            # It had looked before there was reason to doubt.
        if name not in self._opening:
            task = asyncio.ensure_future(self._look(name, parameter))
            self._opening[name] = time.monotonic(), task
            task.add_done_callback(lambda task: self._opened_or_not(name, task))
        return await self._opened_soon(name)

    async def _opened_soon(self, name: str) -> OpenedCube:
        """Wait for a cube that is being opened; not for long while it is being unpacked."""
        began, task = self._opening[name]
        patience = max(0.0, began + _PATIENCE - time.monotonic())
        while not (await asyncio.wait({task}, timeout=patience))[0]:
            progress = self._unpacking.progress(name)
            if progress is not None:
                raise BeingUnpacked(f"{name} is being unpacked: {100 * progress:.0f} % done", progress)
            patience = _PATIENCE
        return task.result()

    def _opened_or_not(self, name: str, task: asyncio.Task[OpenedCube]) -> None:
        del self._opening[name]
        if not task.cancelled():
            task.exception()  # perhaps nobody waits any more who could be told

    def close(self) -> None:
        """Give up what is being unpacked."""
        self._unpacking.close()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look at the files of all open cubes every few seconds, so that a version that is no more is let go of."""
        task = asyncio.create_task(self._sweep_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def sweep(self) -> None:
        """Look at the files of all cubes that nobody has asked for lately, one by one; not at those at URLs."""
        for name, opened in list(self._opened.items()):
            if is_url(opened.address):
                continue
            if time.monotonic() - opened.checked < _TRUSTED or name in self._opening:
                continue
            with contextlib.suppress(UnreadableCube):  # who asks for it is told; perhaps the next look finds out
                if not await self._is_still(name, "name", opened):
                    self._drop(name, opened)

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            try:
                await self.sweep()
            except Exception:  # the next one may do better, and must not be given up for it
                logger.exception("looking for files that have changed failed")

    async def _look(self, name: str, parameter: str) -> OpenedCube:
        """Open the cube, or find that the open one is still what its file is.

        Off the event loop: file systems can be slow.
        """
        opened = self._opened.get(name)
        if opened is not None and not await self._is_still(name, parameter, opened):
            self._drop(name, opened)
        if opened is None or opened.is_dropped:  # by the sweep, it may be, after this look but before its answer
            opened = await self._open_anew(name, parameter)
        self._opened[name] = opened
        self._opened.move_to_end(name)
        while len(self._opened) > self._most:
            self._opened.popitem(last=False)
        return opened

    async def _open_anew(self, name: str, parameter: str) -> OpenedCube:
        began = time.monotonic()
        opened = await asyncio.to_thread(self._open, name, parameter)
        if isinstance(opened, SourceFile):
            cube = await self._unpacking.open(name, opened)
            await asyncio.to_thread(_read_wcs, cube)
            opened = OpenedCube(cube, opened.path, self._source)
        opened.checked = began
        return opened

    async def _is_still(self, name: str, parameter: str, opened: OpenedCube) -> bool:
        """Whether a name means a cube that is open, and its file is the one that was opened.

        Raises
        ------
        UnreadableCube
            If that cannot be found out, as when a server on the web does not answer.
        """

        def look() -> bool:
            try:
                return self._roots.resolve(name, parameter) == opened.address and opened.cube.is_current
            except CubeNotFound:
                return False

        began = time.monotonic()
        is_still = await asyncio.to_thread(look)
        if is_still:
            opened.checked = began
        return is_still

    def _drop(self, name: str, opened: OpenedCube) -> None:
        opened.is_dropped = True
        if self._opened.get(name) is opened:
            del self._opened[name]
            open_elsewhere = frozenset[str]().union(*(other.fingerprints for other in self._opened.values()))
            self._forget(opened.cube, opened.fingerprints - open_elsewhere)

    def _open(self, name: str, parameter: str) -> OpenedCube | SourceFile:
        """Open the cube, or return the file that has to be unpacked first."""
        address = self._roots.resolve(name, parameter)
        if not is_url(address):
            _settle(Path(address))
            packed = self._unpacking.needed(address)
            if packed is not None:
                return packed
        cube = open_cube(address, name=name, cache=self._unpacking.cache)
        _read_wcs(cube)
        return OpenedCube(cube, address, self._source)


def _read_wcs(cube: Cube) -> None:
    """Read the WCS of the layer that is shown first: at once, as its lookup tables may come from far away."""
    _ = cube.layer().wcs.parts


def _settle(path: Path) -> None:
    """Wait until a file's time would show another write: two within a tick cannot be told apart.

    What is being written to all the time is opened all the same; its readers will notice.
    """
    for _ in range(_MOST_TICKS):
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:
            return  # opening it says what is wrong
        if not 0 <= age < _TICK:
            return
        time.sleep(_TICK - age)
