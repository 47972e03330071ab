"""The order in which pieces are built: depth first, and each after what it is made from. No I/O, no Dask.

A cube may have millions of pieces. They are found one by one, as there is room for them: what is held is the way from
the top of the pyramid down to where the building is, and what has begun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from visiomatic_dask.pyramid.store.buildable import BuildPlan
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.pyramid.tiles import Box

IsDone = Callable[[Shard, tuple[int, int]], bool]
"""Whether some planes of a shard are in the store. What is may not be so later: what was written without a claim is
built again."""

_MOST_OPEN = 4096
"""Pieces found and not done yet, at most: far more than are built at a time, unless others build them."""


class TopPieces(Sequence[Piece]):
    """The uppermost pieces of some planes: whoever wants them wants all that lies below. They are made when asked for.

    Parameters
    ----------
    plan : PyramidPlan
        How the pyramid is cut.
    planes : sequence of (int, int), optional
        Ranges of planes, first and one past the last, which do not overlap; all planes by default.
    """

    def __init__(self, plan: PyramidPlan, planes: Sequence[tuple[int, int]] | None = None) -> None:
        self._plan = plan
        self._planes = [(0, plan.count)] if planes is None else list(planes)
        self._level = len(plan.levels)
        if self._level:
            grid = plan.grid(self._level)
            self._place = [(row, column) for row in range(grid.down) for column in range(grid.across)]
            self._blocks = [
                plan.block(self._level, last - 1) - self._first_block(first) + 1 for first, last in self._planes
            ]

    def _first_block(self, plane: int) -> int:
        return self._plan.block(self._level, plane)

    def __len__(self) -> int:
        return sum(self._blocks) * len(self._place) if self._level else 0

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> list[Piece]: ...

    def __getitem__(self, index: int | slice) -> Piece | list[Piece]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number, place = divmod(range(len(self))[index], len(self._place))
        for planes, blocks in zip(self._planes, self._blocks, strict=True):
            if number < blocks:
                shard = Shard(self._level, self._first_block(planes[0]) + number, *self._place[place])
                return Piece(shard, *self._plan.common(shard, planes))
            number -= blocks
        raise IndexError(index)


def pieces_over(plan: PyramidPlan, level: int, planes: tuple[int, int], box: Box) -> list[Piece]:
    """Find the pieces that hold a rectangle of a level, for some planes that follow one another."""
    return [Piece(shard, *plan.common(shard, planes)) for shard in plan.covering(level, planes, box)]


def pieces_below(plan: BuildPlan, piece: Piece) -> list[Piece]:
    """Find the pieces that one is made from; none for level 1, which is made from the source."""
    return [Piece(shard, *plan.common(shard, piece.planes)) for shard in plan.below(piece.shard, piece.planes)]


def built_together(plan: PyramidPlan, piece: Piece) -> Piece:
    """Widen a piece of level 1 by the planes that share storage chunks with its own: they are read anyway."""
    first, last = plan.planes(piece.shard)
    image = first - first % plan.channels
    start = image + (piece.first - image) // plan.deep * plan.deep
    stop = image - (image - piece.last) // plan.deep * plan.deep
    return Piece(piece.shard, max(first, start), min(last, stop))


def source_pixels(plan: BuildPlan, piece: Piece) -> int:
    """Count the pixels of full resolution behind a piece."""
    box, level = plan.box(piece.shard), piece.shard.level
    rows = min(box.bottom << level, plan.height) - (box.top << level)
    columns = min(box.right << level, plan.width) - (box.left << level)
    return rows * columns * (piece.last - piece.first)


@dataclass(slots=True)
class _Open:
    """A piece that is not done yet."""

    piece: Piece
    below: list[Piece] = field(default_factory=list)
    """What of what it is made from was not done when last looked at."""
    pixels: int = 0
    """Pixels of full resolution that are done with it: above level 1 none."""

    def look_below(self, is_done: IsDone) -> None:
        """Find out what is done of what it is made from."""
        self.below = [piece for piece in self.below if not is_done(piece.shard, piece.planes)]


class _Walk:
    """A walk over pieces and what lies below them, from below upwards."""

    def __init__(self, order: BuildOrder, roots: Sequence[Piece]) -> None:
        self.roots = roots
        self._order = order
        self._path: list[tuple[_Open | None, Iterator[Piece]]] = [(None, iter(roots))]
        self.open: list[_Open] = []

    @property
    def is_over(self) -> bool:
        """Whether everything is done."""
        return not self._path and not self.open

    def found(self) -> Iterator[_Open]:
        """Give the pieces that are not done: those that have been found, then others as long as they are asked for."""
        yield from list(self.open)
        while self._path and len(self.open) < _MOST_OPEN:
            one = self._find()
            if one is not None:
                self.open.append(one)
                yield one

    def settle(self) -> Iterator[Piece]:
        """Drop what is done, and say what that was."""
        is_done = self._order.is_done
        for above, _ in self._path:
            if above is not None:
                above.look_below(is_done)
        still = []
        for one in self.open:
            if is_done(one.piece.shard, one.piece.planes):
                self._order.built_pixels += one.pixels
                yield one.piece
            else:
                one.look_below(is_done)
                still.append(one)
        self.open = still

    def _find(self) -> _Open | None:
        """Go one step; that may end at a piece all of whose lower ones have been found."""
        plan = self._order.plan
        above, rest = self._path[-1]
        piece = next(rest, None)
        if piece is None:
            self._path.pop()
            return above
        pixels = source_pixels(plan, piece)
        if self._order.is_done(piece.shard, piece.planes):
            self._order.found_pixels += pixels
            return None
        if above is not None:
            above.below.append(piece)
        if not isinstance(plan, PyramidPlan):  # a copy of full resolution, which is made from the source alone
            return _Open(piece, pixels=pixels)
        if piece.shard.level == 1:
            return _Open(built_together(plan, piece), pixels=pixels)
        self._path.append((_Open(piece), iter(pieces_below(plan, piece))))
        return None


class BuildOrder:
    """What is still to be built of a pyramid, and what can be built now.

    Parameters
    ----------
    plan : BuildPlan
        How it is cut.
    is_done : callable
        Tells what is in the store. Its answers may change from one call to another.

    Attributes
    ----------
    total_pixels : int
        Pixels of full resolution behind what was wanted since there was nothing to build last. What is wanted several
        times counts as often.
    found_pixels, built_pixels : int
        Those of them that are done: that were when they were looked for, or have been since then, by whomever.
    """

    def __init__(self, plan: BuildPlan, is_done: IsDone) -> None:
        self.plan = plan
        self.is_done = is_done
        self.found_pixels = self.built_pixels = self.total_pixels = 0
        self._urgent: dict[Piece, _Walk] = {}
        self._ahead: deque[_Walk] = deque()
        self._taken: set[Shard] = set()
        self._news: list[Piece] = []

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to build, as far as `take` and `settle` have found out."""
        return not self._urgent and not self._ahead

    @property
    def has_urgent(self) -> bool:
        """Whether something that somebody looks at is not done."""
        return bool(self._urgent)

    def want(self, pieces: Sequence[Piece], *, urgent: bool) -> None:
        """Want pieces, with all that lies below them.

        Parameters
        ----------
        pieces : sequence of Piece
            Which; they may be made as they are asked for, as `TopPieces` are.
        urgent : bool
            Whether somebody looks at them: they come first, the last that were wanted before all others.
        """
        if self.is_over:
            self.found_pixels = self.built_pixels = self.total_pixels = 0
        if not urgent:
            self.total_pixels += sum(source_pixels(self.plan, piece) for piece in pieces)
            self._ahead.append(_Walk(self, pieces))
            return
        for piece in reversed(pieces):
            if self.is_done(piece.shard, piece.planes):
                self._news.append(piece)  # not yet when somebody looked, or it would not be wanted
                continue
            walk = self._urgent.pop(piece, None)
            if walk is None:
                walk = _Walk(self, [piece])
                self.total_pixels += source_pixels(self.plan, piece)
            self._urgent[piece] = walk

    def take(self, most: int) -> list[tuple[Piece, bool]]:
        """Take pieces that can be built now: all that they are made from was in the store at the last `settle`.

        No two have the same shard, whose only writer is who builds the piece, until `give_back`.

        Returns
        -------
        list of (Piece, bool)
            At most `most`, the most wanted first, each with whether it is urgent.
        """
        taken: list[tuple[Piece, bool]] = []
        walks = len(self._ahead)
        urgent = [(walk, True) for walk in reversed(self._urgent.values())]
        for walk, is_urgent in [*urgent, *((walk, False) for walk in self._ahead)]:
            for one in walk.found() if len(taken) < most else ():
                if one.below or one.piece.shard in self._taken or self._has_lost(one):
                    continue
                piece = self._missing(one.piece)
                if piece is not None:
                    self._taken.add(piece.shard)
                    taken.append((piece, is_urgent))
                if len(taken) >= most:
                    break
        dropped = self._drop_what_is_over()
        if (
            len(taken) < most and len(self._ahead) > walks - dropped
        ):  # something has been lost, and can be built at once
            taken += self.take(most - len(taken))
        return taken

    def give_back(self, pieces: Iterable[Piece]) -> None:
        """Let pieces be taken again, unless they are done."""
        self._taken.difference_update(piece.shard for piece in pieces)

    def settle(self) -> list[Piece]:
        """Find out what has been done of what was wanted, whoever did it, since this was asked last."""
        news, self._news = dict.fromkeys(self._news), []
        for walk in [*self._urgent.values(), *self._ahead]:
            news.update(dict.fromkeys(walk.settle()))
        self._drop_what_is_over()
        return list(news)

    def _drop_what_is_over(self) -> int:
        """Drop the walks that are over, and say how many were not urgent."""
        over = [walk for walk in [*self._urgent.values(), *self._ahead] if walk.is_over]
        before = len(self._ahead)
        self._urgent = {piece: walk for piece, walk in self._urgent.items() if not walk.is_over}
        self._ahead = deque(walk for walk in self._ahead if not walk.is_over)
        dropped = before - len(self._ahead)
        for walk in over:
            self._again([piece for piece in walk.roots if not self.is_done(piece.shard, piece.planes)])
        return dropped

    def _has_lost(self, one: _Open) -> bool:
        """Whether something that a piece is made from was done, and is not any more."""
        one.below = [
            piece for piece in pieces_below(self.plan, one.piece) if not self.is_done(piece.shard, piece.planes)
        ]
        self._again(one.below)
        return bool(one.below)

    def _again(self, lost: Sequence[Piece]) -> None:
        if lost:
            self.want(lost, urgent=False)
            self._ahead.rotate()

    def _missing(self, piece: Piece) -> Piece | None:
        """Return the first planes of a piece that are not done; None if there are none."""
        missing = [not self.is_done(piece.shard, (plane, plane + 1)) for plane in range(*piece.planes)]
        if not any(missing):
            return None
        first = missing.index(True)
        stop = missing.index(False, first) if False in missing[first:] else len(missing)
        return Piece(piece.shard, piece.first + first, piece.first + stop)
