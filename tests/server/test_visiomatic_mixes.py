"""VisiOmatic 3 itself, asked for the same tiles as our server: random mixes, cuts, contrast, brightness and gamma.

VisiOmatic runs in an environment of its own, which the benchmarks make (``python -m tests.benchmarks peer``). Where
there is none, these tests are skipped.

Pictures are compared as JPEG keeps them, in brightness and differences of colour: back in red, green and blue a unit
of those that was rounded another way would be two. What is known to differ is avoided:

* Every request gives the cuts of all channels that it shows, and a mix its rows: VisiOmatic keeps those of one request
  for later ones.
* Lower cuts are below upper ones. VisiOmatic takes a factor of its own where they are not.
* Cubes are whole numbers of tiles, at full resolution: elsewhere it pads, or repeats pixels at edges.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from tests.benchmarks.servers import VENV, VERSION, Running, running

from ..service import Service, serving

pytestmark = pytest.mark.peer

SIZE, TILE = 512, 256
CUBES = {"few.fits": 6, "many.fits": 40}
CLOSE = 2
"""Units of 255 that the pictures may differ by."""
JPEG = 1
"""Units that JPEG of quality 100 may add to a single pixel of each of the two."""
SQUARE = 4
"""Pixels along the sides of squares over which that is a wash."""
STYLES = 14
"""Of each cube."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cubes, smooth within a plane so that JPEG keeps them, with a corner that is not a number."""
    folder = tmp_path_factory.mktemp("mixed")
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    for name, channels in CUBES.items():
        rng = np.random.default_rng(channels)
        wave, phase = rng.uniform(4, 7, (channels, 2)), rng.uniform(0, 1, (channels, 2))  # alike: a sum is not flat
        planes = [
            50 + 40 * np.sin(kx * x + px) * np.cos(ky * y + py) for (kx, ky), (px, py) in zip(wave, phase, strict=True)
        ]
        cube = np.asarray(planes, np.float32)
        cube[:: max(1, channels // 3), :64, 128:256] = np.nan
        fits.writeto(folder / name, cube)
    return folder


@pytest.fixture(scope="module")
def visiomatic(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not (VENV / f"installed-{VERSION}").exists():
        pytest.skip(f"no VisiOmatic {VERSION} in {VENV}: python -m tests.benchmarks peer installs it")
    with running("visiomatic", folder, tmp_path_factory.mktemp("visiomatic") / "server") as server:
        for name in CUBES:
            server.get(f"/api?FIF={name}&INFO")  # it converts a cube before it answers
        yield server


@pytest.fixture(scope="module")
def ours(folder: Path) -> Iterator[Service]:
    with serving(folder, tile_threads=2) as service:
        yield service


@dataclass(frozen=True)
class Query:
    """A picture as VisiOmatic's API describes it.

    Attributes
    ----------
    cuts : dict of int to (float, float)
        By channel (from 1): all that are shown.
    mix : dict of int to (float, float, float)
        Rows of the mix; none for a single channel.
    contrast, brightness, gamma : float
        The look.
    invert : bool
        Whether it is inverted.
    """

    cuts: dict[int, tuple[float, float]]
    mix: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    contrast: float = 1.0
    brightness: float = 0.0
    gamma: float = 2.2
    invert: bool = False

    @classmethod
    def draw(cls, seed: str, channels: int) -> Query:
        """Draw one: all channels mixed by one to seven rows, or one time in six a single channel."""
        drawn = random.Random(seed)
        mono = drawn.randrange(6) == 0
        shown = [drawn.randint(1, channels)] if mono else range(1, channels + 1)
        lows = {c: round(drawn.uniform(-20, 50), 2) for c in shown}
        rows = [] if mono else sorted(drawn.sample(range(1, channels + 1), drawn.randint(1, min(7, channels))))
        return cls(
            {c: (low, round(low + drawn.uniform(60, 160), 2)) for c, low in lows.items()},
            {c: (_weight(drawn), _weight(drawn), _weight(drawn)) for c in rows},
            round(drawn.uniform(0.4, 1.8), 2),
            drawn.choice((0.0, round(drawn.uniform(-30, 30), 1))),
            round(drawn.uniform(0.5, 4), 2),
            drawn.randrange(4) == 0,
        )

    def path(self, name: str, tile: int) -> str:
        """Address of a tile at full resolution."""
        keys = [f"MIX={c}:{r:.3f},{g:.3f},{b:.3f}" for c, (r, g, b) in self.mix.items()]
        keys += [f"MINMAX={c}:{low},{high}" for c, (low, high) in self.cuts.items()]
        if not self.mix:
            keys.append("CHAN=" + ",".join(map(str, self.cuts)))
        if self.brightness:
            keys.append(f"BRT={self.brightness}")
        if self.invert:
            keys.append("INV")
        keys += [f"CNT={self.contrast}", f"GAM={self.gamma}", "QLT=100"]
        return f"/api?FIF={name}&{'&'.join(keys)}&JTL=1,{tile}"


def _weight(drawn: random.Random) -> float:
    """Draw a weight: what VisiOmatic's client makes of a colour, which with more saturation than 1 may be below 0."""
    return drawn.choice((0.0, round(drawn.uniform(-0.2, 1.5), 3)))


def _means(difference: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean over every square of `SQUARE` pixels: (rows, columns, colours)."""
    squares = difference.reshape(TILE // SQUARE, SQUARE, TILE // SQUARE, SQUARE, -1)
    means: NDArray[np.float64] = squares.mean((1, 3))
    return means


def _decoded(data: bytes) -> NDArray[np.int16]:
    """Decode to what JPEG keeps: brightness, of colour also blue and red differences."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("YCbCr" if picture.mode == "RGB" else "L", picture.size)
        return np.atleast_3d(np.asarray(picture, np.int16))


@pytest.mark.parametrize("number", range(STYLES))
@pytest.mark.parametrize("name", CUBES)
def test_tiles_are_those_of_visiomatic(name: str, number: int, visiomatic: Running, ours: Service) -> None:
    query = Query.draw(f"{name} {number}", CUBES[name])
    seen = set()
    for tile in range((SIZE // TILE) ** 2):
        path = query.path(name, tile)
        theirs, mine = _decoded(visiomatic.get(path)[1]), _decoded(ours.ok(path).body)
        assert theirs.shape == mine.shape == (TILE, TILE, 3 if query.mix else 1)
        difference = theirs - mine
        assert np.abs(_means(difference)).max() <= CLOSE, path
        assert np.abs(difference).max() <= CLOSE + 2 * JPEG, path
        seen |= set(np.unique(theirs))
    assert len(seen) > 30  # not all of it black or white
