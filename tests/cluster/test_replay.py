"""Eight viewers at once, as the benchmarks replay them, while workers are lost."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from visiomatic_dask.engine.cluster import ClusterAddress

from ..benchmarks.replay import replay
from ..benchmarks.session import read_session
from ..benchmarks.troubles import losses
from ..processes import dask_cluster
from ..service import serving

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

SECONDS = 12.0


def test_no_request_fails_while_one_worker_is_killed_and_another_frozen(tmp_path: Path, wide_cube: Path) -> None:
    with dask_cluster(tmp_path, 3) as (address, workers):
        parts = {f"worker {number}": worker.pid for number, worker in enumerate(workers)}
        with serving(wide_cube, cluster=ClusterAddress(address)) as service:
            actions = losses(parts, SECONDS)
            result = asyncio.run(replay(service.url.rstrip("/"), read_session(), SECONDS, actions=actions))
            os.kill(parts["worker 1"], signal.SIGCONT)
        print(
            f"{result.tiles} tiles, p50 {result.p50:.0f} ms, p99 {result.p99:.0f} ms, longest {result.longest:.0f} ms"
        )
        assert workers[0].process.wait(10) == -signal.SIGKILL
        assert result.failures == []
        assert result.failed == 0
        assert result.tiles > 200
        assert result.p99 < 3000
