"""Contours by tiles against contours of the whole plane."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import contourpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.analysis.contours import STEPS, contour_lines, smoothed
from visiomatic_dask.engine.contour_task import tile_contours
from visiomatic_dask.errors import TooLarge
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Collapse, Cut, Mono

Point = tuple[float, float]
Segments = set[frozenset[Point]]


def segments(lines: list[Any]) -> list[frozenset[Point]]:
    """Segments without a direction; those of no length are none."""
    points = [[tuple(point) for point in line] for line in lines]
    pairs = [frozenset((a, b)) for line in points for a, b in pairwise(line)]
    return [pair for pair in pairs if len(pair) == 2]


def plane_of(seed: int, rows: int, columns: int, kind: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    if kind == "noise":
        plane = rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-20, 20)
    elif kind == "steps":  # saddles, plateaus and pixels that equal the level
        plane = rng.integers(0, 4, (rows, columns)).astype(float)
    else:
        y, x = np.mgrid[:rows, :columns]
        plane = np.sin(x / 3.1 + seed % 7) * np.cos(y / 2.7)
    plane[rng.random((rows, columns)) < rng.choice([0, 0.05, 0.3])] = np.nan
    if seed % 5 == 0:
        plane[rng.integers(rows), rng.integers(columns)] = np.inf
    return plane.astype(np.float32)


def by_tiles(
    plane: NDArray[np.float32], size: int, level: float, smooth: int = 1, k: int = 0
) -> list[frozenset[Point]]:
    """Contours of all tiles of a plane, as served: FITS pixels, y up."""
    reader = FakeReader(plane[::-1])
    height, width = (-(-n >> k) for n in plane.shape)
    margin, found = smooth // 2, []
    for top in range(0, height, size):
        for left in range(0, width, size):
            tile = Box(top, left, min(top + size, height), min(left + size, width))
            box = Box(
                max(0, top - margin), max(0, left - margin),
                min(tile.bottom + 1 + margin, height), min(tile.right + 1 + margin, width),
            )  # fmt: skip
            data = tile_contours(reader, k, box, tile, Mono(0, Cut(0, 1)), [level], smooth, (k, plane.shape[0]), 10**6)
            (feature,) = json.loads(data)["features"]
            found += segments(feature["geometry"]["coordinates"])
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([4, 7, 16]),
    st.sampled_from(["noise", "steps", "waves"]),
    st.sampled_from([1, 3, 7]),
)
def test_tiles_add_up_to_the_whole_plane(seed: int, rows: int, columns: int, size: int, kind: str, smooth: int) -> None:
    plane = plane_of(seed, rows, columns, kind)
    finite = plane[np.isfinite(plane)]
    level = float(finite[seed % finite.size]) if finite.size and seed % 2 else 0.5
    tiles = by_tiles(plane, size, level, smooth)
    whole = by_tiles(plane, 64, level, smooth)
    assert sorted(map(sorted, tiles)) == sorted(map(sorted, whole))  # no segment missing, none twice, to the last bit


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(2, 30), st.sampled_from(["noise", "steps", "waves"]))
def test_points_are_contourpys(seed: int, rows: int, columns: int, kind: str) -> None:
    plane = plane_of(seed, rows, columns, kind)
    masked = np.ma.masked_invalid(plane.astype(np.float64))
    generator = contourpy.contour_generator(z=masked, name="serial", corner_mask=False)
    expected: list[Any] = [line for line in generator.lines(0.5) if len(line) > 1]
    rounded = [np.rint(STEPS * line) for line in expected]
    found = contour_lines(plane, 0.5)
    close = [np.concatenate(lines) if lines else np.empty((0, 2)) for lines in (rounded, found)]
    ours = {tuple(point) for point in close[1]}
    theirs = {tuple(point) for point in close[0]}
    near = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]  # both round, from values that differ by a last bit
    assert all(any((x + dx, y + dy) in ours for dx, dy in near) for x, y in theirs)
    assert all(any((x + dx, y + dy) in theirs for dx, dy in near) for x, y in ours)


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_a_gaussian_has_circles_about_its_fits_centre(k: int) -> None:
    centre, sigma = (101.25, 120.5), 24.0
    y, x = np.mgrid[1:201, 1:222]  # FITS pixels
    up = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    found = by_tiles(up[::-1].astype(np.float32), 16, 0.5, k=k)
    points = np.array([point for pair in found for point in pair])
    radii = np.hypot(*(points - centre).T)
    assert len(points) > 40
    # a chord through pixels of 2^k lies inside the circle, and the mean over a pixel is not the value at its centre
    assert np.abs(radii - sigma * np.sqrt(2 * np.log(2))).max() < 0.01 + 0.02 * 4**k


def test_a_box_of_pixels_is_averaged() -> None:
    plane = plane_of(3, 20, 30, "noise")
    plane[4, 5] = np.nan
    wide = smoothed(plane, 5)
    for row, column in [(0, 0), (4, 4), (10, 20), (19, 29)]:
        box = plane[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        if np.isfinite(plane[row, column]):
            assert wide[row, column] == pytest.approx(box[np.isfinite(box)].mean(dtype=float))
    assert (np.isnan(wide) == ~np.isfinite(plane)).all()


def test_a_range_of_channels_made_one() -> None:
    cube = np.stack([plane_of(seed, 30, 30, "waves") for seed in (1, 2, 3)])
    box = Box(0, 0, 30, 30)
    collapsed = tile_contours(
        FakeReader(cube), 0, box, box, Collapse(0, 3, "max", Cut(0, 1)), [0.3, 0.6], 1, (0, 30), 10**6
    )
    largest = FakeReader(np.fmax.reduce(cube)[np.newaxis])
    both = collapsed, tile_contours(largest, 0, box, box, Mono(0, Cut(0, 1)), [0.3, 0.6], 1, (0, 30), 10**6)
    assert both[0] == both[1]
    assert [one["properties"] for one in json.loads(both[0])["features"]] == [{"value": 0.3}, {"value": 0.6}]


def test_points_are_bounded() -> None:
    plane = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    box = Box(0, 0, 64, 64)
    with pytest.raises(TooLarge, match="more than 100 points"):
        tile_contours(FakeReader(plane), 0, box, box, Mono(0, Cut(0, 1)), [0.0], 1, (0, 64), 100)
