"""Hypothesis strategies for shapes, windows and pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from visiomatic_dask.cube import Window


def windows(shape: tuple[int, ...], *, most_step: int = 4) -> st.SearchStrategy[Window]:
    """Windows within a shape, empty ones among them, edges often."""

    def axis(size: int) -> st.SearchStrategy[tuple[int, int, int]]:
        bounds = st.tuples(st.integers(0, size), st.integers(0, size)).map(sorted)
        bounds = st.one_of(st.just([0, size]), bounds)
        return st.tuples(bounds, st.integers(1, most_step)).map(lambda one: (one[0][0], one[0][1], one[1]))

    return st.tuples(*map(axis, shape)).map(
        lambda axes: Window(tuple(a[0] for a in axes), tuple(a[1] for a in axes), tuple(a[2] for a in axes))
    )


def planes(*, most_side: int = 40) -> st.SearchStrategy[NDArray[np.float32]]:
    """Planes of float32 with NaN and infinities: values of a scale at which float64 sums are exact to 1e-6."""
    values = st.one_of(
        st.sampled_from([0.0, float("nan"), float("inf"), float("-inf")]),
        st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
    )
    sides = st.one_of(st.integers(1, 3), st.integers(1, most_side))
    return st.tuples(sides, sides).flatmap(
        lambda shape: hnp.arrays(np.float32, shape, elements=values, fill=st.floats(-10, 10, width=32))
    )


def block_means(plane: NDArray[Any], level: int) -> NDArray[np.float64]:
    """Oracle of level `level` of a plane in raster orientation: float64 `nanmean` over every block, one by one."""
    side = 1 << level
    rows, columns = -(-plane.shape[0] // side), -(-plane.shape[1] // side)
    means = np.full((rows, columns), np.nan)
    for i in range(rows):
        for j in range(columns):
            block = plane[i * side : (i + 1) * side, j * side : (j + 1) * side].astype(np.float64)
            finite = block[np.isfinite(block)]
            if finite.size:
                means[i, j] = finite.mean()
    return means
