"""Claims and commits in any order, with tasks that really read, change and write whole files: what is done is there.

The files are sets of planes. A task reads its shard, and later writes it with its own planes added: if it has lost its
claim meanwhile, it drops what others have added. Tasks of level 2 also see whether what they are made from was there.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.pyramid.store.ledgers import DEEP, built
from visiomatic_dask.pyramid.store.ledger_changes import claimed, committed, released, renewed
from visiomatic_dask.pyramid.store.ledger_file import decode, encode
from visiomatic_dask.pyramid.store.ledger_state import LedgerState
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.shards import Shard

LIFE = 30.0
SHARDS = [Shard(1, 0, 0, 0), Shard(2, 0, 0, 0)]
PIECES = st.builds(
    Piece,
    st.sampled_from(SHARDS),
    first=st.sampled_from([0, 2, 4]),
    last=st.sampled_from([6, 8]),
) | st.builds(Piece, st.sampled_from(SHARDS), first=st.sampled_from([0, 1]), last=st.sampled_from([2, 3, 4]))
OWNERS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(0, 100)


@dataclass
class Task:
    """One that was granted a piece."""

    owner: str
    piece: Piece
    base: dict[int, bool] | None = None
    good: bool = True
    has_written: bool = False


class Claims(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state = LedgerState(DEEP)
        self.now = 1e9
        self.tasks: list[Task] = []
        self.files: dict[Shard, dict[int, bool]] = {shard: {} for shard in SHARDS}  # plane: whether it is right

    def holds(self, task: Task) -> bool:
        claim = self.state.claims.get(task.piece.shard)
        return claim is not None and (claim.owner, claim.planes) == (task.owner, task.piece.planes)

    @rule(piece=PIECES, owner=OWNERS)
    def claim(self, piece: Piece, owner: str) -> None:
        if piece.shard.level == 2 and not self.state.is_done(SHARDS[0], piece.planes):
            piece = Piece(SHARDS[0], *piece.planes)
        held = self.state.claims.get(piece.shard)
        self.state, answer = claimed(self.state, [piece], owner, self.now, LIFE)
        assert len(answer.granted) + len(answer.done) + len(answer.elsewhere) == 1
        if held is not None and held.expires > self.now and held.owner != owner:
            assert not answer.granted
        if answer.granted and not any((one.owner, one.piece) == (owner, piece) for one in self.tasks):
            self.tasks.append(Task(owner, piece))

    @precondition(lambda self: self.tasks)
    @rule(number=NUMBERS, steps=st.integers(1, 3))
    def go_on(self, number: int, steps: int) -> None:
        task = self.tasks[number % len(self.tasks)]
        for _ in range(steps):
            if task.base is None:
                self.read(task)
            elif not task.has_written:
                self.files[task.piece.shard] = task.base | dict.fromkeys(range(*task.piece.planes), task.good)
                task.has_written = True
            else:
                self.commit(task)
                break

    def read(self, task: Task) -> None:
        task.base = dict(self.files[task.piece.shard])
        below = self.files[SHARDS[0]]
        task.good = task.piece.shard.level == 1 or all(plane in below for plane in range(*task.piece.planes))

    def commit(self, task: Task) -> None:
        holds, before = self.holds(task), self.state.done(task.piece.shard)
        self.state, _ = committed(self.state, task.owner, [built(task.piece)], self.now)
        self.tasks.remove(task)
        after = self.state.done(task.piece.shard)
        if holds:
            assert set(after) == set(before) | set(range(*task.piece.planes))
        else:
            assert set(after) <= set(before)

    @precondition(lambda self: self.state.claims)
    @rule(seconds=st.sampled_from([1, 40, 40]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.tasks)
    @rule(owner=OWNERS, what=st.integers(0, 3))
    def something_else(self, owner: str, what: int) -> None:
        if what == 0:
            self.state = renewed(self.state, owner, self.now, LIFE)
        elif what == 1:  # tasks die; not those that would have found that they may not write
            self.tasks = [one for one in self.tasks if one.owner != owner or (one.has_written and not self.holds(one))]
        elif what == 2 and not any(one.owner == owner for one in self.tasks):
            self.state = released(self.state, owner, None)
        else:
            self.state = decode(encode(self.state), DEEP)

    @invariant()
    def what_is_done_is_there(self) -> None:
        if any(one.has_written and not self.holds(one) for one in self.tasks):
            return  # somebody has written without a claim, and is about to say so
        for shard in SHARDS:
            done = self.state.done(shard)
            assert all(self.files[shard].get(plane) for plane in done), (shard, done, self.files[shard])
            assert set(done) <= set(range(*DEEP.planes(shard)))


TestClaims = Claims.TestCase
TestClaims.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
