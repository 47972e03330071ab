"""Pyramids: what is in the store of the layers that are looked at, had built as it is needed.

The planner asks here which pixels are in the store, on the event loop, and is answered from what was found there last.
File systems are looked at in threads, at most once a second, and only on behalf of somebody: of who looks at previews,
or listens. So what other servers, or ``build``, put into the store is noticed too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, TypeVar

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.engine.bins import bins_of
from visiomatic_dask.engine.build_news import BuildNews
from visiomatic_dask.engine.build_order import TopPieces, pieces_over
from visiomatic_dask.engine.builder import Builder
from visiomatic_dask.engine.plans import Need
from visiomatic_dask.engine.pyramid_news import OpenLayers, PyramidNews
from visiomatic_dask.engine.store_room import StoreRoom
from visiomatic_dask.engine.stored_histogram import stored_histogram
from visiomatic_dask.engine.stored_layer import Found, StoredLayer, look_for, newly_done, strike
from visiomatic_dask.errors import CubeChanged, PyramidGone, Unavailable, VisiomaticError
from visiomatic_dask.pyramid import Box
from visiomatic_dask.pyramid.store.layout import create_pyramid, pyramid_address
from visiomatic_dask.pyramid.store.upkeep import touch
from visiomatic_dask.rendering import Histogram

logger = logging.getLogger(__name__)

_PACE = 1.0
"""Seconds between two looks at the same ledger."""
_FIRST_LOOK = 2.0
"""Seconds that a tile waits for the first look at a pyramid, which takes milliseconds as long as the store is well."""
_REMEMBERED = 600.0
"""Seconds for which it is followed what becomes of something that was asked for."""
_ASK_AGAIN = 5.0
"""Seconds after which the builder is asked again for what is still being asked for."""
_TRY_AGAIN = 30.0
"""Seconds after a failure in which nothing is tried."""
_TOUCHED = 60.0
"""Seconds between two marks that a pyramid is in use."""
_MOST_LAYERS = 256
_MOST_NEEDS = 1024
_THREADS = 4

T = TypeVar("T")


class Pyramids:
    """The pyramids of layers that are looked at; a `visiomatic_dask.engine.planner.StoredLevels`.

    Parameters
    ----------
    settings : Settings
        Every limit; `store` says where pyramids are kept.
    make_builder : callable
        Makes the builder, given who is to be told what it does.
    layers : OpenLayers
        Knows the cubes that are open.
    news : PyramidNews
        Is told of pixels that are in the store from now on, and of the progress.
    """

    def __init__(
        self,
        settings: Settings,
        make_builder: Callable[[Callable[[BuildNews], None]], Builder],
        layers: OpenLayers,
        news: PyramidNews,
    ) -> None:
        assert settings.store is not None
        self._settings = settings
        self._store = settings.store
        self._builder = make_builder(self._told)
        self._layers = layers
        self._news = news
        self._known: OrderedDict[str, StoredLayer] = OrderedDict()
        self._versions = count(1)
        self._threads = ThreadPoolExecutor(_THREADS, "store")
        self._polling: asyncio.Task[None] | None = None
        self._room = StoreRoom(self._store, settings.store_limit, self._threads)
        self._is_closed = False

    def start(self) -> None:
        """Begin to look at the store on behalf of those who wait or listen."""
        self._polling = asyncio.create_task(self._poll())

    def version(self, layer: Layer) -> int:
        """See `visiomatic_dask.engine.planner.StoredLevels.version`."""
        known = self._known.get(layer.reader.token)
        return 0 if known is None else known.version

    def reader(self, layer: Layer, level: int) -> Reader | None:
        """See `visiomatic_dask.engine.planner.StoredLevels.reader`."""
        known = self._known.get(layer.reader.token)
        return None if known is None else known.reader(level)

    def is_done(self, layer: Layer, level: int, planes: tuple[int, int], box: Box) -> bool:
        """See `visiomatic_dask.engine.planner.StoredLevels.is_done`."""
        known = self._known.get(layer.reader.token)
        return known is not None and known.is_done(level, planes, box)

    async def looked_up(self, layer: Layer) -> None:
        """Wait until the store was looked at for a layer; not for long, where that takes long."""
        known = self._know(layer.reader.token)
        if known is not None and not known.looked and known.work is not None:
            await asyncio.wait([known.work], timeout=max(0.0, known.began + _FIRST_LOOK - self._now))

    async def histogram(self, layer: Layer, channel: int | None) -> Histogram | None:
        """Return the histogram of all values of a channel, or of all channels, if it is in the store.

        Raises
        ------
        StoreError
            As of `visiomatic_dask.engine.stored_histogram.stored_histogram`.
        """
        known = self._know(layer.reader.token)
        if known is None:
            return None
        return await self._thread(stored_histogram, self._address(known), known.layer, channel)

    def used(self, layer: Layer) -> None:
        """Note that pixels of a pyramid are being looked at."""
        known = self._known.get(layer.reader.token)
        if known is not None:
            known.used = self._now

    def want(self, layer: Layer, needs: Sequence[Need]) -> None:
        """Have pixels built that somebody looks at: before everything else."""
        known = self._know(layer.reader.token)
        if known is None:
            return  # closed as the least recently used, or changed: the next request opens it anew
        for need in needs:
            known.needs[need] = self._now
            known.needs.move_to_end(need)
        while len(known.needs) > _MOST_NEEDS:
            oldest, _ = known.needs.popitem(last=False)
            known.handed.pop(oldest, None)
        self._work_soon(known)

    def want_all(self, layer: Layer) -> None:
        """Have all of a layer built, as far as there is nothing better to do."""
        known = self._know(layer.reader.token)
        if known is not None and not known.is_wanted:
            known.is_wanted = True
            self._work_soon(known)

    async def changed(self, layer: Layer) -> None:
        """Wait until more, or less, is known to be in the store of a layer.

        Raises
        ------
        Unavailable
            If it cannot be built at the moment.
        """
        known = self._know(layer.reader.token)
        if known is None:
            raise CubeChanged("the file has changed since it was opened; open it again")
        if known.complaint:
            raise Unavailable(known.complaint, retry_after=int(_TRY_AGAIN))
        await known.changed.wait()

    def gone(self, layer: Layer, needs: Sequence[Need] = ()) -> None:
        """Note that a pyramid is not what it was thought to be: it has been evicted, or something of it is damaged.

        Parameters
        ----------
        layer : Layer
            Of which layer.
        needs : sequence of Need
            What could not be read. As far as it is not there, it is built again.
        """
        known = self._known.get(layer.reader.token)
        if known is not None and known.found is not None:
            known.doubted |= dict.fromkeys(needs)
            known.knows(None)
            self._work_soon(known)

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of the pyramids of files that are others now, or gone."""
        for token, known in list(self._known.items()):
            if known.layer.reader.fingerprint in fingerprints:
                self._drop(token)
        self._builder.forget(fingerprints)

    async def close(self) -> None:
        """Stop building, and looking."""
        self._is_closed = True
        tasks = [known.work for known in self._known.values() if known.work is not None]
        if self._polling is not None:
            tasks.append(self._polling)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._builder.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _thread(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def _address(self, known: StoredLayer) -> str:
        settings = self._settings
        return pyramid_address(self._store, known.cube, known.layer, settings.tile_size, settings.store_mantissa)

    def _know(self, token: str) -> StoredLayer | None:
        """Return what is known of a layer; the first time it is looked for."""
        known = self._known.get(token)
        if known is None:
            found = None if self._is_closed else self._layers.find(token)
            if found is None:
                return None
            if len(self._known) == _MOST_LAYERS:
                idle = (one for one, other in self._known.items() if not (other.needs or other.is_wanted))
                self._drop(next(idle, next(iter(self._known))))
            known = self._known[token] = StoredLayer(*found, self._versions, began=self._now)
            self._work_soon(known)
        self._known.move_to_end(token)
        return known

    def _drop(self, token: str) -> None:
        known = self._known.pop(token)
        known.knows(None)  # who waits for it is told when it asks again
        if known.work is not None:
            known.work.cancel()

    def _work_soon(self, known: StoredLayer) -> None:
        """Look at the store for a layer, and have built what is needed of it; in a task of its own, one at a time."""
        known.is_due = True
        if known.work is None and not self._is_closed:
            known.work = asyncio.create_task(self._work(known))
            known.work.add_done_callback(lambda task: self._worked(known, task))

    def _worked(self, known: StoredLayer, task: asyncio.Task[None]) -> None:
        known.work = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("looking after a pyramid failed", exc_info=error)
        elif known.is_due:
            self._work_soon(known)

    async def _work(self, known: StoredLayer) -> None:
        while known.is_due:
            known.is_due = False
            try:
                await self._mend(known)
                await self._look(known)
                if self._now >= known.not_before:
                    await self._build(known)
            except (VisiomaticError, OSError) as error:
                self._complain(known, str(error) if isinstance(error, VisiomaticError) else f"{error.strerror}")
                logger.warning("the pyramid of %s cannot be used: %s", known.cube.name, error)

    async def _mend(self, known: StoredLayer) -> None:
        """Have what cannot be read noted as not there, if the pyramid is."""
        doubted, known.doubted = list(known.doubted), {}
        if doubted:
            lost = await self._thread(strike, self._address(known), known.layer, doubted)
            if lost:
                logger.warning("%s shards of the pyramid of %s are built again", lost, known.cube.name)
                known.handed.clear()
                known.is_ordered = False

    async def _look(self, known: StoredLayer) -> None:
        """Find out what is in the store of a layer, and tell what is new."""
        before = known.found
        try:
            if before is None:
                now = await self._thread(look_for, self._address(known), known.layer)
            else:
                state = await self._thread(before.ledger.look)
                now = before if state is before.state else Found(before.pyramid, before.ledger, state)
        except PyramidGone:
            now = None
        known.looked = self._now
        if now is before:
            return
        # Not against nothing, where it was only doubted: what has been announced would be announced again.
        news = [] if now is None else await self._thread(newly_done, known.announced, now.state)
        known.announced = None if now is None else now.state
        known.knows(now)
        for need in [need for need in known.needs if known.is_done(need.level, need.planes, need.box)]:
            del known.needs[need]
            known.handed.pop(need, None)
        for need in news:
            self._news.exact(known.layer.reader.token, need.level, need.planes, need.box)

    async def _build(self, known: StoredLayer) -> None:
        """Have built what is needed of a layer."""
        if not (known.needs or known.is_wanted):
            return
        await self._make_room()
        if known.found is None:
            bins = bins_of(await self._layers.backgrounds(known.layer))
            settings = self._settings
            args = (self._store, known.cube, known.layer, settings.tile_size, bins, settings.store_mantissa)
            pyramid = await self._thread(create_pyramid, *args)
            known.knows(await self._thread(look_for, pyramid.address, known.layer))
            known.handed.clear()
            known.is_ordered = False
        found, reader, now = known.found, known.layer.reader, self._now
        if found is None:
            raise PyramidGone(f"the pyramid of {known.cube.name} has left the store as soon as it was there")
        plan = found.pyramid.plan
        known.complaint = ""
        for need, asked in list(known.needs.items()):
            if now - asked > _REMEMBERED:
                del known.needs[need]
                known.handed.pop(need, None)
            elif now - known.handed.get(need, -_ASK_AGAIN) >= _ASK_AGAIN and asked > known.handed.get(need, -1.0):
                known.handed[need] = now
                self._builder.want(
                    found.pyramid, reader, pieces_over(plan, need.level, need.planes, need.box), urgent=True
                )
        if known.is_wanted and not known.is_ordered:
            known.is_ordered = True
            self._builder.want(found.pyramid, reader, TopPieces(plan), urgent=False)

    async def _make_room(self) -> None:
        """Remove pyramids that nobody has used for long, where the store is too full."""
        found = {known.found.pyramid.address: known for known in self._known.values() if known.found is not None}
        keep = frozenset(address for address, known in found.items() if self._is_in_use(known))
        for address in await self._room.make(keep):
            if address in found:
                self.gone(found[address].layer)

    def _is_in_use(self, known: StoredLayer) -> bool:
        """Whether a pyramid stays, however full the store is."""
        return bool(known.needs) or (known.is_wanted and not known.is_whole) or 0 < known.used > self._now - _REMEMBERED

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_PACE)
            try:
                await self._look_again()
            except Exception:  # the next look may do better, and must not be given up for it
                logger.exception("looking for what others have built failed")

    async def _look_again(self) -> None:
        """Look again, for those who wait or listen, at what others may have changed."""
        if self._room.has_grown:
            try:
                await self._make_room()
            except VisiomaticError as error:
                logger.warning("the store may grow beyond its limit: %s", error)
        for token in self._news.watched:
            self._know(token)
        for token, known in list(self._known.items()):
            is_due = known.is_wanted and not known.is_ordered and self._now >= known.not_before
            if (token in self._news.watched or known.needs or is_due) and not known.is_whole:
                self._work_soon(known)
            if known.used > known.touched and self._now - known.touched > _TOUCHED and known.found is not None:
                known.touched = self._now
                with contextlib.suppress(VisiomaticError, OSError):  # if it is gone, its readers find out
                    await self._thread(touch, known.found.pyramid.address)

    def _told(self, news: BuildNews) -> None:
        """Hear from the builder."""
        token = news.pyramid.token
        known = self._known.get(token)
        if news.failed is not None:
            if known is not None:
                self._complain(known, news.failed)
            else:
                self._news.failed(token, news.failed)
            return
        if news.is_over:
            self._news.built(token)
        else:
            self._news.building(token, news.progress)
        if news.done:
            self._room.has_grown = True
            if known is not None:
                self._work_soon(known)

    def _complain(self, known: StoredLayer, message: str) -> None:
        """Note that a layer cannot be built, and try nothing for a while."""
        known.not_before = self._now + _TRY_AGAIN
        known.handed.clear()
        known.is_ordered = False
        if message != known.complaint:
            known.complaint = message
            self._news.failed(known.layer.reader.token, message)
        known.tell()
