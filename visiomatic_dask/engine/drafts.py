"""Drafts: what is shown of a mix, or of a collapsed range, while the sum over all its channels is being computed.

That is a mix in memory with the difference of a few channels, or else a coarse picture of a part of the source. Both
are previews: the full brick is made behind them, and whoever listens is told when it is there. While somebody drags a
control, mixes come one after the other, and the sum is computed of none but the last.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass, field, replace

from distributed import Client

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.coarse_brick import CoarseBrick
from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.draft_news import DraftNews
from visiomatic_dask.engine.full_bases import FullBases
from visiomatic_dask.engine.keeper import BrickKeeper
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.mix_delta import MixDelta
from visiomatic_dask.engine.plans import TilePlan
from visiomatic_dask.engine.pyramid_news import PyramidNews
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.pyramid import Storage, bricks_in_view, level_size
from visiomatic_dask.rendering import Collapse, Mono

logger = logging.getLogger(__name__)

AT_ONCE = 128 * 2**20
"""Bytes that the bricks of a view may read for no draft to be worth it: a tenth of a second for one core."""
COARSE_FROM = 512 * 2**20
"""Bytes that they read at least for a coarse picture to be worth it, which is seen to be coarse."""
COARSE_READ = 32 * 2**20
"""Bytes that the coarse bricks of a view read."""
_COARSER = 4
"""Times less that a coarse brick has to read than the full one."""
QUIET = 0.5
"""Seconds for which a control has to rest until the drag counts as over: hands that drag pause for less."""
_HEAD_START = 0.1
"""Seconds that a coarse picture has the workers for itself: sums that are begun at once take half of them."""
_LINGER = 1.0
"""Seconds that a draft stays when its full brick is there: tiles of it are under way."""
_MOST_DRAFTS = 1024
_MOST_FOLLOWED = 1024
_MOST_PROMISED = 64
"""Full bricks that are wanted for one viewer: more than a view has."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """A full brick that somebody is told of: as in `PyramidNews.exact`."""

    brick: Brick
    request: TileRequest

    def tell(self, news: DraftNews) -> None:
        """Tell that it is there."""
        channels = self.request.style.content.channels
        planes = channels[0], channels[-1] + 1
        news.exact(self.request.layer.reader.token, self.request.level, planes, self.brick.recipe.box)


@dataclass(slots=True)
class _Followed:
    """What a viewer was shown last of a layer in drafts, and the full bricks promised of it."""

    shown: str
    changed: float
    due: float
    promises: OrderedDict[str, _Promise] = field(default_factory=OrderedDict)
    timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class Drafts:
    """Finds drafts, and sees to it that full bricks follow.

    Parameters
    ----------
    news : PyramidNews
        Is told when full bricks are there.
    patience : float
        Seconds to wait for a brick, before workers are asked that do not hold it.
    """

    def __init__(self, news: PyramidNews, patience: float) -> None:
        self._news = DraftNews(news)
        self._patience = patience
        self._keeper: BrickKeeper | None = None
        self._bases = FullBases()
        self._drafts: OrderedDict[str, Brick] = OrderedDict()
        self._followed: OrderedDict[tuple[str, str], _Followed] = OrderedDict()
        self._awaited: dict[str, list[asyncio.Future[None]]] = {}

    def use(self, keeper: BrickKeeper | None, client: Client | None) -> None:
        """Use another keeper's bricks, and its client's cluster, from now on; what was promised is not."""
        self._news.use(client)
        for followed in self._followed.values():
            followed.stop()
        self._followed.clear()
        self._drafts.clear()
        self._bases.clear()
        for key in list(self._awaited):
            self._wake(key)
        former, self._keeper = self._keeper, keeper
        if former is not None and former is not keeper:
            # What becomes of its bricks, when it is closed, is no news of those of the same keys that are made anew.
            former.told, former.is_promised = _tell_nobody, _nothing
        if keeper is not None:
            keeper.told, keeper.is_promised = self._told, self._is_promised

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of what is known of files that are others now, or gone."""
        self._bases.forget(fingerprints)
        for key in [key for key, draft in self._drafts.items() if draft.recipe.reader.fingerprint in fingerprints]:
            del self._drafts[key]
        for followed in self._followed.values():
            gone = [k for k, one in followed.promises.items() if one.brick.recipe.reader.fingerprint in fingerprints]
            for key in gone:
                del followed.promises[key]

    def covers(self, plan: TilePlan) -> bool:
        """Whether a tile would be a draft at the moment."""
        return self._draft_of(plan) is not None

    async def instead(self, request: TileRequest, plan: TilePlan, viewer: str) -> TilePlan:
        """Find what a tile is best cut from now: its own brick, where that is there or soon will be, or a draft.

        Parameters
        ----------
        request : TileRequest
            Which. If it is settled, there are no drafts.
        plan : TilePlan
            How it is cut from its own brick.
        viewer : str
            Who wants it.

        Raises
        ------
        VisiomaticError
            Whatever kept the draft from being made.
        """
        draft, keeper = None if request.settled else self._draft_of(plan), self._keeper
        if draft is None or keeper is None:
            return plan
        self._promise(viewer, _Promise(plan.brick, request), is_delta=isinstance(draft.recipe, MixDelta))
        if await self._is_first(draft, plan.brick.key, viewer, keeper):
            return replace(plan, brick=draft, preview=True, passing=True)
        return plan

    def _draft_of(self, plan: TilePlan) -> Brick | None:
        """Find the draft of a brick that is not there; None where it is, or is as well waited for."""
        recipe, keeper, key = plan.brick.recipe, self._keeper, plan.brick.key
        if plan.preview or keeper is None or not isinstance(recipe, MixBrick | CollapseBrick):
            return None
        if keeper.residency.workers(key):
            return None
        draft = self._drafts.get(key)
        if draft is None or _is_baseless(draft, keeper):
            draft = self._new_draft(plan.brick, recipe, keeper)
            self._drafts.pop(key, None)
            if draft is not None:
                self._drafts[key] = draft
                if len(self._drafts) > _MOST_DRAFTS:
                    self._drafts.popitem(last=False)
        return draft

    def _new_draft(self, brick: Brick, recipe: MixBrick | CollapseBrick, keeper: BrickKeeper) -> Brick | None:
        storage, box = Storage.of(recipe.reader), recipe.box
        height, width = level_size(storage.height, recipe.level), level_size(storage.width, recipe.level)
        in_view = bricks_in_view(box.rows, box.columns, height, width)
        if brick.read_cost * in_view <= AT_ONCE:
            return None
        if isinstance(recipe, MixBrick):
            delta = self._bases.nearest(recipe, brick.read_cost, keeper)
            if delta is not None:
                return Brick(delta)
        read = COARSE_READ // in_view
        if brick.read_cost * in_view <= COARSE_FROM or read * _COARSER > brick.read_cost:
            return None
        return Brick(CoarseBrick(recipe, read))

    async def _is_first(self, draft: Brick, full: str, viewer: str, keeper: BrickKeeper) -> bool:
        """Wait for a draft or for its full brick, whichever comes first; True where that is the draft."""
        if keeper.residency.use(draft.key):
            return True
        coming = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(full, []).append(coming)
        drafted = asyncio.ensure_future(keeper.where(draft, self._patience, viewer))
        try:
            await asyncio.wait([drafted, coming], return_when=asyncio.FIRST_COMPLETED)
            if drafted.done():
                drafted.result()
                return True
            return not keeper.residency.workers(full)
        finally:
            drafted.cancel()
            waiting = self._awaited.get(full, [])
            if coming in waiting:
                waiting.remove(coming)
            if not waiting:
                self._awaited.pop(full, None)

    def _promise(self, viewer: str, promise: _Promise, *, is_delta: bool) -> None:
        """Have a full brick made when the viewer has come to rest at what it shows."""
        loop = asyncio.get_running_loop()
        now, request = loop.time(), promise.request
        who, content = (viewer, request.layer.reader.token), request.style.content
        # The cuts of a collapsed range change no pixel of it.
        shown = content.shown if isinstance(content, Collapse) else content.text
        followed = self._followed.get(who)
        if followed is None or followed.shown != shown:
            # The first coarse picture is not a step of a drag, as far as anyone can tell.
            is_drag = is_delta or (followed is not None and now < followed.changed + QUIET)
            if followed is not None:
                self._pass_over(followed)
            due = now + (QUIET if is_drag else _HEAD_START)
            followed = self._followed[who] = _Followed(shown, now, due)
            if len(self._followed) > _MOST_FOLLOWED:
                self._pass_over(self._followed.popitem(last=False)[1])
        self._followed.move_to_end(who)
        followed.promises[promise.brick.key] = promise
        if len(followed.promises) > _MOST_PROMISED:
            self._withdraw(followed.promises.popitem(last=False)[0])
        if followed.timer is None or followed.due <= now:
            followed.stop()
            # Not in this turn of the loop, for the draft is to be submitted first.
            followed.timer = loop.call_later(max(0.0, followed.due - now), self._want, followed)

    def _want(self, followed: _Followed) -> None:
        """Have the full bricks made that were promised, after all that is waited for."""
        keeper = self._keeper
        if keeper is None:
            return
        for key, promise in list(followed.promises.items()):
            if keeper.residency.workers(key):
                self._told(key, None)
            else:
                keeper.ahead([promise.brick], ())

    def _pass_over(self, followed: _Followed) -> None:
        """Give up full bricks of what is not looked at any more."""
        followed.stop()
        promises, followed.promises = followed.promises, OrderedDict()
        for key in promises:
            self._withdraw(key)

    def _withdraw(self, key: str) -> None:
        """Give up a full brick, unless others are promised it too."""
        if self._keeper is not None and not self._is_promised(key):
            self._keeper.ahead((), [key])
            self._drafts.pop(key, None)  # each step of a drag is a mix of all its channels

    def _is_promised(self, key: str) -> bool:
        return any(key in followed.promises for followed in self._followed.values())

    def _told(self, key: str, error: BaseException | None) -> None:
        """Hear what has become of a brick: those who were shown a draft of it are told that it is there."""
        self._wake(key)
        draft = self._drafts.pop(key, None)
        promises = [one for followed in self._followed.values() if (one := followed.promises.pop(key, None))]
        if error is not None:
            if promises:
                logger.warning("a draft stays what it is, because its brick cannot be made: %s", error)
            return
        if self._keeper is not None and (brick := self._keeper.residency.brick(key)) is not None:
            self._bases.note(brick)
        if promises:
            promises[0].tell(self._news)
        if draft is not None:
            asyncio.get_running_loop().call_later(_LINGER, self._release, draft, self._keeper)

    def _wake(self, key: str) -> None:
        for coming in self._awaited.pop(key, []):
            if not coming.done():
                coming.set_result(None)

    def _release(self, draft: Brick, keeper: BrickKeeper | None) -> None:
        """Let go of a draft that has had its time."""
        if keeper is not None and keeper is self._keeper:
            keeper.carry_out(keeper.residency.dispensable(draft.key))


def _is_baseless(draft: Brick, keeper: BrickKeeper) -> bool:
    """Whether a draft is neither made nor being made, and its base is gone, without which it would be the sum."""
    recipe, residency = draft.recipe, keeper.residency
    return (
        isinstance(recipe, MixDelta) and residency.state(draft.key) is None and not residency.workers(recipe.base_key)
    )


def _tell_nobody(_key: str, _error: BaseException | None) -> None:
    pass


def _nothing(_key: str) -> bool:
    return False


def can_be_draft(request: TileRequest) -> bool:
    """Whether there may be drafts of a tile."""
    return not (request.settled or isinstance(request.style.content, Mono))
