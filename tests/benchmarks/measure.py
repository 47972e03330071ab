"""One run on one fresh server, and the check that two servers do the same work."""

from __future__ import annotations

import io
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .load import MeasurementError, Work, press
from .peers import Peer, Running, running
from .sky import CHANNELS, cuts
from .tree import PeakMemory

TILE = 256
# Weights of a plausible true-colour mix, one line a channel, red to blue
WEIGHTS = ((0.0, 0.1, 0.8), (0.0, 0.5, 0.3), (0.1, 0.8, 0.0), (0.5, 0.3, 0.0), (0.8, 0.0, 0.1))
JPEG = ("image/jpeg", "image/jpg")  # the second is what VisiOmatic 3.0.7 says
EDGE = 16  # pixels of an 8-bit level beyond which neighbours count as an edge, where JPEG rings

Pixels = NDArray[np.int16]


@dataclass(frozen=True)
class Plan:
    """What to measure on each server."""

    cube: Path
    size: int
    seconds: float

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


def measure(peer: Peer, plan: Plan, folder: Path) -> tuple[dict[str, Any], dict[str, Pixels]]:
    """Measure one fresh server.

    Returns
    -------
    tuple
        Figures by name, and decoded tiles by what they are, to be compared with another server's.
    """
    with running(peer, plan.cube.parent, folder) as server, PeakMemory(server.tree) as peak:
        figures: dict[str, Any] = {"start_s": server.start_seconds}
        began = time.monotonic()
        server.get(f"/api?FIF={plan.cube.name}&INFO")
        figures["info_s"] = time.monotonic() - began
        # As a browser does: INFO, then the whole sky in one tile
        kind, _ = server.get(f"{plan.mono}&CNT=1.00&QLT=90&JTL=0,0")
        figures["first_tile_s"] = time.monotonic() - began
        if kind not in JPEG:
            raise MeasurementError(f"the first tile of {peer.name} is {kind}, not image/jpeg")
        figures["open_processor_s"] = server.tree.processor_seconds()
        for name, prefix, unique in (
            ("mono", plan.mono, True),
            ("colour", plan.colour, True),
            ("cached", plan.mono, False),
        ):
            work = Work(prefix, plan.levels - 1, plan.tiles, unique)
            # Unmeasured, at other contrasts: pixels come into memory, compilers finish
            warm = press(server.tree, server.address, work, max(1, plan.seconds / 2), 0)
            figures[name] = asdict(press(server.tree, server.address, work, plan.seconds, warm.steps + 1))
        figures["cache_mb"] = server.cache_bytes() / 1e6
        figures["written_mb"] = server.tree.written_bytes() / 1e6
        tiles = sample_tiles(server, plan)
    figures["peak_pss_mb"], figures["peak_anonymous_mb"] = peak.mapped, peak.anonymous
    return figures, tiles


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
