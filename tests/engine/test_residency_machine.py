"""Residency under any sequence of events: hypothesis looks for one that breaks an invariant."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.residency import Deliver, Instruction, Locate, Release, Residency, State, Submit

from .made_up import brick_of

BRICKS = [brick_of(number, rows=16 * (1 + number % 3)) for number in range(8)]
WORKERS = ["w1", "w2", "w3"]
A_BRICK = st.sampled_from(BRICKS)
A_WORKER = st.sampled_from(WORKERS)
SOME_WORKERS = st.sets(A_WORKER).map(sorted)


class ResidencyMachine(RuleBasedStateMachine):
    """Keeps the books of a keeper: which futures it would hold, and which answers it still waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Residency()
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
                    self.held.add(brick.key)
                case Release(key):
                    self.held.remove(key)
                case Locate(key, delay):
                    assert 0 <= delay <= 1
                    self.locating.append(key)
                case Deliver(key):
                    assert self.table.state(key) is State.RESIDENT

    @rule(brick=A_BRICK)
    def want(self, brick: Brick) -> None:
        known = self.table.state(brick.key)
        instructions = self.table.want(brick)
        assert instructions == ([] if known else [Submit(brick)])
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
    def abandoned(self, brick: Brick) -> None:
        self.carry_out(self.table.abandoned(brick.key))
        assert self.table.state(brick.key) in (None, State.ARRIVING)

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
    def futures_are_held_of_exactly_what_is_wanted(self) -> None:
        assert self.held == {brick.key for brick in BRICKS if self.table.state(brick.key)}
        assert len(self.table) == len(self.held)

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
