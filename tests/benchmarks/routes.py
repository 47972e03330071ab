"""What the scheduler route costs: the same load with every tile a Dask task, and over the stream."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from .figures import Column, Measured, Row, Scale, Section
from .load import MeasurementError, press
from .measure import Plan
from .servers import CACHE, running
from .sky import sky

CONNECTIONS = 16
ROUTES = ("direct", "scheduler")
ROWS = (
    Row("mono tile, uncached: CPU", "processor_ms", "ms"),
    Row("rate", "tiles_per_second", "/s", "more"),
    Row("p50", "p50", "ms"),
    Row("p95", "p95", "ms"),
    Row("p99", "p99", "ms"),
    Row("failed", "failed", "", None),
)


def run(scale: Scale) -> Measured:
    """Press one fresh server by each route, on a cluster of processes where there is a choice."""
    kind = scale.ours[-1]
    cube = sky(CACHE / str(scale.size), scale.size)
    cube.read_bytes()  # into the page cache
    plan = Plan(cube, scale.size, scale.seconds, scale.seconds)
    work = plan.work(plan.mono)
    columns: dict[str, Column] = {}
    folder = Path(tempfile.mkdtemp(prefix="routes-", dir=CACHE))
    try:
        for route in ROUTES:
            print(f"routes, {kind}, {route}", file=sys.stderr)
            settings = {"DASK_VISIOMATIC__TILE_ROUTE": route}
            with running(kind, cube.parent, folder / route, settings) as server:
                if (taken := json.loads(server.get("/health")[1])["route"]) != route:
                    raise MeasurementError(f"the server takes the {taken} route, not the {route} one")
                # Unmeasured, at other contrasts: bricks come into memory
                warm = press(server.tree, server.address, work, CONNECTIONS, max(1, scale.seconds / 2), 0)
                rate = press(server.tree, server.address, work, CONNECTIONS, scale.seconds, warm.steps + 1)
            columns[route] = {
                "processor_ms": rate.processor_ms,
                "tiles_per_second": rate.tiles_per_second,
                "p50": rate.p50,
                "p95": rate.p95,
                "p99": rate.p99,
                "failed": rate.failed + rate.refused,
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(columns, [f"{kind}, {CONNECTIONS} connections, {scale.seconds:g} s each"])


SECTION = Section("routes", "The scheduler route", ROWS, run, reference="scheduler")
