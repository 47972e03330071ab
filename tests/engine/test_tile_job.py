"""Tile jobs: cut, style and encode, from a brick or from the source."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from distributed.protocol import dumps, loads

from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.engine.tile_job import DIRECT_READ, BrickAbsent, TileJob, render_job
from visiomatic_dask.errors import CubeChanged
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Cut, Look, Mix, TableCache

from .. import reference
from .clusters import a_job, a_recipe
from .made_up import MadeUp, plane_of

READER = MadeUp()
PLANE = PlaneBrick(READER, 0, (0, 3), Box(0, 0, 512, 900))
LOOK = Look(gamma=1.5, format="png")
MIX = Mix((0, 1), (Cut(0, 100), Cut(100, 200)), ((1, 0, 0.5), (0, 0.5, 0.5)))
MIXED = MixBrick(READER, 0, Box(0, 0, 512, 900), MIX)
MONO_JOB = TileJob("k", Brick(PLANE).pickled, 1, 256, 512, 256, 256, 95.0, (1 / 80,), (0.1,), LOOK.fields)
MIX_JOB = TileJob("k", Brick(MIXED).pickled, -1, 256, 512, 256, 256, 0.0, (1.0,) * 3, (0.0,) * 3, LOOK.fields)


def test_cut_from_the_brick_or_from_the_source_is_the_same() -> None:
    for job, recipe in ((MONO_JOB, PLANE), (MIX_JOB, MIXED)):
        there = render_job(job, recipe.load(), TableCache()).data
        assert render_job(job, None, TableCache()).data == there


def test_tile_is_the_reference_rendering() -> None:
    values = plane_of(READER, 1)[::-1][256:512, 512:768].astype(np.float64)
    expected = reference.displayed((values - 95) / 80 + 0.1, 1.5)
    reference.assert_close(render_job(MONO_JOB, None, TableCache()).data, expected, 1)
    planes = [plane_of(READER, c)[::-1][256:512, 512:768].astype(np.float64) for c in (0, 1)]
    expected = reference.mix(planes, [(0, 100), (100, 200)], MIX.weights, gamma=1.5)
    reference.assert_close(render_job(MIX_JOB, None, TableCache()).data, expected, 1)


def test_what_would_read_too_much_is_not_read() -> None:
    reader = MadeUp((1, 2**20, 2**20), error=AssertionError("read"))
    recipe = PlaneBrick(reader, 8, (0, 1), Box(0, 0, 256, 256))
    with pytest.raises(BrickAbsent):
        render_job(MONO_JOB._replace(recipe=Brick(recipe).pickled, top=0, left=0, plane=0), None, TableCache())
    edge = PlaneBrick(replace(reader, error=CubeChanged("x")), 0, (0, 1), Box(0, 0, 2048, DIRECT_READ // 4 // 2048))
    job = MONO_JOB._replace(recipe=Brick(edge).pickled, plane=0, top=0, left=0, rows=2048, columns=edge.box.columns)
    with pytest.raises(CubeChanged):  # just small enough: it is read
        render_job(job, None, TableCache())


def test_a_brick_that_is_there_spares_the_source() -> None:
    recipe = a_recipe(error=AssertionError("read"))
    assert render_job(a_job(recipe), np.zeros((1, 64, 64), np.float32), TableCache()).data


def test_jobs_are_plain_enough_to_travel() -> None:
    for job in (MONO_JOB, MIX_JOB):
        ((number, packed),) = loads(dumps([(7, tuple(job))]))
        assert (number, TileJob(*packed)) == (7, job)
        assert render_job(TileJob(*packed), None, TableCache()).data


def test_absence_can_be_raised_and_told() -> None:
    error = BrickAbsent("load-brick-1")
    assert pickle.loads(pickle.dumps(error)) == error
