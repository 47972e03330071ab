"""Pieces: level k, made of the stored float32 and counts of the level below, is the nanmean of level 0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.fake_reader import FakeReader
from tests.contracts.strategies import planes
from visiomatic_dask.cube import Reader
from visiomatic_dask.cube.wcs_levels import binned
from visiomatic_dask.pyramid import Box, level_size, loading
from visiomatic_dask.pyramid.store import piece_rebinning, shards
from visiomatic_dask.pyramid.store.halving import halve_source, halve_stored
from visiomatic_dask.pyramid.store.histogram import bin_edges
from visiomatic_dask.pyramid.store.piece_rebinning import Rebinned, rebin_source, rebin_stored, warm_up
from visiomatic_dask.pyramid.store.pyramid import Piece
from visiomatic_dask.pyramid.store.shards import PyramidPlan, Shard
from visiomatic_dask.pyramid.store.statistics import Bins, RegionStatistics, merged

BINS = Bins(3.0, 7.0)


@dataclass
class Built:
    """Levels of a pyramid in memory, and the statistics of every shard."""

    plan: PyramidPlan
    pixels: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    missing: dict[int, NDArray[np.uint32]] = field(default_factory=dict)
    statistics: list[RegionStatistics] = field(default_factory=list)
    read: int = 0
    counted: bool = False

    def put(self, shard: Shard, made: Rebinned, piece: Piece) -> None:
        box = self.plan.box(shard)
        place = np.s_[piece.first : piece.last, box.top : box.bottom, box.left : box.right]
        self.pixels[shard.level][place] = made.pixels
        if made.missing is not None:
            self.counted = True
            self.missing[shard.level][place] = made.missing
        self.statistics.extend(made.statistics)
        self.read += made.read

    def read_pixels(self, level: int, planes: tuple[int, int], box: Box) -> NDArray[np.float32]:
        return self.pixels[level][slice(*planes), box.top : box.bottom, box.left : box.right]

    def read_missing(self, level: int, planes: tuple[int, int], box: Box) -> NDArray[np.uint32] | None:
        found = self.missing[level][slice(*planes), box.top : box.bottom, box.left : box.right]
        return found if found.any() else None

    def whole(self, level: int, plane: int) -> RegionStatistics:
        return merged(one for one in self.statistics if (one.level, one.plane) == (level, plane))


def pieces(plan: PyramidPlan, level: int, most: int = 1 << 30) -> Iterator[Piece]:
    """Pieces of a level: all planes of a shard, or at most so many."""
    for shard in plan.shards(level):
        start, stop = plan.planes(shard)
        for first in range(start, stop, most):
            yield Piece(shard, first, min(first + most, stop))


def build(reader: Reader, tile: int = 1, mantissa: int = 23, most: int = 1 << 30, bins: Bins = BINS) -> Built:
    plan = PyramidPlan.of(reader, tile)
    built = Built(plan)
    for grid in plan.levels:
        level, below = grid.level, grid.level - 1
        shape = plan.count, grid.height, grid.width
        built.pixels[level] = np.full(shape, 7e7, np.float32)
        built.missing[level] = np.zeros(shape, np.uint32)
        for piece in pieces(plan, level, most):
            made = (
                rebin_stored(
                    plan,
                    bins,
                    piece,
                    lambda planes, box, below=below: built.read_pixels(below, planes, box),  # type: ignore[misc]
                    lambda planes, box, below=below: built.read_missing(below, planes, box),  # type: ignore[misc]
                    mantissa,
                )
                if below
                else rebin_source(plan, bins, reader, piece, mantissa)
            )
            built.put(piece.shard, made, piece)
    return built


def raster(reader: Reader, array: NDArray[Any]) -> NDArray[np.float64]:
    """All planes of level 0 in raster orientation, as float32 sees them, what is not finite as NaN."""
    with np.errstate(over="ignore"):
        flat = array.reshape(-1, *reader.shape[-2:])[:, ::-1].astype(np.float32).astype(np.float64)
    return np.where(np.isfinite(flat), flat, np.nan)


def blocks(flat: NDArray[np.float64], level: int) -> NDArray[np.float64]:
    """Pixels of every block of a level along the last axis, NaN where it reaches beyond the edge."""
    side, (count, height, width) = 1 << level, flat.shape
    rows, columns = level_size(height, level), level_size(width, level)
    padded = np.full((count, rows * side, columns * side), np.nan)
    padded[:, :height, :width] = flat
    return padded.reshape(count, rows, side, columns, side).swapaxes(2, 3).reshape(count, rows, columns, -1)


def check_levels(built: Built, flat: NDArray[np.float64]) -> None:
    height, width = flat.shape[-2:]
    inside = np.ones((1, height, width))
    for level, pixels in built.pixels.items():
        assert pixels.shape[-2:] == (math.ceil(height / 2**level), math.ceil(width / 2**level))
        members = blocks(flat, level)
        finite = np.isfinite(members)
        count = finite.sum(axis=-1)
        with np.errstate(invalid="ignore"):
            wanted = np.where(finite, members, 0).sum(axis=-1) / count
        area = np.isfinite(blocks(np.where(inside, 0.0, np.nan), level)).sum(axis=-1)
        np.testing.assert_array_equal(built.missing[level], area - count)
        largest = np.where(finite, np.abs(members), 0).max(axis=-1).astype(np.float32)
        np.testing.assert_array_equal(np.isnan(pixels), count == 0)
        away = np.abs(pixels - wanted)[count > 0]
        assert np.all(away <= (level * np.spacing(largest))[count > 0])


def check_statistics(built: Built, flat: NDArray[np.float64], every: int = 1) -> None:
    counted = flat[:, ::every]
    for level in range(len(built.pixels) + 1 if built.pixels else 0):
        for plane in range(built.plan.count):
            values = flat[plane] if level == 0 else built.pixels[level][plane].astype(np.float64)
            check_plane(built.whole(level, plane), values, counted[plane] if level == 0 else values)


def check_plane(found: RegionStatistics, values: NDArray[np.float64], counted: NDArray[np.float64]) -> None:
    finite = values[np.isfinite(values)]
    assert (found.pixels, found.finite) == (values.size, finite.size)
    in_bins, _ = np.histogram(counted[np.isfinite(counted)], bin_edges(BINS))
    assert sum(found.histogram) == np.isfinite(counted).sum()
    # A value may be taken for one beyond an edge if rounding to float32 puts it there.
    assert np.abs(np.cumsum(found.histogram) - np.cumsum(in_bins)).max() <= 0.02 * finite.size + 1
    if not finite.size:
        assert math.isnan(found.minimum)
        assert math.isnan(found.mean)
        assert math.isnan(found.rms)
        return
    largest = np.abs(finite).max()
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    assert found.mean == pytest.approx(finite.mean(), rel=1e-12, abs=1e-12 * largest)
    assert found.squares == pytest.approx(((finite - finite.mean()) ** 2).sum(), rel=1e-9, abs=1e-20 * largest**2)
    assert found.rms == pytest.approx(np.sqrt((finite**2).mean()), rel=1e-12)


@contextmanager
def small_pieces(band: int = 2000) -> Iterator[None]:
    """Cut into shards of a few hundred pixels, chunks of 8, and bands of so many bytes; count all rows or a third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_PIXELS", 300)
        patch.setattr(shards, "CHUNK", 8)
        patch.setattr(loading, "_BAND", band)
        patch.setattr(loading, "_CHUNK_BAND", band)
        patch.setattr(piece_rebinning, "_BAND", band)
        patch.setattr(piece_rebinning, "_ALL_COUNTED", 2500)
        yield


BANDS = st.sampled_from([1, 300, 2000, 2**23])


@given(planes(), BANDS)
def test_every_level_is_the_nanmean_of_level_0(plane: NDArray[np.float32], band: int) -> None:
    """Any values, NaN and infinities among them; odd sizes, 1 x 1."""
    reader = FakeReader(plane)
    with small_pieces(band):
        built = build(reader)
        flat = raster(reader, plane)
        check_levels(built, flat)
        check_statistics(built, flat, piece_rebinning.counted_rows(built.plan))


@settings(max_examples=150)
@given(chunked_fakes(), BANDS, st.integers(1, 4), st.integers(1, 5))
def test_cubes_in_chunks_of_any_shape(fake: ChunkedFake, band: int, most: int, tile: int) -> None:
    """Deep chunks, and wide ones, that start at either end; pieces of some planes of a shard."""
    with small_pieces(band):
        built = build(fake, tile, most=most)
        flat = raster(fake, fake.array)
        check_levels(built, flat)
        check_statistics(built, flat, piece_rebinning.counted_rows(built.plan))


@settings(max_examples=150)
@given(chunked_fakes(), BANDS, st.integers(1, 4), st.sampled_from([23, 9]))
def test_bands_and_pieces_do_not_matter(fake: ChunkedFake, band: int, most: int, mantissa: int) -> None:
    """To the last bit, statistics too: what is built plane by plane, and at once."""
    scaled = ChunkedFake(fake.array / np.float32(7), fake.chunks, fake.first_chunk_rows)
    with small_pieces(band):
        one = build(scaled, mantissa=mantissa, most=most)
    with small_pieces(2**23):
        other = build(scaled, mantissa=mantissa)
    for level, pixels in one.pixels.items():
        np.testing.assert_array_equal(pixels.view(np.uint32), other.pixels[level].view(np.uint32))
        np.testing.assert_array_equal(one.missing[level], other.missing[level])
        for plane in range(one.plan.count):
            assert str(one.whole(level, plane)) == str(other.whole(level, plane))  # NaN is not equal to NaN
            assert str(one.whole(0, plane)) == str(other.whole(0, plane))


@settings(max_examples=150)
@given(chunked_fakes(), BANDS)
def test_every_chunk_is_decoded_once_if_it_lies_in_one_shard(fake: ChunkedFake, band: int) -> None:
    with small_pieces(band), pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_PIXELS", 2**20)
        built = build(fake, tile=max(max(fake.shape[-2:]) // 2, 1))
    if built.plan.levels:
        assert built.read == fake.array.nbytes
        if built.plan.images == 1:
            assert fake.most_often == 1
            assert fake.bytes_decoded == fake.array.nbytes


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 3), BANDS)
def test_every_byte_is_read_once(height: int, width: int, count: int, band: int) -> None:
    """In whatever shards; and no window holds more than a band, or a row."""
    reader = FakeReader(np.ones((count, height, width), np.float32))
    with small_pieces(band):
        built = build(reader, tile=max(height, width) // 2 + 1)
    seen = np.zeros(reader.shape, int)
    for window in reader.windows:
        seen[window.slices] += 1
        assert window.size * 4 <= max(band, 4 * width)
    assert np.all(seen == (1 if built.plan.levels else 0))
    assert built.read == seen.sum() * 4


@pytest.mark.parametrize(("height", "width"), [(1, 5000), (5000, 1), (1, 1), (2, 2), (4999, 3), (2311, 1733)])
@pytest.mark.parametrize("broken", [0, 1e-4, 0.3])
def test_large_and_narrow(height: int, width: int, broken: float) -> None:
    """Strips and bands as they are used, with none, few and many pixels that are not finite."""
    random = np.random.default_rng(height)
    plane = random.normal(100, 20, (height, width)).astype(np.float32)
    plane[random.random(plane.shape) < broken] = np.nan
    plane[: height // 3][random.random((height // 3, width)) < broken] = -np.inf
    reader = FakeReader(plane)
    built = build(reader, tile=100 if max(height, width) > 100 else 1)
    flat = raster(reader, plane)
    check_levels(built, flat)
    check_statistics(built, flat, piece_rebinning.counted_rows(built.plan))
    assert built.counted == (not np.isfinite(plane).all() and len(built.pixels) > 0)


def test_blank_corners_of_a_mosaic() -> None:
    """Whole columns, and whole shards, without a finite pixel."""
    plane = np.random.default_rng(1).normal(5, 2, (300, 2200)).astype(np.float32)
    plane[:, :700] = np.nan
    plane[:150, 2100:] = np.nan
    reader = FakeReader(plane)
    built = build(reader, tile=16)
    check_levels(built, raster(reader, plane))
    check_statistics(built, raster(reader, plane))


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f8"])
def test_other_dtypes(dtype: str) -> None:
    """Levels are those of the source as float32; float64 beyond its range is not finite."""
    cube = np.random.default_rng(2).integers(0, 100, (2, 33, 47)).astype(dtype)
    if dtype == "f8":
        cube[0, 3, :5] = 1e300
        cube[1, :, 11] = -1e39
    reader = FakeReader(cube)
    built = build(reader)
    check_levels(built, raster(reader, cube))
    check_statistics(built, raster(reader, cube))
    assert built.counted == (dtype == "f8")


@given(planes(), st.integers(7, 22))
def test_rounded_pixels(plane: NDArray[np.float32], mantissa: int) -> None:
    """Fewer bits: an error of half a unit in the last that is kept, at each level; statistics are those of the rest."""
    reader = FakeReader(plane)
    with small_pieces():
        built, exact = build(reader, mantissa=mantissa), build(reader)
        check_statistics(built, raster(reader, plane), piece_rebinning.counted_rows(built.plan))
    for level, pixels in built.pixels.items():
        assert not np.any(pixels.view(np.uint32) & ((1 << (23 - mantissa)) - 1) & -np.isfinite(pixels).astype(np.int64))
        np.testing.assert_array_equal(built.missing[level], exact.missing[level])
        scale = np.nanmax(np.abs(np.where(np.isfinite(plane), plane, 0)), initial=0)
        away = np.abs(pixels.astype(np.float64) - exact.pixels[level])
        assert np.nanmax(away, initial=0) <= level * scale * 2.0 ** -(mantissa + 1) * 1.001 + 1e-40


def test_a_gaussian_stays_where_it_is() -> None:
    """Its center of mass, in level-0 pixels and by the WCS of each level, moves by less than a hundredth of a pixel."""
    height, width, x0, y0, sigma = 1003, 1201, 611.3, 498.7, 80.0
    y, x = np.mgrid[0:height, 0:width]
    plane = (1000 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))).astype(np.float32)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [40.0, -30.0], [400.0, 700.0]
    wcs.wcs.cdelt = [-1e-4, 1e-4]
    built = build(FakeReader(plane), tile=32)
    assert len(built.pixels) == 6
    for level, (pixels,) in built.pixels.items():
        high, wide = (np.array([len(one) for one in centers(size, level)]) for size in (height, width))
        mass = pixels.astype(np.float64) * high[:, np.newaxis] * wide
        row = (mass.sum(axis=1) * np.arange(len(high))).sum() / mass.sum()
        column = (mass.sum(axis=0) * np.arange(len(wide))).sum() / mass.sum()
        # FITS counts rows from the bottom.
        there = binned(wcs, (0, 1), level, height).wcs_pix2world(column, len(high) - 1 - row, 0)
        np.testing.assert_allclose(wcs.wcs_world2pix(*there, 0), [x0, y0], atol=0.01)


def centers(size: int, level: int) -> list[range]:
    """Level-0 pixels of every block along an axis, counted from where levels are aligned."""
    return [range(start, min(start + (1 << level), size)) for start in range(0, size, 1 << level)]


def test_ramps_give_the_coordinates() -> None:
    """An image whose values are the coordinates of its pixels: a block's mean is where its center is, at edges too."""
    height, width = 77, 131
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for image, axis, size in ((x, 1, width), (height - 1 - y, 0, height)):
        for level, (pixels,) in build(FakeReader(image)).pixels.items():
            wanted = np.array([np.mean(one) for one in centers(size, level)])
            shape = (-1, 1) if axis == 0 else (1, -1)
            np.testing.assert_allclose(pixels, np.broadcast_to(wanted.reshape(shape), pixels.shape), rtol=1e-6)


def test_no_build_waits_for_the_compiler() -> None:
    """What is compiled when a worker starts is what builds run."""
    warm_up()
    build(ChunkedFake(np.ones((3, 30, 40), np.int16), (3, 7, 9)))
    build(FakeReader(np.full((30, 40), np.nan, np.float32)), mantissa=10)
    assert len(halve_source.signatures) == len(halve_stored.signatures) == 1
