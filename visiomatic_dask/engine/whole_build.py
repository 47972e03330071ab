"""Building all of a layer at a time: what ``build`` does, on a cluster that may go and come back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.engine.bins import bins_of
from visiomatic_dask.engine.build_news import BuildNews, BuildProgress
from visiomatic_dask.engine.build_order import TopPieces
from visiomatic_dask.engine.builder import Builder, new_owner
from visiomatic_dask.engine.cluster import ClusterTarget
from visiomatic_dask.engine.link import ClusterLink, kept_link
from visiomatic_dask.engine.tasks import sample_statistics
from visiomatic_dask.errors import PyramidGone, VisiomaticError
from visiomatic_dask.pyramid.store.buildable import Buildable
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.layout import checked, create_pyramid, open_pyramid, pyramid_address
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.pyramid import Piece, Pyramid
from visiomatic_dask.pyramid.store.spectral_copy import SpectralCopy, create_spectral, find_spectral
from visiomatic_dask.pyramid.store.upkeep import make_room, touch
from visiomatic_dask.rendering import interpolate_backgrounds

_MAKE_ROOM = 30.0
"""Seconds between two looks at how full the store is."""
_TRIES = 3
"""How often a pyramid is built of which something is lost meanwhile."""

Planes = Sequence[tuple[int, int]]
"""Ranges of planes, first and one past the last, which do not overlap."""


@dataclass(frozen=True, slots=True)
class WholeBuild:
    """What there is of a pyramid, all of it or of some planes, and what it took.

    Attributes
    ----------
    pyramid : Pyramid or SpectralCopy
        Which.
    planes : int
        How many planes were wanted.
    read : int
        Bytes read of the source here.
    size, files : int
        Bytes of all its shards now, and how many files they are.
    seconds : float
        How long it took; 0 where everything was there.
    """

    pyramid: Buildable
    planes: int
    read: int
    size: int
    files: int
    seconds: float


def find_whole(
    store: str, cube: Cube, layer: Layer, planes: Planes | None, settings: Settings, *, spectral: bool = False
) -> WholeBuild | None:
    """Return what there is of a pyramid, if nothing of what is wanted is missing. Blocks.

    Parameters
    ----------
    store : str
        Path or URL of the store.
    cube, layer : Cube, Layer
        What it is of.
    planes : sequence of (int, int) or None
        Which planes; None for all.
    settings : Settings
        How it is made.
    spectral : bool, optional
        Whether its spectral copy is meant, of all planes.

    Raises
    ------
    VisiomaticError
        If what is there cannot be used.
    """
    address = pyramid_address(store, cube, layer, settings.tile_size, settings.store_mantissa)
    try:
        pyramid: Buildable | None
        if spectral:
            pyramid = find_spectral(store, layer.reader.token)
            if pyramid is None:
                return None
        else:
            pyramid = checked(open_pyramid(address), layer)
        return _summary(pyramid, planes, 0, 0.0) if _is_whole(pyramid, planes) else None
    except PyramidGone:
        return None


def _wanted(pyramid: Buildable, planes: Planes | None) -> Sequence[Piece]:
    """Return what is to be built, with all that lies below."""
    return pyramid.pieces() if isinstance(pyramid, SpectralCopy) else TopPieces(cast("Pyramid", pyramid).plan, planes)


def _is_whole(pyramid: Buildable, planes: Planes | None) -> bool:
    state = Ledger.of(pyramid).look()
    return all(state.is_done(piece.shard, piece.planes) for piece in _wanted(pyramid, planes))


def _summary(pyramid: Buildable, planes: Planes | None, read: int, seconds: float) -> WholeBuild:
    state = Ledger.of(pyramid).look()
    wanted = pyramid.plan.count if planes is None else sum(last - first for first, last in planes)
    return WholeBuild(pyramid, wanted, read, state.bytes, state.files, seconds)


class WholeBuilds:
    """Builds whole layers, one after the other.

    Parameters
    ----------
    store : str
        Path or URL of the store.
    settings : Settings
        Every limit.
    link : callable
        Gives the link to the cluster, or None while there is none.
    """

    def __init__(self, store: str, settings: Settings, link: Callable[[], ClusterLink | None]) -> None:
        self._store = store
        self._settings = settings
        self._link = link
        self._builder = Builder(
            lambda: one.client if (one := link()) else None, self._workers, new_owner("build"), self._hear
        )
        self._progress: Callable[[BuildProgress], None] = lambda _: None
        self._failed: str | None = None
        self._read = self._read_before = 0
        self._kept: set[str] = set()  # what this command builds, and has built, makes no room for it

    async def build(
        self,
        cube: Cube,
        layer: Layer,
        planes: Planes | None,
        progress: Callable[[BuildProgress], None],
        *,
        spectral: bool = False,
    ) -> WholeBuild:
        """Build what is missing of a layer's pyramid, or of its spectral copy.

        Parameters
        ----------
        cube, layer : Cube, Layer
            What it is of.
        planes : sequence of (int, int) or None
            Which planes; None for all.
        progress : callable
            Called with how far it is.
        spectral : bool, optional
            Whether to build the spectral copy, of all planes.

        Raises
        ------
        VisiomaticError
            If it could not be built; what was built is kept.
        """
        began = time.monotonic()
        self._progress, self._failed, self._read = progress, None, 0
        pyramid = await asyncio.to_thread(self._created, cube, layer, spectral)
        upkeep = asyncio.create_task(self._keep_room(pyramid))
        try:
            for _ in range(_TRIES):
                self._read_before = self._read
                self._builder.want(pyramid, layer.reader, _wanted(pyramid, planes), urgent=False)
                await self._builder.finish()
                if self._failed is not None:
                    raise VisiomaticError(self._failed)
                if await asyncio.to_thread(_is_whole, pyramid, planes):
                    break
            else:
                raise VisiomaticError("what was built is lost again and again: do other programs write to the store?")
        finally:
            upkeep.cancel()
            await asyncio.gather(upkeep, return_exceptions=True)
        return await asyncio.to_thread(_summary, pyramid, planes, self._read, time.monotonic() - began)

    async def close(self) -> None:
        """Stop; see `Builder.close`."""
        await self._builder.close()

    def _workers(self) -> Sequence[str]:
        link = self._link()
        return link.dispatcher.members.usable if link else ()

    def _hear(self, news: BuildNews) -> None:
        self._failed = self._failed or news.failed
        self._read = self._read_before + news.read
        self._progress(news.progress)

    def _created(self, cube: Cube, layer: Layer, spectral: bool) -> Buildable:
        settings = self._settings
        StoreFolder.of(self._store).make()
        address = pyramid_address(self._store, cube, layer, settings.tile_size, settings.store_mantissa)
        copy = find_spectral(self._store, layer.reader.token) if spectral else None
        self._kept.add(copy.address if copy else address)
        make_room(self._store, settings.store_limit, self._kept)
        if spectral:
            return create_spectral(self._store, cube, layer)
        found = sample_statistics(layer.reader, layer.channels, settings.sample_limit, settings.sample_channels)
        bins = bins_of(interpolate_backgrounds(found, layer.channels))
        return create_pyramid(self._store, cube, layer, settings.tile_size, bins, settings.store_mantissa)

    async def _keep_room(self, pyramid: Buildable) -> None:
        while True:
            with contextlib.suppress(VisiomaticError):  # the pieces say so, once there is no room for them
                await asyncio.to_thread(touch, pyramid.address)
                self._kept.add(pyramid.address)
                await asyncio.to_thread(make_room, self._store, self._settings.store_limit, frozenset(self._kept))
            await asyncio.sleep(_MAKE_ROOM)


@asynccontextmanager
async def open_whole_builds(
    store: str, target: ClusterTarget | None, version: str, settings: Settings
) -> AsyncIterator[WholeBuilds]:
    """Start or join a cluster, and give what builds whole layers on it.

    Raises
    ------
    ClusterError
        If there is no cluster in the beginning. Later it is looked for until it is there.
    """
    link: ClusterLink | None = None

    def change(new: ClusterLink | None) -> None:
        nonlocal link
        link = new

    async with kept_link(target, version, settings, change):
        builds = WholeBuilds(store, settings, lambda: link)
        try:
            yield builds
        finally:
            await builds.close()
