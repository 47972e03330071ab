"""The build of one pyramid, as its ledger has it: what is claimed, what is done. No Dask."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.build_news import BuildNews, Pace
from visiomatic_dask.engine.build_order import BuildOrder
from visiomatic_dask.errors import PyramidGone, StoreError, UnwritableStore
from visiomatic_dask.pyramid.store.buildable import Buildable
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.ledger_state import LedgerState
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece

_LOOK = 1.0
"""Seconds between two looks at what others do."""
_TELL = 0.5
"""Seconds between two pieces of news when nothing has been done."""
_RENEW = 8.0
"""Seconds between two renewals of claims, which last 30."""

_TRIES, _PAUSE = 3, 0.5
"""How often a ledger is tried that cannot be read or written, and the seconds in between."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ClaimedPiece(NamedTuple):
    """A piece that may be built now.

    Attributes
    ----------
    piece : Piece
        Which.
    urgent : bool
        Whether somebody waits for it.
    """

    piece: Piece
    urgent: bool


class PyramidBuild:
    """What is wanted of a pyramid, and how far that is.

    Calls of the ledger are made one after the other, in threads. Everything else happens in the loop.

    Parameters
    ----------
    pyramid : Buildable
        Which.
    reader : Reader
        Of its source.
    owner : str
        Claims pieces under this name, and nobody else does.

    Attributes
    ----------
    claimed : deque of ClaimedPiece
        What can be submitted, urgent ones first.
    under_way : set of Piece
        What has been submitted and not ended yet.
    is_stopped : bool
        Whether nothing more is to be submitted.
    changed : asyncio.Event
        Set when there may be something to do in a turn.
    """

    def __init__(self, pyramid: Buildable, reader: Reader, owner: str) -> None:
        self.pyramid = pyramid
        self.reader = reader
        self.claimed: deque[ClaimedPiece] = deque()
        self.under_way: set[Piece] = set()
        self.changed = asyncio.Event()
        self.is_stopped = False
        self._owner = owner
        self._ledger = Ledger.of(pyramid)
        self._state = LedgerState(pyramid.plan)
        self._order: BuildOrder | None = None
        self._wanted: list[tuple[Sequence[Piece], bool]] = []
        self._built: list[BuiltPiece] = []
        self._ended: list[Piece] = []
        self._elsewhere: list[Piece] = []
        self._pace = Pace()
        self._read = 0
        self._next_look = self._next_renewal = self._next_news = 0.0
        self._has_claims = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to build."""
        idle = not (self._wanted or self.under_way or self._built or self.claimed or self._ended)
        return idle and self._order is not None and self._order.is_over

    @property
    def has_urgent(self) -> bool:
        """Whether somebody waits for something of it."""
        urgent = any(urgent for _, urgent in self._wanted)
        return urgent or (self._order is not None and self._order.has_urgent)

    @property
    def is_news_due(self) -> bool:
        """Whether it is time to say how far it is, though nothing has been done."""
        return time.monotonic() >= self._next_news

    def want(self, pieces: Sequence[Piece], *, urgent: bool) -> None:
        """Want pieces, with all that lies below them."""
        self._wanted.append((pieces, urgent))
        self.changed.set()

    def take(self) -> ClaimedPiece:
        """Take the piece that is to be submitted next."""
        one = self.claimed.popleft()
        self.under_way.add(one.piece)
        self.changed.set()  # another can be claimed
        return one

    def stop(self) -> None:
        """Submit no more."""
        self.is_stopped = True
        self.claimed.clear()
        self.changed.set()

    def ended(self, piece: Piece, built: BuiltPiece | None) -> None:
        """Take note that a piece has been built, or that it has to be built again."""
        self.under_way.discard(piece)
        if built is None:
            self._ended.append(piece)
        else:
            self._built.append(built)
            self._read += built.read
        self.changed.set()

    async def turn(self, room: Callable[[], int]) -> tuple[Piece, ...]:
        """Write down what has been built, and claim what can be built next.

        Parameters
        ----------
        room : callable
            Gives how many pieces may be claimed.

        Returns
        -------
        tuple of Piece
            What has been done of what was wanted, by whomever, since the last turn.

        Raises
        ------
        VisiomaticError
            If the store cannot be used.
        """
        now = time.monotonic()
        built, self._built = self._built, []
        ended, self._ended = [*self._ended, *(one.piece for one in built)], []
        if built:
            self._state = await self._call(self._ledger.commit, self._owner, built)
        looks = now >= self._next_look or self._order is None
        if looks:
            self._state = await self._call(self._ledger.look)
            self._next_look = now + _LOOK
            ended += self._elsewhere
            self._elsewhere = []
        if self._has_claims and now >= self._next_renewal:
            self._state = await self._call(self._ledger.renew, self._owner)
            self._next_renewal = now + _RENEW
        if self._order is None:
            self._order = BuildOrder(self.pyramid.plan, lambda shard, planes: self._state.is_done(shard, planes))
        wanted, self._wanted = self._wanted, []
        for pieces, urgent in wanted:
            self._order.want(pieces, urgent=urgent)
        self._order.give_back(ended)
        news = self._order.settle()
        news += await self._claim(self._order, room)
        return tuple(dict.fromkeys(news))

    async def _claim(self, order: BuildOrder, room: Callable[[], int]) -> list[Piece]:
        news: list[Piece] = []
        while taken := order.take(room()):
            answer = await self._call(self._ledger.claim, [piece for piece, _ in taken], self._owner)
            urgent = {piece for piece, is_urgent in taken if is_urgent}
            granted = [ClaimedPiece(piece, piece in urgent) for piece in answer.granted]
            self.claimed.extendleft(one for one in reversed(granted) if one.urgent)
            self.claimed.extend(one for one in granted if not one.urgent)
            self._has_claims = self._has_claims or bool(answer.granted)
            self._elsewhere += answer.elsewhere
            if self.is_stopped:
                self.claimed.clear()
                break
            if answer.done:
                self._state = await self._call(self._ledger.look)
                order.give_back(answer.done)
                news += order.settle()
        return news

    async def wait(self) -> None:
        """Wait until there is something to do in a turn."""
        due = self._next_look
        if self._has_claims:
            due = min(due, self._next_renewal)
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self.changed.wait()
        except TimeoutError:
            pass
        self.changed.clear()

    async def let_go(self) -> None:
        """Wait for what is under way, write down what has been built, and give up all claims.

        Raises
        ------
        VisiomaticError
            If the store cannot be used.
        """
        while self.under_way:
            self.changed.clear()
            await self.changed.wait()
        if self._built:
            await self._call(self._ledger.commit, self._owner, self._built)
        if self._has_claims:
            await self._call(self._ledger.release, self._owner)

    def news(self, done: tuple[Piece, ...], failed: str | None = None) -> BuildNews:
        """Say how far it is."""
        self._next_news = time.monotonic() + _TELL
        order, itemsize = self._order, self.reader.source_itemsize
        built, found, total = (order.built_pixels, order.found_pixels, order.total_pixels) if order else (0, 0, 0)
        progress = self._pace.progress(time.monotonic(), *(itemsize * one for one in (built, found, total)))
        return BuildNews(self.pyramid, done, progress, failed, failed is not None or self.is_over, self._read)

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        """Call the ledger; again, where it says that another try may help."""
        for _ in range(_TRIES - 1):
            try:
                return await asyncio.to_thread(function, *args)
            except (PyramidGone, UnwritableStore):
                raise
            except StoreError as error:
                logger.warning("the ledger of a pyramid is tried again: %s", error)
                await asyncio.sleep(_PAUSE)
        return await asyncio.to_thread(function, *args)
