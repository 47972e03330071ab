"""Opening what has to be unpacked first: in threads of its own, a few at a time, telling how far it is."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from visiomatic_dask.cube import Cube, SourceFile
from visiomatic_dask.errors import TooLarge, Unavailable, UnreadableCube, VisiomaticError
from visiomatic_dask.readers import UnpackCache, open_cube, to_be_unpacked

_AT_A_TIME = 2
_REMEMBERED = 60.0
"""Seconds for which a file that could not be unpacked is not tried again, unless it changes."""
_MOST_REMEMBERED = 64


class Unpacking:
    """Unpacks cubes, on and on when nobody waits any more.

    Parameters
    ----------
    cache : UnpackCache
        Where to.
    """

    def __init__(self, cache: UnpackCache) -> None:
        self.cache = cache
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="unpack")
        self._progress: dict[str, float] = {}
        self._failures: OrderedDict[str, tuple[float, VisiomaticError]] = OrderedDict()
        self._is_closed = False

    def needed(self, path: str) -> SourceFile | None:
        """Return the file that has to be unpacked before it can be opened. Blocks.

        Raises
        ------
        UnreadableCube, TooLarge
            If that has been tried a moment ago.
        """
        packed = to_be_unpacked(path, self.cache)
        if packed is not None:
            when, error = self._failures.get(packed.fingerprint, (0.0, None))
            if error is not None and time.monotonic() - when < _REMEMBERED:
                raise error.with_traceback(None)
        return packed

    def progress(self, name: str) -> float | None:
        """How much of a cube is unpacked, 0 to 1; None of one that is not being unpacked."""
        return self._progress.get(name)

    async def open(self, name: str, packed: SourceFile) -> Cube:
        """Unpack and open a cube.

        Raises
        ------
        UnreadableCube, TooLarge, CubeChanged, Unavailable
            See `visiomatic_dask.readers.open_cube`.
        """

        def tell(done: int, total: int) -> None:
            if self._is_closed:
                raise Unavailable("the server is being stopped")
            self._progress[name] = done / total

        def run() -> Cube:
            return open_cube(packed.path, name=name, cache=self.cache, progress=tell)

        self._progress[name] = 0.0
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except (UnreadableCube, TooLarge) as error:
            self._failures[packed.fingerprint] = (time.monotonic(), error)
            if len(self._failures) > _MOST_REMEMBERED:
                self._failures.popitem(last=False)
            raise
        finally:
            del self._progress[name]

    def close(self) -> None:
        """Give up what is under way: nothing half unpacked is left."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
