"""Statistics of planes come back as they were written, whoever reads them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.pyramid.store.pyramids import SPECTRAL, new_pyramid, sparse_cube
from visiomatic_dask.errors import PyramidGone, StoreError
from visiomatic_dask.pyramid.store.arrays import read_statistics, write_statistics
from visiomatic_dask.pyramid.store.histogram import BINS
from visiomatic_dask.pyramid.store.plane_statistics import FIELDS, read_total
from visiomatic_dask.pyramid.store.pyramid import Pyramid
from visiomatic_dask.pyramid.store.statistics import RegionStatistics


@pytest.fixture
def pyramid(tmp_path: Path) -> Pyramid:
    return new_pyramid(str(tmp_path / "store"), sparse_cube(tmp_path / "a.fits", (600, 300, 600), SPECTRAL))


def made_up(level: int, plane: int) -> RegionStatistics:
    rng = np.random.default_rng((level, plane))
    histogram = rng.integers(0, 2**40, BINS)
    minimum, maximum, mean, squares = rng.normal(size=4).tolist()
    return RegionStatistics(
        level, plane, 2**50 + 1, int(histogram.sum()), minimum, maximum, mean, abs(squares), tuple(histogram.tolist())
    )


def test_they_come_back(pyramid: Pyramid) -> None:
    assert read_statistics(pyramid, 0, (250, 260)) == [None] * 10
    written = [made_up(level, plane) for plane in (0, 255, 256, 599) for level in (0, 1, 2)]
    write_statistics(pyramid, written[:5])
    write_statistics(pyramid, written[5:])
    for level in (0, 1, 2):
        found = read_statistics(pyramid, level)
        assert len(found) == 600
        assert [one for one in found if one is not None] == [one for one in written if one.level == level]
        assert read_statistics(pyramid, level, (255, 258)) == [made_up(level, 255), made_up(level, 256), None]
    assert len(list(Path(pyramid.address, "statistics").rglob("c/0/*/0"))) == 6
    write_statistics(pyramid, [made_up(1, 7)])
    assert read_statistics(pyramid, 1, (0, 1)) == [made_up(1, 0)]


def test_planes_together(pyramid: Pyramid) -> None:
    """The sum of all, over chunks of planes; nothing, where one is missing."""
    written = [made_up(0, plane) for plane in range(600)]
    write_statistics(pyramid, written[:599])
    assert read_total(pyramid, 0) is None
    assert read_total(pyramid, 1, (0, 1)) is None
    for first, last in ((0, 599), (250, 260), (256, 257), (511, 599)):
        total = read_total(pyramid, 0, (first, last))
        assert total is not None
        some = written[first:last]
        assert total.minimum == min(one.minimum for one in some)
        assert total.maximum == max(one.maximum for one in some)
        np.testing.assert_array_equal(total.histogram, np.sum([one.histogram for one in some], axis=0))
    write_statistics(pyramid, [RegionStatistics(0, 599, 100, 0, math.nan, math.nan, math.nan, 0.0, (0,) * BINS)])
    total, empty = read_total(pyramid, 0), read_total(pyramid, 0, (599, 600))
    assert total is not None
    assert total.minimum == min(one.minimum for one in written[:599])
    assert empty is not None
    assert math.isnan(empty.minimum)


def test_planes_without_a_finite_pixel(pyramid: Pyramid) -> None:
    nothing = RegionStatistics(0, 3, 100, 0, math.nan, math.nan, math.nan, 0.0, (0,) * BINS)
    write_statistics(pyramid, [nothing])
    (found,) = read_statistics(pyramid, 0, (3, 4))
    assert found is not None
    assert (found.pixels, found.finite, found.histogram) == (100, 0, (0,) * BINS)
    assert math.isnan(found.minimum)
    assert math.isnan(found.rms)


def test_as_zarr_reads_them(pyramid: Pyramid) -> None:
    one = made_up(2, 300)
    write_statistics(pyramid, [one])
    group = zarr.open_group(pyramid.address, mode="r")
    fields, histogram = group["statistics/fields"], group["statistics/histogram"]
    assert fields.attrs["fields"] == list(FIELDS)
    assert isinstance(fields, zarr.Array)
    assert isinstance(histogram, zarr.Array)
    assert np.asarray(fields[2, 300]).tolist() == [getattr(one, name) for name in FIELDS]
    assert np.asarray(histogram[2, 300]).tolist() == list(one.histogram)
    assert np.isnan(np.asarray(fields[2, 301])).all()


def test_gone_or_damaged(pyramid: Pyramid, tmp_path: Path) -> None:
    write_statistics(pyramid, [made_up(0, 0)])
    Path(pyramid.address, "statistics/fields/c/0/0/0").write_bytes(b"damaged")
    with pytest.raises(StoreError, match="its statistics are damaged"):
        read_statistics(pyramid, 0)
    Path(pyramid.address).rename(tmp_path / "evicted")
    with pytest.raises(PyramidGone):
        write_statistics(pyramid, [made_up(0, 0)])
    assert not Path(pyramid.address).exists()
