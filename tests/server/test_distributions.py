"""Cuts and histograms: from a sample first, and from all values once they are in the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.engine.stored_histogram import stored_histogram
from visiomatic_dask.pyramid.store.layout import pyramid_address
from visiomatic_dask.readers import open_cube

from ..service import Service, serving
from .conftest import Sky

CUTS = "/cubes/sky.fits/cuts"
HISTOGRAM = "/cubes/sky.fits/histogram"
SAMPLED: dict[str, Any] = {"sample_limit": "256 kB"}
"""By which a plane of 4 MB is sampled in part."""


def finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.sort(values[np.isfinite(values)].astype(np.float64), axis=None)


def exact(service: Service, path: str) -> Any:
    """Ask until all values have been counted."""
    end = time.monotonic() + 60
    while (answer := service.ok(path).json)["source"] != "exact":
        assert answer["source"] == "sample"
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


@pytest.fixture(scope="module")
def stored(cubes: Sky, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that puts all of what is looked at into its store."""
    store = tmp_path_factory.mktemp("store")
    path = cubes.folder / "sky.fits"
    with serving(path, store=str(store), exact_read="64 kB", pyramid="ahead", tile_threads=1, **SAMPLED) as service:
        service.ok("/cubes/sky.fits")
        exact(service, f"{CUTS}?scope=cube")
        yield service


def test_percentiles_of_all_values(stored: Service, cubes: Sky) -> None:
    """Right to the width of a bin: an eighth of the distance from the median, and a 64th of the noise at least."""
    for query, values in (("channel=1", finite(cubes.sky[1])), ("scope=cube", finite(cubes.sky))):
        median = np.median(values)
        noise = 1.4826 * np.median(np.abs(values - median))
        for method, shares in (("99.5", (0.25, 99.75)), ("1-98", (1, 98)), ("50", (25, 75))):
            answer = exact(stored, f"{CUTS}?{query}&method={method}")
            for found, true in zip(answer["cuts"], np.percentile(values, shares), strict=True):
                # every fourth row is counted, of which a rank may be off by a thousandth or so
                assert abs(found - true) <= max(abs(true - median) / 8, noise / 8) + 0.02 * noise, method


def test_minmax_of_all_values_is_exact(stored: Service, cubes: Sky) -> None:
    for query, values in (("channel=0", cubes.sky[0]), ("channel=2", cubes.sky[2]), ("scope=cube", cubes.sky)):
        answer = exact(stored, f"{CUTS}?{query}&method=minmax")
        assert answer == {
            "cuts": [float(np.nanmin(values)), float(np.nanmax(values))],
            "method": "minmax",
            "source": "exact",
        }


def test_other_methods_of_all_values(stored: Service, service: Service) -> None:
    """As those of a sample of everything, to what bins and a smaller sample do."""
    for method in ("mad", "zscale", "histogram"):
        low, high = exact(stored, f"{CUTS}?channel=1&method={method}")["cuts"]
        sampled = service.ok(f"{CUTS}?channel=1&method={method}").json
        assert sampled["source"] == "sample"
        assert (low, high) == pytest.approx(sampled["cuts"], abs=4), method


def test_default_cuts_stay_those_of_the_sample(stored: Service, cubes: Sky) -> None:
    with serving(cubes.folder / "sky.fits", pyramid="memory", **SAMPLED) as service:
        for one in ("cuts", "background"):
            assert service.ok("/cubes/sky.fits").json[one] == stored.ok("/cubes/sky.fits").json[one]
        tile = "/cubes/sky.fits/tiles/0/0/0.png?channel=1"
        assert service.ok(tile).headers["ETag"] == stored.ok(tile).headers["ETag"]
        assert service.ok(f"{CUTS}?method=90").json["source"] == "sample"


def test_the_histogram_of_all_values(stored: Service, cubes: Sky) -> None:
    for query, values in (("channel=1", finite(cubes.sky[1])), ("scope=cube", finite(cubes.sky))):
        answer = exact(stored, f"{HISTOGRAM}?{query}&bins=32&range=minmax")
        edges, counts = np.array(answer["edges"]), np.array(answer["counts"])
        assert (edges[0], edges[-1]) == (values[0], values[-1]) == (answer["minimum"], answer["maximum"])
        assert counts.sum() == pytest.approx(answer["total"])
        assert (answer["below"], answer["above"]) == (0, 0)
        true, _ = np.histogram(values, edges)
        # the counted share of the rows, in bins that are divided evenly
        assert np.abs(counts / counts.sum() - true / true.sum()).sum() < 0.06
        assert answer["background"]["mad"] == pytest.approx(np.median(np.abs(values - np.median(values))), rel=0.1)


def test_a_histogram_of_a_part(stored: Service) -> None:
    whole = exact(stored, f"{HISTOGRAM}?channel=0&range=minmax")
    part = exact(stored, f"{HISTOGRAM}?channel=0&range=0,5&bins=100")
    assert len(part["counts"]) == 100
    assert (part["edges"][0], part["edges"][-1]) == (0, 5)
    assert part["below"] + part["above"] + sum(part["counts"]) == pytest.approx(whole["total"])
    central = exact(stored, f"{HISTOGRAM}?channel=0")
    assert len(central["counts"]) == 256
    assert central["below"] == pytest.approx(0.001 * whole["total"], rel=0.01)
    assert central["above"] == pytest.approx(0.001 * whole["total"], rel=0.01)


def test_a_sampled_histogram(service: Service, cubes: Sky) -> None:
    values = finite(cubes.sky[2])
    answer = service.ok(f"{HISTOGRAM}?channel=2&bins=64").json
    assert answer["source"] == "sample"
    true, _ = np.histogram(values, answer["edges"])
    share = np.array(answer["counts"]) / answer["total"]
    assert np.abs(share - true / values.size).sum() < 0.05
    pooled = service.ok(f"{HISTOGRAM}?scope=cube&range=minmax").json
    values = finite(cubes.sky)
    assert values[0] <= pooled["minimum"] < np.percentile(values, 0.1)
    assert pooled["background"]["level"] == pytest.approx(np.median(values), abs=2)


def test_what_the_source_has_written_down(service: Service, cubes: Sky) -> None:
    cuts = service.ok("/cubes/sub/four.fits/cuts?scope=cube&method=minmax").json
    assert cuts["cuts"] == pytest.approx([cubes.four.min(), cubes.four.max()], rel=1e-6)
    assert cuts["source"] == "sample"  # a FITS file has nothing


def test_a_plane_without_values(tmp_path: Path) -> None:
    pixels = np.full((2, 40, 50), np.nan, np.float32)
    pixels[1] = 3
    fits.writeto(tmp_path / "holes.fits", pixels)
    with serving(tmp_path) as service:
        empty = service.ok("/cubes/holes.fits/histogram?channel=0").json
        assert (empty["total"], empty["minimum"], empty["background"]) == (0, None, None)
        constant = service.ok("/cubes/holes.fits/histogram?channel=1&bins=16").json
        assert constant["edges"][0] < 3 < constant["edges"][-1]
        assert sum(constant["counts"]) == constant["total"] == 2000
        assert service.ok("/cubes/holes.fits/cuts?channel=1&method=histogram").json["cuts"] == [3, 4]


def test_damaged_statistics_are_not_used(cubes: Sky, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"store": str(tmp_path), "exact_read": "64 kB", "tile_threads": 1}
    with serving(cubes.folder / "sky.fits", pyramid="ahead", **settings) as service:
        service.ok("/cubes/sky.fits")
        assert exact(service, f"{CUTS}?method=minmax")["cuts"]
    (fields,) = tmp_path.glob("*.zarr/statistics/fields/c/0/0/0")
    fields.write_bytes(b"no statistics" * 20)
    with serving(cubes.folder / "sky.fits", **settings) as service:
        answer = service.ok(f"{CUTS}?method=minmax").json
        assert answer["source"] == "sample"
        assert answer["cuts"] == [float(np.nanmin(cubes.sky[0])), float(np.nanmax(cubes.sky[0]))]


def test_nothing_is_known_of_a_pyramid_that_is_not_there(cubes: Sky, tmp_path: Path) -> None:
    cube = open_cube(cubes.folder / "sky.fits")
    address = pyramid_address(str(tmp_path), cube, cube.layer(), 256, 23)
    assert stored_histogram(address, cube.layer(), None) is None


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{CUTS}?scope=galaxy", "scope"),
        (f"{CUTS}?scope=cube&channel=1", "channel"),
        (f"{CUTS}?method=99-1", "method"),
        (f"{HISTOGRAM}?bins=15", "bins"),
        (f"{HISTOGRAM}?bins=1025", "bins"),
        (f"{HISTOGRAM}?range=5,5", "range"),
        (f"{HISTOGRAM}?range=1,inf", "range"),
        (f"{HISTOGRAM}?range=-1e308,1e308", "range"),
        (f"{HISTOGRAM}?range=1", "range"),
        (f"{HISTOGRAM}?method=mad", "method"),
    ],
)
def test_what_cannot_be_asked(service: Service, path: str, parameter: str) -> None:
    response = service.get(path)
    assert response.status == 400
    assert response.parameter == parameter
