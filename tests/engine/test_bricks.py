"""Brick recipes: keys say everything a brick depends on, and nothing else; recipes travel."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from visiomatic_dask.engine.bricks import Brick, BrickRecipe
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Cut, Mix

from .made_up import MadeUp, plane_of

READER = MadeUp()
PLANE = PlaneBrick(READER, 1, (0, 3), Box(0, 0, 256, 450))
MIX = Mix((0, 2), (Cut(0, 10), Cut(5, 50)), ((1, 0, 0.5), (0, 0.25, -1)))
MIXED = MixBrick(READER, 1, Box(0, 0, 256, 450), MIX)

OTHERS: list[BrickRecipe] = [
    PLANE,
    replace(PLANE, reader=replace(READER, fingerprint="fedcba9876543210")),
    replace(PLANE, reader=replace(READER, shape=(3, 700, 901))),
    replace(PLANE, level=2),
    replace(PLANE, planes=(0, 2)),
    replace(PLANE, planes=(1, 3)),
    replace(PLANE, box=Box(0, 0, 256, 449)),
    replace(PLANE, box=Box(1, 0, 257, 450)),
    replace(PLANE, preview_read=1000),
    replace(PLANE, preview_read=2000),
    MIXED,
    replace(MIXED, level=0),
    replace(MIXED, box=Box(0, 1, 256, 450)),
    replace(MIXED, preview_read=1000),
    replace(MIXED, reader=replace(READER, fingerprint="fedcba9876543210")),
    replace(MIXED, mix=Mix((1, 2), MIX.cuts, MIX.weights)),
    replace(MIXED, mix=Mix(MIX.channels, (Cut(0, 10), Cut(5, 50.000001)), MIX.weights)),
    replace(MIXED, mix=Mix(MIX.channels, (Cut(0, 10), Cut(4, 50)), MIX.weights)),
    replace(MIXED, mix=Mix(MIX.channels, MIX.cuts, ((1, 0, 0.5), (0, 0.25, 1)))),
]


def test_everything_that_matters_changes_the_key() -> None:
    keys = {Brick(recipe).key for recipe in OTHERS}
    assert len(keys) == len(OTHERS)


def test_what_does_not_matter_does_not() -> None:
    # Where a brick lies, and how its pixels are come by, are not what it is
    assert Brick(replace(PLANE, stripe=7)).key == Brick(PLANE).key
    assert Brick(replace(PLANE, reader=replace(READER, delay=1.0))).key == Brick(PLANE).key


def test_keys_are_the_same_in_every_process() -> None:
    code = "from tests.engine.test_bricks import *; print(Brick(PLANE).key, Brick(MIXED).key)"  # hash seeds differ
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, ["."]))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{Brick(PLANE).key} {Brick(MIXED).key}\n"}


@pytest.mark.parametrize(("recipe", "prefix"), [(PLANE, "load-brick"), (MIXED, "mix-partial")])
def test_keys_have_few_prefixes(recipe: BrickRecipe, prefix: str) -> None:
    from dask.utils import key_split

    key = Brick(recipe).key
    assert key_split(key) == prefix
    digest = key.removeprefix(f"{prefix}-")
    assert len(digest) == 32
    int(digest, 16)


@pytest.mark.parametrize("recipe", OTHERS)
def test_recipes_travel(recipe: BrickRecipe) -> None:
    there = pickle.loads(Brick(recipe).pickled)
    assert there == recipe
    assert hash(there) == hash(recipe)
    assert Brick(there).key == Brick(recipe).key
    assert len(Brick(recipe).pickled) < 1500


@pytest.mark.parametrize("recipe", [PLANE, replace(PLANE, level=0), MIXED])
def test_nbytes_is_the_size_of_what_is_loaded(recipe: BrickRecipe) -> None:
    brick = recipe.load()
    assert brick.dtype == np.float32
    assert brick.nbytes == recipe.nbytes == Brick(recipe).nbytes
    assert brick.shape[1:] == (recipe.box.rows, recipe.box.columns)


def test_part_is_the_rectangle_of_the_brick() -> None:
    box = Box(32, 64, 96, 128)
    for plane in range(3):
        part = PLANE.part(box, plane)
        np.testing.assert_array_equal(part.load()[0], PLANE.load()[plane, 32:96, 64:128])
    np.testing.assert_array_equal(MIXED.part(box, 0).load(), MIXED.load()[:, 32:96, 64:128])
    assert Brick(PLANE.part(box, 0)).key != Brick(PLANE).key


def test_read_cost_is_what_lies_behind() -> None:
    assert PLANE.read_cost == 3 * 512 * 900 * 4
    assert MIXED.read_cost == 2 * 512 * 900 * 4
    assert replace(PLANE, level=5, box=Box(0, 0, 22, 29)).read_cost == 3 * 700 * 900 * 4
    assert replace(PLANE, preview_read=1000).read_cost == 3000
    assert replace(MIXED, preview_read=1000).read_cost == 1000


def test_bricks_of_one_level_differ_in_their_stripe_alone() -> None:
    other = replace(PLANE, planes=(3, 6), stripe=1)
    assert other.placement.text == PLANE.placement.text == replace(MIXED, level=PLANE.level).placement.text
    assert other.placement != PLANE.placement
    assert replace(PLANE, level=5).placement.text != PLANE.placement.text


def test_mix_is_the_weighted_sum_of_what_the_cuts_leave() -> None:
    recipe = replace(MIXED, level=0, box=Box(0, 0, 100, 100))
    first, third = (plane_of(READER, c)[::-1][:100, :100].astype(float) for c in (0, 2))
    a, b = first / 10, (third - 5) / 45
    expected = [a, 0.25 * b, 0.5 * a - b]
    np.testing.assert_allclose(recipe.load(), expected, rtol=1e-5, atol=1e-4)


def test_channels_of_no_weight_are_not_read() -> None:
    broken = replace(READER, error=AssertionError("read"))
    nothing = MixBrick(broken, 0, Box(0, 0, 8, 8), Mix(MIX.channels, MIX.cuts, ((0, 0, 0), (0, 0, 0))))
    assert not nothing.load().any()
