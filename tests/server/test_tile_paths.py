"""What is known of paths is bounded, by how much room it takes, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.cube import Cube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Content, Cut, Look, Mix, Mono, Style
from visiomatic_dask.server.responses import Delivery
from visiomatic_dask.server.tile_paths import KnownStyle, StyleCache, TilePath

MANY = 2**15


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    fits.writeto(tmp_path / "a.fits", np.zeros((2, 3, 4), np.float32))
    return open_cube(tmp_path / "a.fits")


def uri(number: int) -> str:
    return f"/cubes/a.fits/tiles/0/0/0.png?contrast={number}"


def known(cube: Cube, content: Content) -> KnownStyle:
    return KnownStyle(cube, cube.layer(), Style(content, Look()), Delivery())


def is_known(cache: StyleCache, number: int, cube: Cube) -> bool:
    path = TilePath.parse(uri(number))
    assert path is not None
    return cache.get(path, cube) is not None


def test_mixes_of_many_channels_are_fewer(cube: Cube) -> None:
    cache = StyleCache()
    large = known(cube, Mix(range(MANY), np.tile([0.0, 1.0], (MANY, 1)), np.ones((MANY, 3))))
    for number in range(100):
        cache.put(uri(number), large)
    assert len(cache) == 2**20 // MANY
    assert is_known(cache, 99, cube)
    assert not is_known(cache, 0, cube)
    cache.forget(cube)
    small = known(cube, Mono(0, Cut(0, 1)))
    for number in range(2000):
        cache.put(uri(number), small)
    assert len(cache) == 1024


def test_long_paths_are_fewer(cube: Cube) -> None:
    cache, small = StyleCache(), known(cube, Mono(0, Cut(0, 1)))
    for number in range(1000):
        cache.put(f"{uri(number)}{'&mix=0:1,0,0' * 30_000}", small)
    assert 200 < len(cache) < 400


def test_what_is_put_again_counts_once(cube: Cube) -> None:
    cache = StyleCache()
    large = known(cube, Mix(range(MANY), np.tile([0.0, 1.0], (MANY, 1)), np.ones((MANY, 3))))
    cache.put(uri(0), known(cube, Mono(0, Cut(0, 1))))
    for _ in range(100):
        cache.put(uri(1), large)
    assert len(cache) == 2
