"""What a front end knows of the pyramid of one layer, and the looks at the store that tell it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from visiomatic_dask.cube import Cube, Layer, Reader
from visiomatic_dask.engine.plans import Need
from visiomatic_dask.errors import PyramidGone
from visiomatic_dask.pyramid import Box
from visiomatic_dask.pyramid.store.arrays import is_sound, remove_shard
from visiomatic_dask.pyramid.store.layout import checked, open_pyramid
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.ledger_state import LedgerState
from visiomatic_dask.pyramid.store.level_reader import LevelReader
from visiomatic_dask.pyramid.store.pyramid import Pyramid


@dataclass(slots=True)
class Found:
    """A pyramid, as it was found in the store."""

    pyramid: Pyramid
    ledger: Ledger
    state: LedgerState


@dataclass(slots=True, eq=False)
class StoredLayer:
    """The pyramid of a layer, as far as it is known. It belongs to the event loop.

    Attributes
    ----------
    cube, layer
        What it is of.
    versions : iterator of int
        Gives numbers that no other layer has had.
    found : Found or None
        What was found of it; None where there is nothing yet.
    version : int
        Another one whenever something else is known to be there.
    readers : dict of int to Reader
        Of its levels, made when they are needed.
    needs : dict of Need to float
        What is looked at and not there, and when it was asked for last; those asked for last come last.
    handed : dict of Need to float
        What of it the builder was asked for, and when.
    doubted : dict of Need to None
        What could not be read though it was thought to be there.
    announced : LedgerState or None
        What others were told last to be there.
    began, looked, used, touched : float
        When it was first asked for, when the store was looked at, when pixels of it were asked for, and when that was
        noted there; 0 for never.
    is_wanted, is_ordered : bool
        Whether all of it is to be built, and whether the builder was asked for that.
    complaint : str
        Why it cannot be built, or empty.
    not_before : float
        When to try again.
    changed : Event
        Set, and replaced, with the next news.
    work : Task or None
        What looks at the store for it at the moment.
    is_due : bool
        Whether to look again.
    """

    cube: Cube
    layer: Layer
    versions: Iterator[int]
    found: Found | None = None
    version: int = 0
    readers: dict[int, Reader] = field(default_factory=dict)
    needs: OrderedDict[Need, float] = field(default_factory=OrderedDict)
    handed: dict[Need, float] = field(default_factory=dict)
    doubted: dict[Need, None] = field(default_factory=dict)
    announced: LedgerState | None = None
    began: float = 0.0
    looked: float = 0.0
    used: float = 0.0
    touched: float = 0.0
    is_wanted: bool = False
    is_ordered: bool = False
    complaint: str = ""
    not_before: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None
    is_due: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.found is not None and self.found.state.is_whole

    def reader(self, level: int) -> Reader | None:
        """Return the reader of a level."""
        if self.found is None or not 1 <= level <= len(self.found.pyramid.plan.levels):
            return None
        reader = self.readers.get(level)
        if reader is None:
            reader = self.readers[level] = LevelReader.of(self.found.pyramid, level, self.layer.shape)
        return reader

    def is_done(self, level: int, planes: tuple[int, int], box: Box) -> bool:
        """Whether all pixels of a rectangle of some planes of a level are there."""
        if self.found is None or not 1 <= level <= len(self.found.pyramid.plan.levels):
            return False
        plan, state = self.found.pyramid.plan, self.found.state
        return all(state.is_done(shard, plan.common(shard, planes)) for shard in plan.covering(level, planes, box))

    def knows(self, found: Found | None) -> None:
        """Note what is in the store now."""
        self.found = found
        if found is None:
            self.readers.clear()
        self.version = next(self.versions)
        self.tell()

    def tell(self) -> None:
        """Tell those who wait for news that there are some."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


def look_for(address: str, layer: Layer) -> Found | None:
    """Look for the pyramid of a layer, and at what there is of it; None where there is none. Blocks."""
    try:
        pyramid = checked(open_pyramid(address), layer)
        ledger = Ledger.of(pyramid)
        return Found(pyramid, ledger, ledger.look())
    except PyramidGone:
        return None


def strike(address: str, layer: Layer, needs: Iterable[Need]) -> int:
    """Note of shards that cannot be read that they are not there, and return how many. Blocks."""
    found = look_for(address, layer)
    if found is None:
        return 0
    pyramid, plan, state = found.pyramid, found.pyramid.plan, found.state
    wanted = {shard for need in needs for shard in plan.covering(need.level, need.planes, need.box)}
    lost = [shard for shard in wanted if state.done(shard) and not is_sound(pyramid, shard, state.done(shard).pairs)]
    if lost:
        found.ledger.strike(lost, lambda shard: remove_shard(pyramid, shard))
    return len(lost)


def newly_done(before: LedgerState | None, now: LedgerState) -> list[Need]:
    """List what is there that was not before."""
    plan, news = now.plan, []
    for shard, record in now.shards.items():
        done = record.done if before is None else record.done.without(before.done(shard))
        news += [Need(shard.level, planes, plan.box(shard)) for planes in done.pairs]
    return news
