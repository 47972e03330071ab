"""Residency: which bricks are wanted, arriving, or in the memory of which workers.

A state machine without I/O: events come in by the methods, instructions go out, and `visiomatic_dask.engine.keeper`
carries them out. ::

                want                finished                 located
    (absent) ────────▶ ARRIVING ─────────────▶ LOCATING ─────────────────▶ RESIDENT
        ▲                  │  ▲                 ▲  │  nowhere, again and again   │
        │      failed      │  └─────────────────┼──┘                            │
        ├──────────────────┘                    └── lost, misplaced ────────────┤
        └──────────────────────────── released (least recently used) ───────────┘

From everywhere, `abandoned` leads back to ARRIVING.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from visiomatic_dask.engine.bricks import Brick

_MOST_RELEASES = 200
"""In one turn of the loop: releasing 10,000 at once stalled it 135 ms, and the next submission 0.8 s."""
_MOST_LOOKS = 6
_FIRST_DELAY = 0.05


class State(Enum):
    """Where a brick is in its life."""

    ARRIVING = auto()
    LOCATING = auto()
    RESIDENT = auto()


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit the brick's task, and watch its future."""

    brick: Brick


@dataclass(frozen=True, slots=True)
class Locate:
    """Ask the scheduler, after so many seconds, which workers hold the brick."""

    key: str
    delay: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Tell those who wait for the brick that it is resident."""

    key: str


@dataclass(frozen=True, slots=True)
class Release:
    """Let go of the brick's future (never cancel it: others may want the same key)."""

    key: str


Instruction = Submit | Locate | Deliver | Release


@dataclass(slots=True)
class _Entry:
    brick: Brick
    state: State = State.ARRIVING
    workers: tuple[str, ...] = ()
    looks: int = 0


class Residency:
    """The table of bricks. Not thread-safe: it lives on the event loop."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._held: dict[str, int] = {}
        self._budgets: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def state(self, key: str) -> State | None:
        """State of a brick, or None if it is not wanted."""
        entry = self._entries.get(key)
        return None if entry is None else entry.state

    def workers(self, key: str) -> tuple[str, ...]:
        """Return the workers that hold a brick, as far as is known."""
        entry = self._entries.get(key)
        return () if entry is None else entry.workers

    def use(self, key: str) -> tuple[str, ...]:
        """Return the workers that hold a brick, and note that it was used just now."""
        entry = self._entries.get(key)
        if entry is None:
            return ()
        self._entries.move_to_end(key)
        return entry.workers

    def held(self, worker: str) -> int:
        """Bytes of bricks known to be on a worker."""
        return self._held.get(worker, 0)

    def want(self, brick: Brick) -> list[Instruction]:
        """Note that a tile needs a brick: it is submitted, or counts as used just now."""
        if brick.key in self._entries:
            self._entries.move_to_end(brick.key)
            return []
        self._entries[brick.key] = _Entry(brick)
        return [Submit(brick)]

    def finished(self, key: str) -> list[Instruction]:
        """Note that a brick's task has finished, which proves nothing about where its data are."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not State.ARRIVING:
            return []
        entry.state = State.LOCATING
        return [Locate(key, 0.0)]

    def located(self, key: str, workers: Iterable[str]) -> list[Instruction]:
        """Note what the scheduler says of who holds a brick."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not State.LOCATING:
            return []
        self._move(entry, tuple(workers))
        if entry.workers:
            entry.state, entry.looks = State.RESIDENT, 0
            return [Deliver(key), *self._evict(keep=key)]
        entry.looks += 1
        if entry.looks < _MOST_LOOKS:
            return [Locate(key, _FIRST_DELAY * 2 ** (entry.looks - 1))]
        entry.state, entry.looks = State.ARRIVING, 0
        return [Release(key), Submit(entry.brick)]

    def failed(self, key: str) -> list[Instruction]:
        """Note that a brick's task has failed or was cancelled: it is wanted no longer."""
        return self._drop(key)

    def misplaced(self, key: str, worker: str) -> list[Instruction]:
        """Note that a worker does not hold a brick it was thought to hold."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not State.RESIDENT or worker not in entry.workers:
            return []
        self._move(entry, tuple(w for w in entry.workers if w != worker))
        if entry.workers:
            return []
        entry.state = State.LOCATING
        return [Locate(key, _FIRST_DELAY)]

    def abandoned(self, key: str) -> list[Instruction]:
        """Note that whoever holds or makes a brick cannot be used at the moment: it is made anew, elsewhere."""
        entry = self._entries.get(key)
        if entry is None:
            return []
        self._move(entry, ())
        entry.state, entry.looks = State.ARRIVING, 0
        return [Release(key), Submit(entry.brick)]

    def lost(self, worker: str) -> list[Instruction]:
        """Note that a worker is gone. Dask makes its bricks again, as their futures are held."""
        keys = [key for key, entry in self._entries.items() if worker in entry.workers]
        instructions = [instruction for key in keys for instruction in self.misplaced(key, worker)]
        self._held.pop(worker, None)
        self._budgets.pop(worker, None)
        return instructions

    def budget(self, worker: str, nbytes: int) -> list[Instruction]:
        """Note how many bytes of bricks this front end may hold on a worker."""
        self._budgets[worker] = nbytes
        return self._evict()

    def _evict(self, keep: str | None = None) -> list[Instruction]:
        """Release the least recently used bricks of workers over their budget, but never the last one asked for."""
        over = {w for w, nbytes in self._held.items() if nbytes > self._budgets.get(w, nbytes)}
        released: list[Instruction] = []
        if not over:
            return released
        for key, entry in list(self._entries.items()):
            if len(released) == _MOST_RELEASES or not over:
                break
            if entry.state is State.RESIDENT and key != keep and over.intersection(entry.workers):
                released += self._drop(key)
                over = {w for w in over if self._held.get(w, 0) > self._budgets[w]}
        return released

    def _drop(self, key: str) -> list[Instruction]:
        entry = self._entries.pop(key, None)
        if entry is None:
            return []
        self._move(entry, ())
        return [Release(key)]

    def _move(self, entry: _Entry, workers: tuple[str, ...]) -> None:
        for worker in entry.workers:
            self._held[worker] -= entry.brick.nbytes
        for worker in workers:
            self._held[worker] = self._held.get(worker, 0) + entry.brick.nbytes
        entry.workers = workers
