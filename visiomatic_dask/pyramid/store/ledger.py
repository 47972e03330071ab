"""The ledger of a pyramid: a file in its root that says what is done, and who is building what.

It is read whole and written whole, atomically, under a lock that is held for milliseconds. So whoever is killed, at
whatever moment, leaves the ledger of before or that of after. Only what it says to be done is: pixels without a ledger
are built again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from visiomatic_dask.errors import PyramidGone, StoreError
from visiomatic_dask.pyramid.store.buildable import Buildable
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.ledger_changes import Claimed, claimed, committed, released, renewed, struck
from visiomatic_dask.pyramid.store.ledger_file import decode, encode
from visiomatic_dask.pyramid.store.ledger_state import LedgerState
from visiomatic_dask.pyramid.store.lock import LockLost, StoreLock
from visiomatic_dask.pyramid.store.plane_statistics import write_statistics
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece
from visiomatic_dask.pyramid.store.shards import Shard
from visiomatic_dask.pyramid.store.statistics import RegionStatistics

LEDGER = "ledger.json"
LOCK = "ledger.lock"
ROOT = "zarr.json"
"""What makes a folder a pyramid."""
LIFE = 30.0
"""Seconds after which a claim that is not renewed may be taken over."""
_RECENT = 0.1
"""Seconds within which the time of a file may not tell two writes apart."""
_TRIES = 3

logger = logging.getLogger(__name__)

WriteStatistics = Callable[[Any, Sequence[RegionStatistics]], None]


class Unclaimed(StoreError):
    """Nobody has claimed a piece any more."""


class _Seen(NamedTuple):
    """What was read last: what it says, its bytes, what to tell it by, and when it was looked at (monotonic)."""

    state: LedgerState
    data: bytes | None = None
    stamp: Hashable | None = None
    looked: float = float("-inf")


class Ledger:
    """The ledger of one pyramid, as one process sees it. For any thread.

    Owners are names that no two builders have, in any process, ever. Clocks of hosts that share a store should agree
    within seconds: a claim looks expired to a clock that is ahead. That costs work, never data.

    Parameters
    ----------
    pyramid : Buildable
        Whose.
    write_statistics : callable
        Stores the statistics of whole planes. It is called under the lock, before
        the ledger says so, and again if that fails.
    life : float
        Seconds after which a claim expires.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        pyramid: Buildable,
        write_statistics: WriteStatistics = write_statistics,
        *,
        life: float = LIFE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pyramid = pyramid
        self._write_statistics = write_statistics
        self._life = life
        self._clock = clock
        self._folder = StoreFolder.of(pyramid.address)
        self._lock = StoreLock(self._folder, LOCK)
        self._mutex = threading.Lock()
        self._seen = _Seen(LedgerState(pyramid.plan))

    @classmethod
    def of(cls, pyramid: Buildable) -> Ledger:
        """Return the ledger of a pyramid; it need not be there yet."""
        return cls(pyramid)

    def look(self) -> LedgerState:
        """Return what it says now: the same object as long as nothing has changed. Cheap, and never waits for others.

        At a URL, it may be what it said a second ago.

        Raises
        ------
        StoreError
            If it cannot be read, or another version has written it.
        """
        if time.monotonic() - self._seen.looked < self._folder.look_again:
            return self._seen.state
        return self._look()

    def claim(self, pieces: Sequence[Piece], owner: str) -> Claimed:
        """Claim pieces, each with the whole shard that it is of: see `Claimed`.

        What is granted has to be committed, or released, and renewed before it expires.

        Raises
        ------
        StoreError
            If the ledger cannot be read or written.
        """
        _, answer = claimed(self.look(), pieces, owner, self._clock(), self._life)
        if not answer.granted:
            return answer

        def change(state: LedgerState) -> LedgerState:
            nonlocal answer
            state, answer = claimed(state, pieces, owner, self._clock(), self._life)
            return state

        self._update(change)
        return answer

    def renew(self, owner: str) -> LedgerState:
        """Renew the claims that an owner still has; a few times in their life."""
        return self._update(lambda state: renewed(state, owner, self._clock(), self._life))

    def release(self, owner: str, pieces: Iterable[Piece] | None = None) -> LedgerState:
        """Give up claims, on some pieces or on all, once no task of the owner writes there any more.

        Of tasks that may still run, let the claims expire instead.
        """
        some = None if pieces is None else tuple(pieces)
        return self._update(lambda state: released(state, owner, some))

    def commit(self, owner: str, built: Sequence[BuiltPiece]) -> LedgerState:
        """Record pieces as done, once their bytes are in the store, and free their claims.

        Those whose claim has been lost are refused: they are not done in what is returned, unless they were before, and
        have to be claimed and built again. `ledger_changes` says why.

        Raises
        ------
        StoreError
            If the ledger cannot be read or written; nothing has been recorded, and it can be tried again.
        ValueError
            If the statistics of a piece are not those of its planes.
        """

        def change(state: LedgerState) -> LedgerState:
            state, whole = committed(state, owner, built, self._clock())
            if whole:
                self._store(whole)
            return state

        return self._update(change)

    def strike(self, shards: Sequence[Shard], remove: Callable[[Shard], None]) -> LedgerState:
        """Record that shards are not there, whatever it says: they, and all above them, are to be built again.

        Those that somebody has claimed stay as they are.

        Parameters
        ----------
        shards : sequence of Shard
            Which.
        remove : callable
            Removes the files of a shard. It is called under the lock, when nobody can write there.

        Raises
        ------
        StoreError
            If the ledger cannot be read or written.
        """

        def change(state: LedgerState) -> LedgerState:
            lost = [shard for shard in shards if state.done(shard) and shard not in state.claims]
            for shard in lost:
                remove(shard)
            return struck(state, lost, self._clock())

        return self._update(change)

    def check_claim(self, piece: Piece) -> None:
        """Raise `Unclaimed` unless somebody has claimed a piece: for a task, right before it writes.

        Whoever submitted it may be gone, and others may write there now.
        """
        claim = self._look().claims.get(piece.shard)
        if claim is None or claim.planes != piece.planes:
            raise Unclaimed(f"nobody has claimed {piece} of {self._folder.name} any more: it is not written")

    def _look(self) -> LedgerState:
        looked = time.monotonic()
        stamp = self._folder.stamp(LEDGER)
        if stamp is None or stamp != self._seen.stamp:
            state, data = self._read()
            # A file that was written to just now may be written to again within the same tick of its clock
            written = self._folder.modified(LEDGER)
            is_settled = written is not None and abs(time.time() - written) > _RECENT
            self._seen = _Seen(state, data, stamp if is_settled else None, looked)
        else:
            self._seen = self._seen._replace(looked=looked)
        return self._seen.state

    def _store(self, whole: Sequence[RegionStatistics]) -> None:
        self._write_statistics(self.pyramid, whole)

    def _update(self, change: Callable[[LedgerState], LedgerState]) -> LedgerState:
        with self._mutex:
            for _ in range(_TRIES):
                try:
                    return self._change(change)
                except LockLost:
                    logger.warning("%s: the lock was held for too long; once more", self._folder.name)
        raise StoreError(f"{self._folder.name}, in the store, takes too long to be written; try again")

    def _change(self, change: Callable[[LedgerState], LedgerState]) -> LedgerState:
        with self._lock.held() as hold:
            before, data = self._read()
            after = change(before)
            if after is not before:
                data = encode(after)
                hold.check()
                self._folder.write(LEDGER, data)
            self._seen = _Seen(after, data)
            return after

    def _read(self) -> tuple[LedgerState, bytes | None]:
        """Read what is there now: the state that is known where nothing has changed, an empty one without a ledger."""
        seen = self._seen
        data = self._folder.read(LEDGER)
        if data is None and self._folder.stamp(ROOT) is None:
            raise PyramidGone(f"{self._folder.name} is no longer in the store")
        if data == seen.data:
            return seen.state, data
        if data is not None:
            try:
                return decode(data, self.pyramid.plan), data
            except (ValueError, RecursionError) as error:
                # We never leave it so: the file system has lost it, or somebody else wrote there
                logger.warning("%s: its ledger cannot be read (%s): all is built anew", self._folder.name, error)
        return LedgerState(self.pyramid.plan), data
