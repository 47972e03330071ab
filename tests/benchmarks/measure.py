"""One run on one fresh server, and the check that two servers do the same work."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .load import MeasurementError, Rate, Work, press
from .servers import Running, running
from .sky import CHANNELS, cuts
from .tree import PeakMemory

TILE = 256
# Weights of a plausible true-colour mix, one line a channel, red to blue
WEIGHTS = ((0.0, 0.1, 0.8), (0.0, 0.5, 0.3), (0.1, 0.8, 0.0), (0.5, 0.3, 0.0), (0.8, 0.0, 0.1))
CONNECTIONS = 64  # of the three kinds of load
SWEEP = (1, 16, 64, 256)  # connections at which latency is looked at
JPEG = ("image/jpeg", "image/jpg")  # the second is what VisiOmatic 3.0.7 says
EDGE = 16  # pixels of an 8-bit level beyond which neighbours count as an edge, where JPEG rings

Pixels = NDArray[np.int16]


@dataclass(frozen=True)
class Plan:
    """What to measure on each server.

    Attributes
    ----------
    cube : Path
        The file.
    size : int
        Pixels along each side of a plane.
    seconds : float
        Length of a press; an unmeasured one of half the length comes before each kind of load.
    sweep_seconds : float
        Length of the presses that only look at latency.
    """

    cube: Path
    size: int
    seconds: float
    sweep_seconds: float

    @property
    def levels(self) -> int:
        """Number of levels as the API counts them."""
        return ((self.size - 1) // TILE).bit_length() + 1

    @property
    def tiles(self) -> int:
        """Tiles of the finest level."""
        return (-(-self.size // TILE)) ** 2

    @property
    def mono(self) -> str:
        """URL of a tile of one channel, without level, contrast and quality."""
        return f"/api?FIF={self.cube.name}&CHAN=1"

    @property
    def colour(self) -> str:
        """URL of a tile that mixes all channels, without level, contrast and quality."""
        rows = (f"&MIX={i}:{r:.3f},{g:.3f},{b:.3f}" for i, (r, g, b) in enumerate(WEIGHTS, 1))
        return f"/api?FIF={self.cube.name}" + "".join(rows)

    def work(self, prefix: str, unique: bool = True) -> Work:
        """Tiles of the finest level."""
        return Work(prefix, self.levels - 1, self.tiles, unique)


def measure(kind: str, plan: Plan, folder: Path) -> tuple[dict[str, float], dict[str, Pixels]]:
    """Measure one fresh server.

    Returns
    -------
    tuple
        Figures by name, and decoded tiles by what they are, to be compared with another server's.
    """
    with running(kind, plan.cube.parent, folder) as server, PeakMemory(server.tree) as peak:
        figures = {"start_s": server.start_seconds, **_first_tile(server, kind, plan)}
        for name, work in (
            ("mono", plan.work(plan.mono)),
            ("colour", plan.work(plan.colour)),
            ("cached", plan.work(plan.mono, unique=False)),
        ):
            # Unmeasured, at other contrasts: pixels come into memory, compilers finish
            warm = press(server.tree, server.address, work, CONNECTIONS, max(1, plan.seconds / 2), 0)
            step = warm.steps + 1
            rate = press(server.tree, server.address, work, CONNECTIONS, plan.seconds, step)
            figures |= _of_rate(name, rate)
            if name == "mono":
                figures |= _sweep(server, plan, work, step + rate.steps + 1) | _latency(CONNECTIONS, rate)
        figures["cache_mb"] = server.cache_bytes() / 1e6
        figures["written_mb"] = server.tree.written_bytes() / 1e6
        tiles = sample_tiles(server, plan)
    figures["peak_pss_mb"], figures["peak_anonymous_mb"] = peak.mapped, peak.anonymous
    return figures, tiles


def _first_tile(server: Running, kind: str, plan: Plan) -> dict[str, float]:
    """Do as a browser does: INFO, then the whole sky in one tile."""
    began = time.monotonic()
    server.get(f"/api?FIF={plan.cube.name}&INFO")
    info = time.monotonic() - began
    said, _ = server.get(f"{plan.mono}&CNT=1.00&QLT=90&JTL=0,0")
    first_tile = time.monotonic() - began
    if said not in JPEG:
        raise MeasurementError(f"the first tile of {kind} is {said}, not image/jpeg")
    return {"info_s": info, "first_tile_s": first_tile}


def _sweep(server: Running, plan: Plan, work: Work, step: int) -> dict[str, float]:
    """Look at latency at other numbers of connections."""
    figures: dict[str, float] = {}
    for connections in SWEEP:
        if connections == CONNECTIONS:
            continue
        rate = press(server.tree, server.address, work, connections, plan.sweep_seconds, step)
        step += rate.steps + 1
        figures |= _latency(connections, rate)
    return figures


def _latency(connections: int, rate: Rate) -> dict[str, float]:
    key = f"mono@{connections}"
    return {
        f"{key}.p50": rate.p50,
        f"{key}.p95": rate.p95,
        f"{key}.p99": rate.p99,
        f"{key}.tiles_per_second": rate.tiles_per_second,
        f"{key}.refused": rate.refused,
        f"{key}.failed": rate.failed,
    }


def _of_rate(name: str, rate: Rate) -> dict[str, float]:
    return {
        f"{name}.processor_ms": rate.processor_ms,
        f"{name}.tiles_per_second": rate.tiles_per_second,
        f"{name}.p99": rate.p99,
        f"{name}.bytes_per_tile": rate.bytes_per_tile,
        f"{name}.failed": rate.refused + rate.failed,
    }


def sample_tiles(server: Running, plan: Plan) -> dict[str, Pixels]:
    """Decode a few tiles, with explicit cuts so that no estimate of the background comes in."""
    low, high = cuts()
    finest = plan.levels - 1
    chosen = {(finest, tile) for tile in (0, plan.tiles // 2, plan.tiles - 1)}
    chosen |= {(max(0, finest - 1), 0), (0, 0)}
    minmax = "".join(f"&MINMAX={channel}:{low:g},{high:g}" for channel in range(1, CHANNELS + 1))
    tiles = {}
    for name, prefix in (("mono", plan.mono), ("colour", plan.colour)):
        for level, tile in sorted(chosen):
            kind, body = server.get(f"{prefix}{minmax}&CNT=1.00&QLT=90&JTL={level},{tile}")
            if kind not in JPEG:
                raise MeasurementError(f"tile {level},{tile} is {kind}, not image/jpeg")
            pixels = Image.open(io.BytesIO(body)).convert("RGB")
            tiles[f"{name} {level},{tile}"] = np.asarray(pixels, np.int16)
    return tiles


def compare(mine: dict[str, Pixels], theirs: dict[str, Pixels]) -> dict[str, Any]:
    """Differences of decoded tiles in 8-bit units: everywhere, and away from edges, where JPEG rings."""
    result: dict[str, Any] = {}
    for name in mine:
        if mine[name].shape != theirs[name].shape:
            raise MeasurementError(f"tile {name}: sizes {mine[name].shape} and {theirs[name].shape} differ")
        difference = np.abs(mine[name] - theirs[name]).max(axis=2)
        smooth = ~_near_edge(theirs[name].mean(axis=2))
        result[name] = {
            "mean": float(difference.mean()),
            "max": int(difference.max()),
            "max_away_from_edges": int(difference[smooth].max()) if smooth.any() else None,
            "smooth_share": float(smooth.mean()),
        }
    return result


def _near_edge(grey: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Mark the 8 × 8 blocks of JPEG, and their neighbours, in which the level changes steeply."""
    edge = np.zeros(grey.shape, np.bool_)
    edge[:, 1:] |= np.abs(np.diff(grey, axis=1)) > EDGE
    edge[1:] |= np.abs(np.diff(grey, axis=0)) > EDGE
    near = edge.copy()
    for y, x in zip(*np.nonzero(edge), strict=True):
        near[max(0, y - 8) : y + 9, max(0, x - 8) : x + 9] = True
    return near
