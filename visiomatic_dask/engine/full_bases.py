"""Full mixes that others can be made of: which ones there are of each rectangle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from weakref import ref

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.keeper import BrickKeeper
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.mix_delta import MixDelta
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import NaNPolicy

_MOST_RECTANGLES = 1024
_MOST_MIXES = 8
"""Mixes of one rectangle: those looked at last."""

_Rectangle = tuple[str, str, int, Box, NaNPolicy]


class FullBases:
    """An index of full mixes by their rectangles. Whether they are in memory is the residency's to say.

    It keeps none alive: of what nobody else knows any more, thousands of channels would be held for nothing.
    """

    def __init__(self) -> None:
        self._mixes: OrderedDict[_Rectangle, OrderedDict[str, ref[Brick]]] = OrderedDict()

    def note(self, brick: Brick) -> None:
        """Note a brick that has come into memory, if it is a full mix."""
        recipe = brick.recipe
        if not isinstance(recipe, MixBrick) or recipe.preview_read is not None:
            return
        rectangle = _rectangle(recipe)
        mixes = self._mixes.setdefault(rectangle, OrderedDict())
        self._mixes.move_to_end(rectangle)
        mixes[brick.key] = ref(brick)
        mixes.move_to_end(brick.key)
        if len(mixes) > _MOST_MIXES:
            mixes.popitem(last=False)
        if len(self._mixes) > _MOST_RECTANGLES:
            self._mixes.popitem(last=False)

    def nearest(self, wanted: MixBrick, cost: int, keeper: BrickKeeper) -> MixDelta | None:
        """Find the mix in memory of which another is made with the least reading, if that is much less than all.

        Parameters
        ----------
        wanted : MixBrick
            The other one.
        cost : int
            Bytes that it reads by itself.
        keeper : BrickKeeper
            Knows what is in memory; the mix that is found counts as used.
        """
        residency, found = keeper.residency, None
        for key, brick in self._mixes.get(_rectangle(wanted), {}).items():
            base, holders = brick(), residency.workers(key)
            if base is None or not holders:
                continue
            delta = MixDelta.between(base, wanted, cost, min(holders))
            if delta is not None and (found is None or delta.read_cost < found.read_cost):
                found = delta
        if found is not None:
            residency.use(found.base_key)
            self._mixes[_rectangle(wanted)].move_to_end(found.base_key)
        return found

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of the mixes of files that are others now, or gone."""
        for rectangle in [one for one in self._mixes if one[0] in fingerprints]:
            del self._mixes[rectangle]

    def clear(self) -> None:
        """Let go of all."""
        self._mixes.clear()


def _rectangle(recipe: MixBrick) -> _Rectangle:
    return recipe.reader.fingerprint, recipe.reader.token, recipe.level, recipe.box, recipe.mix.nan
