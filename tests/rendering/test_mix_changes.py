"""Changes of a mix against plain numpy sums of all its channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.rendering import (
    Mix,
    NaNPolicy,
    absolute_weights,
    change_mix,
    changes_between,
)

SHAPE = (4, 5)


def summed(mix: Mix, cube: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sums, or normalised sums and weights; NaN where no channel with a weight is finite."""
    weighted = mix.weights.any(axis=1)
    pixels = cube[np.array(mix.channels)[weighted]].astype(np.float64)
    there = np.isfinite(pixels)
    values = np.where(there, pixels - mix.cuts[weighted, 0][:, None, None], 0)
    sums = np.einsum("cyx,ck->kyx", values, mix.factors[weighted])
    shares = np.einsum("cyx,ck->kyx", there.astype(float), np.abs(mix.weights[weighted]))
    nothing = ~there.any(axis=0)
    if mix.nan == "renormalise":
        whole = np.abs(mix.weights).sum(axis=0)[:, None, None]
        sums = np.where(shares > 0, sums * whole / np.where(shares > 0, shares, 1), 0)
    sums[:, nothing] = np.nan
    return sums if mix.nan == "lo" else np.concatenate([sums, shares])


@dataclass(frozen=True)
class Case:
    cube: NDArray[np.float32]
    old: Mix
    new: Mix


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    cube = rng.normal(50, 30, (count, *SHAPE)).astype(np.float32)
    cube[rng.random(cube.shape) < draw(st.sampled_from([0, 0.3, 0.9]))] = np.nan
    cube[rng.random(cube.shape) < draw(st.sampled_from([0, 0.1]))] = np.inf
    nan: NaNPolicy = draw(st.sampled_from(["lo", "renormalise"]))

    def row() -> tuple[tuple[float, float], tuple[float, ...]]:
        low = float(rng.integers(-20, 60))
        weights = tuple(float(one) for one in rng.integers(-3, 4, 3) / 2)
        return (low, low + float(rng.choice([-40, 10, 75]))), weights

    rows = {channel: row() for channel in range(count) if rng.random() < 0.8} or {0: row()}
    changed = dict(rows)
    for _ in range(draw(st.integers(0, 4))):
        channel = int(rng.integers(count))
        if channel in changed and len(changed) > 1 and rng.random() < 0.4:
            del changed[channel]
        else:
            changed[channel] = row()
    mixes = [
        Mix(sorted(one), [one[c][0] for c in sorted(one)], [one[c][1] for c in sorted(one)], nan)
        for one in (rows, changed)
    ]
    return Case(cube, *mixes)


@given(cases())
def test_a_changed_mix_is_the_sum_of_all_channels(case: Case) -> None:
    old, new = case.old, case.new
    base = summed(old, case.cube).astype(np.float32)
    before = base.copy()
    changes = changes_between(old, new, 8)
    assert changes is not None
    assert {one.channel for one in changes} <= {*old.channels, *new.channels}
    read = [(one, case.cube[one.channel]) for one in changes]
    got = change_mix(base, read, absolute_weights(old), absolute_weights(new))
    np.testing.assert_array_equal(base, before)
    expected = summed(new, case.cube)
    if new.nan == "lo":  # nothing says that there was no other channel: it is shown as if there were
        expected[:, np.isnan(expected[0]) & ~np.isnan(base[0])] = 0
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-3)


def test_only_what_differs_is_a_change() -> None:
    channels = range(300)
    cuts, weights = np.tile([0.0, 10.0], (300, 1)), np.ones((300, 3))
    mix = Mix(channels, cuts, weights)
    assert changes_between(mix, Mix(channels, cuts, weights), 8) == ()
    other = cuts.copy()
    other[17, 1] = 20
    (change,) = changes_between(mix, Mix(channels, other, weights), 8) or ()
    assert (change.channel, change.low, change.old_low) == (17, 0, 0)
    assert change.factors == pytest.approx((0.05,) * 3)
    assert change.old_factors == pytest.approx((0.1,) * 3)
    assert changes_between(mix, Mix(channels, cuts * 2, weights), 8) is None
    assert changes_between(mix, Mix(range(9, 300), cuts[9:], weights[9:]), 8) is None
    fewer = changes_between(mix, Mix(range(8, 300), cuts[8:], weights[8:]), 8)
    assert fewer is not None
    assert [one.channel for one in fewer] == list(range(8))
    assert {one.weights for one in fewer} == {(-1.0, -1.0, -1.0)}
    assert changes_between(mix, Mix(channels, cuts, weights, "renormalise"), 8) is None


def test_the_cuts_of_a_channel_without_weights_are_no_change() -> None:
    old, new = (Mix((0, 1), ((0, 1), (0, high)), ((1, 1, 1), (0, 0, 0))) for high in (1, 2))
    assert changes_between(old, new, 8) == ()
