"""Real processes that build the same pyramid, and are killed: nothing is built twice without need, nothing is lost."""

from __future__ import annotations

import json
import logging
import multiprocessing
import random
import time
from pathlib import Path

import pytest

from tests.pyramid.store import building
from tests.pyramid.store.building import PLAN, all_pieces, file_of
from tests.pyramid.store.ledgers import pyramid_in, statistics_of
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.statistics import merged

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([building.__name__])


def start(folder: Path, number: int, life: float, pause: float) -> multiprocessing.process.BaseProcess:
    arguments = (str(folder), f"owner {number}", number, life, pause)
    process = PROCESSES.Process(target=building.build, args=arguments, daemon=True)
    process.start()
    return process


def check_all_is_there(folder: Path) -> None:
    state = Ledger.of(pyramid_in(folder, PLAN)).look()
    shards = [shard for level in (1, 2) for shard in PLAN.shards(level)]
    for shard in shards:
        assert json.loads((folder / file_of(shard)).read_bytes()) == list(range(*PLAN.planes(shard)))
        assert state.is_done(shard, PLAN.planes(shard))
    assert not state.parts
    assert state.source_pixels == PLAN.width * PLAN.height * PLAN.count
    for plane in range(PLAN.count):
        for level in (0, 1, 2):
            pieces = [one for one in all_pieces() if one.shard.level == max(1, level) and plane in range(*one.planes)]
            whole = merged(statistics_of(level, plane, one.shard) for one in pieces)
            assert (folder / f"statistics-{level}-{plane}").read_text() == repr(whole)


def test_each_piece_is_built_once(tmp_path: Path) -> None:
    pyramid_in(tmp_path, PLAN)
    processes = [start(tmp_path, number, 60.0, 0.0) for number in range(4)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    granted = (tmp_path / "log").read_text().splitlines()
    pieces = [line.split(" ", 2)[2] for line in granted]
    assert sorted(pieces) == sorted(str(one) for one in all_pieces())
    assert len({line[:7] for line in granted}) > 1  # they did share it
    check_all_is_there(tmp_path)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment(tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Twenty are, ten times each way; the ledger can always be read, says nothing that is not so, and work goes on."""
    rng = random.Random(seed)
    pyramid = pyramid_in(tmp_path, PLAN)
    ledger = Ledger.of(pyramid)
    processes = [start(tmp_path, 100 * seed + number, 0.5, 0.03) for number in range(3)]
    number, done = 10, 0
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            time.sleep(rng.uniform(0.02, 0.25))
            victim = rng.randrange(len(processes))
            processes[victim].kill()
            processes[victim].join(10)
            state = ledger.look()
            for shard, record in state.shards.items():
                assert set(record.done) <= set(json.loads((tmp_path / file_of(shard)).read_bytes()))
            assert state.done_planes >= done
            done = state.done_planes
            number += 1
            processes[victim] = start(tmp_path, 100 * seed + number, 0.5, 0.03)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert not caplog.records
    check_all_is_there(tmp_path)
    assert not (tmp_path / "ledger.lock").exists()
