"""Reading ahead: what a viewer will probably look at next is read while there is nothing better to do.

Around what has come into view, as far as the view is wide and high; or, while someone steps through channels, the same
place in the next ones. It is little, comes after everything that is waited for, and is given up when the view moves
elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.keeper import BrickKeeper
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.plans import TilePlan
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.pyramid import Box, BrickGrid
from visiomatic_dask.rendering import Mono, Style

_SETTLED = 0.1
"""Seconds after which all bricks of a view have been asked for, once the first one has."""
_REMEMBERED = 1.0
"""Seconds for which what was new counts as what is on screen."""
_STEPPING = 2.0
"""Seconds within which the next channel follows when someone steps through them."""
_STEPS = 2
"""Bricks, along the channels, that are read ahead at every place while someone steps through them."""
_MOST_VIEWERS = 256


@dataclass(slots=True)
class View:
    """What one viewer looks at.

    Attributes
    ----------
    request : TileRequest
        The tile seen last.
    boxes : deque of (float, Box)
        Bricks that came into view, and when.
    channels : deque of int
        The channels seen last, each once in a row.
    stepped : float
        When the last of them came.
    ahead : set of str
        Keys of the bricks that are read ahead.
    """

    request: TileRequest
    boxes: deque[tuple[float, Box]] = field(default_factory=deque)
    channels: deque[int] = field(default_factory=lambda: deque(maxlen=3))
    stepped: float = 0.0
    ahead: set[str] = field(default_factory=set)

    def saw(self, request: TileRequest, box: Box, now: float) -> None:
        """Note that a tile was asked for, the first one of its brick."""
        last, self.request = self.request, request
        if (last.layer.reader.token, last.level) != (request.layer.reader.token, request.level):
            self.boxes.clear()
            self.channels.clear()
        while self.boxes and now - self.boxes[0][0] > _REMEMBERED:
            self.boxes.popleft()
        self.boxes.append((now, box))
        content = request.style.content
        if not isinstance(content, Mono):
            self.channels.clear()
        elif not self.channels or self.channels[-1] != content.channel:
            if now - self.stepped > _STEPPING:
                self.channels.clear()
            self.channels.append(content.channel)
            self.stepped = now

    def is_step(self, request: TileRequest) -> bool:
        """Whether a tile shows another channel, at the level that is looked at."""
        content, last = request.style.content, self.request
        return (
            isinstance(content, Mono)
            and len(self.channels) > 0
            and self.channels[-1] != content.channel
            and (last.layer.reader.token, last.level) == (request.layer.reader.token, request.level)
        )

    def stays(self, now: float) -> None:
        """Note that what came into view is still there."""
        self.boxes = deque((now, box) for box in dict.fromkeys(box for _, box in self.boxes))

    @property
    def step(self) -> int:
        """Channels from one to the next, if the last three were as far apart; else 0."""
        if len(self.channels) < 3:
            return 0
        first, second, third = self.channels
        return second - first if second - first == third - second else 0

    @property
    def box(self) -> Box:
        """Rectangle around the bricks that came into view."""
        boxes = [box for _, box in self.boxes]
        return Box(
            min(box.top for box in boxes),
            min(box.left for box in boxes),
            max(box.bottom for box in boxes),
            max(box.right for box in boxes),
        )


def next_tiles(view: View, planner: Planner) -> Iterator[TileRequest]:
    """Tiles of which each is the first of a brick that a viewer will probably want, the likeliest first."""
    request, tile_size = view.request, planner.limits.tile_size
    layer, content = request.layer, request.style.content

    def at(box: Box, style: Style) -> TileRequest:
        return replace(request, row=box.top // tile_size, column=box.left // tile_size, style=style)

    grid = planner.grid(request)
    if isinstance(content, Mono) and view.step:
        places = dict.fromkeys(box for _, box in view.boxes)
        for channel in _next_channels(content.channel, view.step, grid, layer.channels):
            style = replace(request.style, content=replace(content, channel=channel))
            yield from (at(box, style) for box in places)
        return
    yield from (at(box, request.style) for box in grid.around(view.box))


def _next_channels(channel: int, step: int, grid: BrickGrid, count: int) -> list[int]:
    """Channels to come, each in a brick that none before it is in."""
    seen, found = grid.plane_range(channel, count), []
    for coming in range(channel + step, count if step > 0 else -1, step):
        if not seen[0] <= coming < seen[1]:
            seen = grid.plane_range(coming, count)
            found.append(coming)
            if len(found) == _STEPS:
                break
    return found


class Prefetcher:
    """Watches what viewers look at, and has bricks read ahead.

    Parameters
    ----------
    planner : Planner
        Finds the bricks.
    limit : int
        Bytes to read ahead for one viewer; 0 for none.
    """

    def __init__(self, planner: Planner, limit: int) -> None:
        self._planner = planner
        self._limit = limit
        self._views: OrderedDict[str, View] = OrderedDict()
        self._looking: set[str] = set()

    def forget(self) -> None:
        """Forget all views: the bricks that were read ahead are gone."""
        self._views.clear()

    def forget_files(self, fingerprints: Container[str]) -> None:
        """Forget the views of files that are others now, or gone."""
        gone = [one for one, view in self._views.items() if view.request.layer.reader.fingerprint in fingerprints]
        for viewer in gone:
            del self._views[viewer]

    def saw(self, viewer: str, request: TileRequest, plan: TilePlan, keeper: BrickKeeper, workers: int) -> None:
        """Note that a viewer asks for the first tile of a brick, and look ahead when the view has settled."""
        if not self._limit or plan.preview:
            return
        view = self._views.get(viewer)
        if view is None:
            view = self._views[viewer] = View(request)
            if len(self._views) > _MOST_VIEWERS:
                self._views.popitem(last=False)
        if plan.brick.key not in view.ahead and _elsewhere(view.request, request):
            # What was expected has not come: at once, for what has come instead is being waited for.
            keeper.ahead((), view.ahead)
            view.ahead = set()
        self._saw(viewer, view, request, plan, keeper, workers)

    def stepped(self, viewer: str, request: TileRequest, plan: TilePlan, keeper: BrickKeeper, workers: int) -> None:
        """Note that a viewer asks for a tile of a brick that is there already: a step, if it shows another channel."""
        view = self._views.get(viewer)
        if view is not None and view.is_step(request):
            view.stays(asyncio.get_running_loop().time())
            self._saw(viewer, view, request, plan, keeper, workers)

    def _saw(
        self, viewer: str, view: View, request: TileRequest, plan: TilePlan, keeper: BrickKeeper, workers: int
    ) -> None:
        loop = asyncio.get_running_loop()
        view.saw(request, plan.brick.recipe.box, loop.time())
        if viewer not in self._looking:
            self._looking.add(viewer)
            loop.call_later(_SETTLED, self._look_ahead, viewer, view, keeper, workers)

    def _look_ahead(self, viewer: str, view: View, keeper: BrickKeeper, workers: int) -> None:
        self._looking.discard(viewer)
        if self._views.get(viewer) is not view:
            return  # it was forgotten meanwhile
        bricks = list(self._affordable(view, workers))
        keys = {brick.key for brick in bricks}
        keeper.ahead(bricks, view.ahead - keys)
        view.ahead = keys

    def _affordable(self, view: View, workers: int) -> Iterator[Brick]:
        left = self._limit
        for request in next_tiles(view, self._planner):
            plan = self._planner.plan(request, workers)
            if plan.preview:
                continue  # what is around it may be in the store
            left -= plan.brick.read_cost
            if left < 0:
                return
            yield plan.brick


def _elsewhere(before: TileRequest, now: TileRequest) -> bool:
    """Whether a tile belongs to another picture than the one before it, not to another part of the same."""
    return (before.layer, before.level, before.style.content) != (now.layer, now.level, now.style.content)
