"""Residency under any sequence of events: hypothesis looks for one that breaks an invariant."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.residency import Deliver, Instruction, Locate, Release, Residency, State, Submit

from .made_up import brick_of

BRICKS = [brick_of(number, rows=16 * (1 + number % 3)) for number in range(8)]
MOST = 4
WORKERS = ["w1", "w2", "w3"]
A_BRICK = st.sampled_from(BRICKS)
A_WORKER = st.sampled_from(WORKERS)
SOME_WORKERS = st.sets(A_WORKER).map(sorted)


class ResidencyMachine(RuleBasedStateMachine):
    """Keeps the books of a keeper: which futures it would hold, and which answers it still waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Residency(arriving=MOST)
        self.held: set[str] = set()
        self.locating: list[str] = []
        self.budgets: dict[str, int] = {}
        self.last: Brick | None = None

    def carry_out(self, instructions: list[Instruction]) -> None:
        assert sum(isinstance(one, Release) for one in instructions) <= 200
        for one in instructions:
            match one:
                case Submit(brick):
                    assert brick.key not in self.held
                    assert self.table.state(brick.key) is State.ARRIVING
                    self.held.add(brick.key)
                case Release(key):
                    self.held.remove(key)
                case Locate(key, delay):
                    assert 0 <= delay <= 1
                    self.locating.append(key)
                case Deliver(key):
                    assert self.table.state(key) is State.RESIDENT

    @rule(brick=A_BRICK, viewer=st.sampled_from(["a", "b"]))
    def want(self, brick: Brick, viewer: str) -> None:
        known = self.table.state(brick.key)
        instructions = self.table.want(brick, viewer)
        if known not in (None, State.WANTED):
            assert instructions == []
        self.carry_out(instructions)
        assert not self.table.is_ahead(brick.key)

    @rule(brick=A_BRICK)
    def want_ahead(self, brick: Brick) -> None:
        self.carry_out(self.table.want_ahead(brick))

    @rule(brick=A_BRICK)
    def unwanted(self, brick: Brick) -> None:
        assert self.table.unwanted(brick.key) == []
        assert self.table.state(brick.key) is not State.WANTED

    @rule(brick=A_BRICK)
    def unwanted_ahead(self, brick: Brick) -> None:
        was_ahead = self.table.is_ahead(brick.key)
        instructions = self.table.unwanted_ahead(brick.key)
        assert was_ahead or not instructions
        self.carry_out(instructions)

    @rule(brick=A_BRICK)
    def use(self, brick: Brick) -> None:
        assert self.table.use(brick.key) == self.table.workers(brick.key)

    @rule(brick=A_BRICK)
    def finished(self, brick: Brick) -> None:
        self.carry_out(self.table.finished(brick.key))

    @rule(workers=SOME_WORKERS)
    def located(self, workers: list[str]) -> None:
        if self.locating:
            key = self.locating.pop(0)
            self.last = next(brick for brick in BRICKS if brick.key == key)
            self.carry_out(self.table.located(key, workers))
            self.check_budgets(keep=key)

    @rule(brick=A_BRICK)
    def failed(self, brick: Brick) -> None:
        self.carry_out(self.table.failed(brick.key))
        assert self.table.state(brick.key) is None

    @rule(brick=A_BRICK, worker=A_WORKER)
    def misplaced(self, brick: Brick, worker: str) -> None:
        was = self.table.workers(brick.key)
        instructions = self.table.misplaced(brick.key, worker)
        if was == (worker,):
            assert [type(one) for one in instructions] == [Locate]
        self.carry_out(instructions)
        assert worker not in self.table.workers(brick.key)

    @rule(brick=A_BRICK)
    def forget(self, brick: Brick) -> None:
        """All bricks here are of one file, which leaves nothing; those of another file stay where they are."""
        before = len(self.table)
        self.carry_out(self.table.forget({"another"}))
        assert len(self.table) == before
        self.carry_out(self.table.forget({brick.recipe.reader.fingerprint}))
        assert len(self.table) == 0

    @rule(brick=A_BRICK)
    def abandoned(self, brick: Brick) -> None:
        self.carry_out(self.table.abandoned(brick.key))
        assert self.table.state(brick.key) in (None, State.WANTED, State.ARRIVING)

    @rule(worker=A_WORKER)
    def lost(self, worker: str) -> None:
        self.budgets.pop(worker, None)
        self.carry_out(self.table.lost(worker))
        assert self.table.held(worker) == 0

    @rule(worker=A_WORKER, nbytes=st.integers(0, 20_000))
    def budget(self, worker: str, nbytes: int) -> None:
        self.budgets[worker] = nbytes
        self.carry_out(self.table.budget(worker, nbytes))
        self.check_budgets(keep=None)

    def check_budgets(self, keep: str | None) -> None:
        for worker, nbytes in self.budgets.items():
            kept = next((brick.nbytes for brick in BRICKS if brick.key == keep), 0)
            spared = kept if keep is not None and worker in self.table.workers(keep) else 0
            assert self.table.held(worker) <= max(nbytes, spared)

    @invariant()
    def held_bytes_are_the_sum_over_entries(self) -> None:
        for worker in WORKERS:
            here = [brick.nbytes for brick in BRICKS if worker in self.table.workers(brick.key)]
            assert self.table.held(worker) == sum(here)

    @invariant()
    def futures_are_held_of_exactly_what_was_submitted(self) -> None:
        states = {brick.key: self.table.state(brick.key) for brick in BRICKS}
        assert self.held == {key for key, state in states.items() if state not in (None, State.WANTED)}
        assert len(self.table) == sum(state is not None for state in states.values())

    @invariant()
    def nothing_waits_while_there_is_room(self) -> None:
        """No more arrive than may, but for those made anew; and who waits for a brick waits for others' only."""
        states = [(brick, self.table.state(brick.key)) for brick in BRICKS]
        arriving = sum(state is State.ARRIVING for _, state in states)
        for brick, state in states:
            if state is State.WANTED and not self.table.is_ahead(brick.key):
                assert arriving >= MOST

    @invariant()
    def only_what_is_resident_has_workers(self) -> None:
        for brick in BRICKS:
            assert bool(self.table.workers(brick.key)) == (self.table.state(brick.key) is State.RESIDENT)

    @invariant()
    def what_is_being_located_is_asked_for(self) -> None:
        for brick in BRICKS:
            if self.table.state(brick.key) is State.LOCATING:
                assert brick.key in self.locating


TestResidency = ResidencyMachine.TestCase
TestResidency.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
