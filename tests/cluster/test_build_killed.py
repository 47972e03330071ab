"""Builds whose worker, scheduler or builder is killed at random moments: they end with the same bits.

VISIOMATIC_KILLS says how often something is killed; ``make test-kills`` does it twenty times.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from visiomatic_dask.pyramid.store.build import build_piece
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.pyramid import Piece, Pyramid

from ..engine.stored import assert_same, new_pyramid, write_cube
from ..processes import Started, dask, free_port, visiomatic

KILLS = int(os.environ.get("VISIOMATIC_KILLS", "3"))
SHARD = 2**17
WORKERS = 2

# A builder that was killed holds its claims for 30 s more.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180 + 60 * KILLS)]


class Site:
    """A scheduler, workers and a builder, each of which may be killed and is then started again."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        self.path = path
        self.store = folder
        self.port = free_port()
        self.numbers = 0
        self.running: list[Started] = []
        self.scheduler: Started
        self.workers: list[Started] = []
        self.builder: Started
        self.start_cluster()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, name: str, command: list[str]) -> Started:
        self.numbers += 1
        one = Started(command, self.folder / f"{name}-{self.numbers}.log")
        self.running.append(one)
        return one

    def start_cluster(self) -> None:
        options = ("--host", "127.0.0.1", "--port", self.port, "--no-dashboard")
        self.scheduler = self.start("scheduler", dask("scheduler", *options))
        self.scheduler.wait_for("Scheduler at:")
        for worker in self.workers:
            worker.kill()  # they end by themselves, sooner or later
        self.workers = [self.start_worker() for _ in range(WORKERS)]
        for worker in self.workers:
            worker.wait_for("Starting established connection")

    def start_worker(self) -> Started:
        options = ("--host", "127.0.0.1", "--no-nanny", "--no-dashboard", "--nthreads", 1, "--memory-limit", "2GB")
        scratch = ("--local-directory", self.folder / "scratch")
        return self.start("worker", dask("worker", self.address, *options, *scratch))

    def start_builder(self) -> None:
        command = visiomatic("build", self.path, "--store", self.store, "--scheduler", self.address)
        self.builder = self.start("builder", command)

    def kill(self, what: str, draw: random.Random) -> None:
        if what == "worker":
            number = draw.randrange(WORKERS)
            self.workers[number].process.kill()
            self.workers[number] = self.start_worker()
        elif what == "scheduler":
            self.scheduler.process.kill()
            self.scheduler.process.wait()
            time.sleep(draw.uniform(0, 2))
            self.start_cluster()
        else:
            self.builder.process.kill()
            self.builder.process.wait()
            self.start_builder()


@contextmanager
def site(folder: Path, path: Path) -> Iterator[Site]:
    found = Site(folder, path)
    try:
        yield found
    finally:
        for one in reversed(found.running):
            one.kill()


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "sky.fits"
    write_cube(path, (6, 2000, 3000))
    return path


@pytest.fixture(scope="module")
def undisturbed(cube: Path) -> Pyramid:
    pyramid, layer = new_pyramid(cube.parent / "undisturbed", cube, SHARD)
    ledger = Ledger.of(pyramid)
    for grid in pyramid.plan.levels:
        pieces = [Piece(shard, *pyramid.plan.planes(shard)) for shard in pyramid.plan.shards(grid.level)]
        assert ledger.claim(pieces, "nobody else").granted == tuple(pieces)
        ledger.commit("nobody else", [build_piece(pyramid, layer.reader, piece) for piece in pieces])
    assert ledger.look().is_whole
    return pyramid


def wait_for_more(site: Site, ledger: Ledger, pieces: int, seconds: float) -> bool:
    """Wait until so many more pieces are done, and a moment; False if the builder has ended by then."""
    deadline = time.monotonic() + 120
    before = ledger.look().done_planes
    while ledger.look().done_planes < before + pieces:
        if site.builder.process.poll() is not None:
            return False
        assert time.monotonic() < deadline, site.builder.text
        time.sleep(0.005)
    time.sleep(seconds)
    return site.builder.process.poll() is None


def test_killed_at_random_moments(tmp_path: Path, cube: Path, undisturbed: Pyramid) -> None:
    draw = random.Random(KILLS)
    victims = [("worker", "scheduler", "builder")[number % 3] for number in range(KILLS)]
    draw.shuffle(victims)
    assert len(list(undisturbed.plan.shards(1))) > 48
    rounds = 0
    with site(tmp_path, cube) as here:
        while victims:
            rounds += 1
            here.store = tmp_path / f"store-{rounds}"
            pyramid, _ = new_pyramid(here.store, cube, SHARD)
            ledger = Ledger.of(pyramid)
            here.start_builder()
            while victims and wait_for_more(here, ledger, draw.randint(1, 12), draw.uniform(0, 0.1)):
                assert not ledger.look().is_whole or here.builder.process.wait(20) == 0
                if here.builder.process.poll() is not None:
                    break
                victim = victims.pop()
                print(f"round {rounds}: {victim} killed with {ledger.look().done_planes} done")
                here.kill(victim, draw)
            assert here.builder.process.wait(120) == 0, here.builder.text
            assert ledger.look().is_whole
            assert not ledger.look().claims
            assert_same(pyramid, undisturbed)
    assert rounds < 2 * KILLS
