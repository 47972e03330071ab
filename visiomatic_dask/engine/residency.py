"""Residency: which bricks are wanted, arriving, or in the memory of which workers.

A state machine without I/O: events come in by the methods, instructions go out, and `visiomatic_dask.engine.keeper`
carries them out. ::

              want, want_ahead           its turn             finished               located
    (absent) ─────────────────▶ WANTED ───────────▶ ARRIVING ──────────▶ LOCATING ───────────────▶ RESIDENT
        ▲                         │                   │  ▲                 ▲  │  nowhere, often       │
        │       unwanted          │                   │  └─────────────────┼──┘                       │
        ├─────────────────────────┘                   │                    └──── lost, misplaced ─────┤
        │                   failed                    │                                               │
        ├─────────────────────────────────────────────┘                                               │
        └─────────────────────────────── evicted (least recently used) ──────────────────────────────┘

From everywhere past WANTED, `abandoned` leads back to ARRIVING, and from everywhere `forget` leads out. No more than a
bounded number of bricks arrive at a time. The others wait here, where viewers take turns, and where a brick that nobody
wants any more costs nothing. Bricks that are wanted ahead of their use come last, and only while few are arriving.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.fair_queue import FairQueue

_MOST_RELEASES = 200
"""In one turn of the loop: releasing 10,000 at once stalled it 135 ms, and the next submission 0.8 s."""
_MOST_LOOKS = 6
_FIRST_DELAY = 0.05
_ARRIVING, _ARRIVING_A_THREAD = 16, 8
"""Bricks that may arrive at a time: at least so many, and so many for each thread that reads them."""
_AHEAD = 4
"""Bricks are read ahead while no more than one in so many of those that may arrive are arriving."""


class State(Enum):
    """Where a brick is in its life."""

    WANTED = auto()
    ARRIVING = auto()
    LOCATING = auto()
    RESIDENT = auto()


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit the brick's task, and watch its future; one that is read ahead has less priority."""

    brick: Brick
    ahead: bool = False


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
    ahead: bool
    state: State = State.WANTED
    workers: tuple[str, ...] = ()
    looks: int = 0


class Residency:
    """The table of bricks. Not thread-safe: it lives on the event loop.

    Parameters
    ----------
    arriving : int
        Bricks that may arrive at a time, at least; there are more where there are many threads to read them.
    """

    def __init__(self, arriving: int = _ARRIVING) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._held: dict[str, int] = {}
        self._budgets: dict[str, int] = {}
        self._queue: FairQueue[str] = FairQueue()
        self._queue_ahead: deque[str] = deque()
        self._arriving = 0
        self._least_arriving = self._most_arriving = arriving

    def __len__(self) -> int:
        return len(self._entries)

    def state(self, key: str) -> State | None:
        """State of a brick, or None if it is not wanted."""
        entry = self._entries.get(key)
        return None if entry is None else entry.state

    def brick(self, key: str) -> Brick | None:
        """Return the brick of a key, or None if it is not wanted."""
        entry = self._entries.get(key)
        return None if entry is None else entry.brick

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
        entry.ahead = entry.ahead and not entry.workers
        return entry.workers

    def held(self, worker: str) -> int:
        """Bytes of bricks known to be on a worker."""
        return self._held.get(worker, 0)

    def is_ahead(self, key: str) -> bool:
        """Whether a brick was wanted ahead of its use, and has not been used since."""
        entry = self._entries.get(key)
        return entry is not None and entry.ahead

    def want(self, brick: Brick, viewer: str = "") -> list[Instruction]:
        """Note that a viewer's tile needs a brick: it is submitted when its turn comes, or counts as used just now."""
        entry = self._entries.get(brick.key)
        if entry is None:
            self._entries[brick.key] = _Entry(brick, ahead=False)
        else:
            self._entries.move_to_end(brick.key)
            was_ahead, entry.ahead = entry.ahead, False
            if not (was_ahead and entry.state is State.WANTED):
                return []
        self._queue.put(viewer, brick.key)
        return self._submit()

    def want_ahead(self, brick: Brick) -> list[Instruction]:
        """Note that a brick will probably be needed soon."""
        if brick.key in self._entries:
            return []
        self._entries[brick.key] = _Entry(brick, ahead=True)
        self._queue_ahead.append(brick.key)
        return self._submit()

    def unwanted(self, key: str) -> list[Instruction]:
        """Note that nobody waits for a brick any more; what is being made is finished, unless it is dear."""
        entry = self._entries.get(key)
        if entry is not None and entry.state is State.WANTED:
            del self._entries[key]
        elif entry is not None and entry.state is State.ARRIVING and entry.brick.is_dear:
            return [*self._drop(key), *self._submit()]
        return []

    def unwanted_ahead(self, key: str) -> list[Instruction]:
        """Note that a brick will probably not be needed soon after all; if it is being read already, that stops."""
        entry = self._entries.get(key)
        if entry is None or not entry.ahead or entry.state not in (State.WANTED, State.ARRIVING):
            return []
        if entry.state is State.WANTED:
            return self.unwanted(key)
        return [*self._drop(key), *self._submit()]

    def threads(self, count: int) -> list[Instruction]:
        """Note how many threads there are to read bricks."""
        self._most_arriving = max(self._least_arriving, _ARRIVING_A_THREAD * count)
        return self._submit()

    def finished(self, key: str) -> list[Instruction]:
        """Note that a brick's task has finished, which proves nothing about where its data are."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not State.ARRIVING:
            return []
        self._become(entry, State.LOCATING)
        return [Locate(key, 0.0), *self._submit()]

    def located(self, key: str, workers: Iterable[str]) -> list[Instruction]:
        """Note what the scheduler says of who holds a brick."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not State.LOCATING:
            return []
        self._move(entry, tuple(workers))
        if entry.workers:
            self._become(entry, State.RESIDENT)
            return [Deliver(key), *self._evict(keep=key)]
        entry.looks += 1
        if entry.looks < _MOST_LOOKS:
            return [Locate(key, _FIRST_DELAY * 2 ** (entry.looks - 1))]
        self._become(entry, State.ARRIVING)
        return [Release(key), Submit(entry.brick)]

    def failed(self, key: str) -> list[Instruction]:
        """Note that a brick's task has failed or was cancelled: it is wanted no longer."""
        return [*self._drop(key), *self._submit()]

    def dispensable(self, key: str) -> list[Instruction]:
        """Note that a brick in memory is not worth its room any more."""
        entry = self._entries.get(key)
        return self._drop(key) if entry is not None and entry.state is State.RESIDENT else []

    def misplaced(self, key: str, worker: str) -> list[Instruction]:
        """Note that a worker does not hold a brick it was thought to hold."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not State.RESIDENT or worker not in entry.workers:
            return []
        self._move(entry, tuple(w for w in entry.workers if w != worker))
        if entry.workers:
            return []
        self._become(entry, State.LOCATING)
        return [Locate(key, _FIRST_DELAY)]

    def abandoned(self, key: str) -> list[Instruction]:
        """Note that whoever holds or makes a brick cannot be used at the moment: it is made anew, elsewhere."""
        entry = self._entries.get(key)
        if entry is None or entry.state is State.WANTED:
            return []
        self._move(entry, ())
        self._become(entry, State.ARRIVING)
        return [Release(key), Submit(entry.brick)]

    def lost(self, worker: str) -> list[Instruction]:
        """Note that a worker is gone. Dask makes its bricks again, as their futures are held."""
        keys = [key for key, entry in self._entries.items() if worker in entry.workers]
        instructions = [instruction for key in keys for instruction in self.misplaced(key, worker)]
        self._held.pop(worker, None)
        self._budgets.pop(worker, None)
        return instructions

    def forget(self, fingerprints: Container[str]) -> list[Instruction]:
        """Note that the files of these fingerprints are others now, or gone: nobody wants their bricks any more.

        No more are released than one turn of the loop stands: as long as anything is, call it again in the next.
        """
        gone = [key for key, entry in self._entries.items() if entry.brick.recipe.reader.fingerprint in fingerprints]
        released: list[Instruction] = []
        for key in gone:
            if len(released) < _MOST_RELEASES or self._entries[key].state is State.WANTED:
                released += self._drop(key)
        return [*released, *self._submit()]

    def budget(self, worker: str, nbytes: int) -> list[Instruction]:
        """Note how many bytes of bricks this front end may hold on a worker."""
        self._budgets[worker] = nbytes
        return self._evict()

    def _submit(self) -> list[Instruction]:
        """Submit what may arrive now: first what is waited for, viewer by viewer, then what is wanted ahead."""
        submitted: list[Instruction] = []
        while self._queue and self._arriving < self._most_arriving:
            entry = self._entries.get(self._queue.get())
            if entry is not None and entry.state is State.WANTED and not entry.ahead:
                self._become(entry, State.ARRIVING)
                submitted.append(Submit(entry.brick))
        while self._queue_ahead and not self._queue and self._arriving < self._most_arriving // _AHEAD:
            entry = self._entries.get(self._queue_ahead.popleft())
            if entry is not None and entry.state is State.WANTED and entry.ahead:
                self._become(entry, State.ARRIVING)
                submitted.append(Submit(entry.brick, ahead=True))
        return submitted

    def _become(self, entry: _Entry, state: State) -> None:
        self._arriving += (state is State.ARRIVING) - (entry.state is State.ARRIVING)
        entry.state = state
        if state is not State.LOCATING:
            entry.looks = 0

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
        self._arriving -= entry.state is State.ARRIVING
        return [] if entry.state is State.WANTED else [Release(key)]

    def _move(self, entry: _Entry, workers: tuple[str, ...]) -> None:
        for worker in entry.workers:
            self._held[worker] -= entry.brick.nbytes
        for worker in workers:
            self._held[worker] = self._held.get(worker, 0) + entry.brick.nbytes
        entry.workers = workers
