"""The spectral copies in the store, as a front end sees them: found once, asked for with every spectrum."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from visiomatic_dask.cube import Cube, Layer, Reader, Window
from visiomatic_dask.errors import VisiomaticError
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.shards import Shard
from visiomatic_dask.pyramid.store.spectral_choice import better_for, is_worthwhile
from visiomatic_dask.pyramid.store.spectral_copy import SpectralCopy, create_spectral, find_spectral
from visiomatic_dask.pyramid.store.spectral_reader import SpectralReader
from visiomatic_dask.pyramid.store.upkeep import touch

logger = logging.getLogger(__name__)

_KEPT = 256
"""Layers of which it is known whether there is a copy."""
_LOOK_AGAIN = 10.0
"""Seconds after which a copy, or a shard of one, that was not there is looked for again."""
_NOTE = 1800.0
"""Seconds between two notes that a copy is used, which keep it from being evicted."""
_PATIENCE = 0.3
"""Seconds that a spectrum waits for the store; it is read from the source then, and the look goes on."""


@dataclass
class _Known:
    """What is known of the copy of a layer.

    Attributes
    ----------
    reader : SpectralReader or None
        None where there is no copy.
    looked : float
        When that was found out.
    noted : float
        When it was noted in the store that it is used.
    built, missing : set of Shard, mapping
        Shards that are there, and when those that are not were looked for.
    """

    reader: SpectralReader | None
    looked: float
    noted: float = float("-inf")
    built: set[Shard] = field(default_factory=set)
    missing: dict[Shard, float] = field(default_factory=dict)


def spectral_build(store: str, cube: Cube, layer: Layer) -> tuple[SpectralCopy, list[Piece]] | None:
    """Create the spectral copy of a layer, unless it is there, and list what a builder has to build of it. Blocks.

    Parameters
    ----------
    store : str
        Path or URL.
    cube, layer : Cube, Layer
        Of what.

    Returns
    -------
    (SpectralCopy, list of Piece) or None
        None where spectra are read as fast from the layer itself: it has one channel, or is stored in that order.

    Raises
    ------
    UnreadableCube
        If it is there and damaged.
    StoreError
        If the store cannot be read or written to.
    """
    if not is_worthwhile(layer.reader):
        return None
    copy = create_spectral(store, cube, layer)
    return copy, copy.pieces()


class SpectralCopies:
    """Chooses between a layer and its spectral copy. Whatever is wrong with a copy, there is still the layer.

    Parameters
    ----------
    store : callable
        Gives the path or URL of the store, or None as long as there is none.
    clock : callable
        Seconds.
    """

    def __init__(self, store: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looks: dict[Hashable, asyncio.Task[None]] = {}

    async def reader_for(
        self, layer: Layer, channels: Sequence[int] | None, start: tuple[int, int], stop: tuple[int, int]
    ) -> Reader:
        """Return what the pixels of some channels along a line are best read from: the layer's reader, or its copy's.

        Parameters
        ----------
        layer : Layer
            Which.
        channels : sequence of int or None
            Of it; None for all.
        start, stop : (int, int)
            x and y of the ends, 0-based, in the order of the file.
        """
        source, store = layer.reader, self._store()
        if store is None:
            return source
        known = self._known.get(source.token)
        if known is None or (known.reader is None and self._clock() - known.looked > _LOOK_AGAIN):
            await self._wait(source.token, self._find(store, source.token))
            known = self._known.get(source.token)
        if known is None or known.reader is None or not better_for(source, known.reader, channels, start, stop):
            return source
        self._known.move_to_end(source.token)
        shards = _shards(known.reader, start, stop)
        unknown = [shard for shard in shards if shard not in known.built and self._is_due(known, shard)]
        if unknown:
            await self._wait((source.token, *unknown), self._look_at(known, known.reader.copy, unknown))
        if not known.built.issuperset(shards):
            return source
        if self._clock() - known.noted > _NOTE:
            known.noted = self._clock()
            await self._wait((source.token, "note"), self._note(known.reader.copy))
        return known.reader

    def lost(self, layer: Layer) -> None:
        """Forget the copy of a layer, which could not be read; it is looked for again after a while."""
        self._known[layer.reader.token] = _Known(None, self._clock())

    def forget(self, fingerprints: Container[str]) -> None:
        """Forget the copies of files that are others now, or gone."""
        for token, known in list(self._known.items()):
            if known.reader is not None and known.reader.copy.fingerprint in fingerprints:
                del self._known[token]

    def _is_due(self, known: _Known, shard: Shard) -> bool:
        looked = known.missing.get(shard)
        return looked is None or self._clock() - looked > _LOOK_AGAIN

    async def _wait(self, key: Hashable, look: Coroutine[Any, Any, None]) -> None:
        """Have something looked up, once for all who ask at the same time, and wait for it, but not for long."""
        task = self._looks.get(key)
        if task is None:
            task = self._looks[key] = asyncio.create_task(look)
            task.add_done_callback(lambda _: self._looks.pop(key))
        else:
            look.close()
        await asyncio.wait([task], timeout=_PATIENCE)
        if task.done():
            task.result()

    async def _find(self, store: str, token: str) -> None:
        """Look for the copy of a layer."""
        try:
            reader = await asyncio.to_thread(_find, store, token)
        except VisiomaticError as error:
            logger.warning("spectra are read from the source: %s", error)
            reader = None
        self._known[token] = _Known(reader, self._clock())
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    async def _look_at(self, known: _Known, copy: SpectralCopy, shards: Sequence[Shard]) -> None:
        """Find out which shards are built."""
        try:
            built = await asyncio.to_thread(_built, copy, shards)
        except VisiomaticError as error:
            logger.warning("spectra are read from the source: %s", error)
            built = set()
        known.built |= built
        known.missing = dict.fromkeys(set(shards) - built, self._clock())

    async def _note(self, copy: SpectralCopy) -> None:
        """Note that a copy is used."""
        try:
            await asyncio.to_thread(touch, copy.address)
        except VisiomaticError as error:
            logger.info("the use of a spectral copy is not noted: %s", error)


def _find(store: str, token: str) -> SpectralReader | None:
    copy = find_spectral(store, token)
    return None if copy is None else SpectralReader.of(copy)


def _built(copy: SpectralCopy, shards: Sequence[Shard]) -> set[Shard]:
    folder = StoreFolder.of(copy.address)
    return {shard for shard in shards if folder.stamp(copy.path(shard)) is not None}


def _shards(reader: SpectralReader, start: tuple[int, int], stop: tuple[int, int]) -> list[Shard]:
    """Shards around a line, of all channels; none where it does not touch the picture."""
    height, width = reader.shape[-2:]
    (left, right), (low, high) = (sorted(ends) for ends in zip(start, stop, strict=True))
    first = max(0, low), max(0, left)
    last = max(first[0], min(high + 1, height)), max(first[1], min(right + 1, width))
    if first[0] >= height or first[1] >= width:
        return []
    leading = reader.shape[:-2]
    return reader.copy.plan.touched(Window((*(0 for _ in leading), *first), (*leading, *last)))
