"""``/cubes/…/contours``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from ..service import Service, serving
from .conftest import Sky


def test_contours_of_neighbouring_tiles_meet(service: Service, cubes: Sky) -> None:
    height, ends = cubes.sky.shape[1], []
    for column in (0, 1):
        answer = service.ok(f"/cubes/sky.fits/contours/1/0/{column}.geojson?channel=0&levels=4,2")
        assert answer.headers["Content-Type"] == "application/geo+json"
        collection = json.loads(answer.body)
        assert [one["properties"]["value"] for one in collection["features"]] == [2.0, 4.0]
        edge = (256 + 0.5) * 2 + 0.5
        ends.append(
            {
                (feature["properties"]["value"], *point)
                for feature in collection["features"]
                for line in feature["geometry"]["coordinates"]
                for point in line
                if point[0] == edge
            }
        )
        for feature in collection["features"]:
            points = np.concatenate([np.array(line) for line in feature["geometry"]["coordinates"]])
            assert points.min() >= 1
            assert points[:, 1].max() <= height
            assert points[:, 1].min() >= height - 2 * 257
    assert ends[0] == ends[1]
    assert len(ends[0]) > 10


def test_levels_are_spread_between_the_cuts(service: Service) -> None:
    data = service.ok("/cubes/sky.fits/contours/3/0/0.geojson?channel=1&cuts=8,-4&count=3&smooth=3").body
    features = json.loads(data)["features"]
    assert [one["properties"]["value"] for one in features] == [-1.0, 2.0, 5.0]
    path = "/cubes/sky.fits/contours/3/0/0.geojson"
    data = service.ok(f"{path}?cuts=0,16&count=3&stretch=sqrt").body
    assert [one["properties"]["value"] for one in json.loads(data)["features"]] == [1.0, 4.0, 9.0]
    assert len(json.loads(service.ok(path).body)["features"]) == 5


def test_what_is_known_already_is_not_sent_again(service: Service) -> None:
    path = "/cubes/sky.fits/contours/2/0/0.geojson?levels=1"
    first = service.ok(path)
    assert first.headers["Cache-Control"] == "no-cache"
    etag = {"If-None-Match": first.headers["ETag"]}
    assert service.get(path, etag).status == 304
    others = ["levels=1.5", "levels=1&smooth=3", "levels=1&channel=1", "levels=1,2"]
    assert all(service.get(f"{path.partition('?')[0]}?{other}", etag).status == 200 for other in others)
    version = service.ok("/cubes/sky.fits").json["fingerprint"]
    assert "immutable" in service.ok(f"{path}&v={version}").headers["Cache-Control"]
    assert service.get(f"{path}&v=0123").status == 409


@pytest.mark.parametrize(
    ("place", "query", "parameter"),
    [
        ("0/0/0", "levels=1,nan", "levels"),
        ("0/0/0", "levels=", "levels"),
        ("0/0/0", "levels=" + ",".join(map(str, range(65))), "levels"),
        ("0/0/0", "levels=1&count=3", "count"),
        ("0/0/0", "count=65", "count"),
        ("0/0/0", "levels=1&smooth=4", "smooth"),
        ("0/0/0", "levels=1&smooth=17", "smooth"),
        ("0/0/0", "levels=1&mix=0:1,0,0", "mix"),
        ("0/9/0", "levels=1", "row"),
        ("9/0/0", "levels=1", "level"),
        ("0/0/0", "level=1", "level"),
    ],
)
def test_refusals(service: Service, place: str, query: str, parameter: str) -> None:
    response = service.get(f"/cubes/sky.fits/contours/{place}.geojson?{query}")
    assert (response.status, response.parameter) == (400, parameter)


def test_what_takes_too_much_reading_comes_from_the_store(service: Service, cubes: Sky, tmp_path: Path) -> None:
    path = "/cubes/sky.fits/contours/3/0/0.geojson?levels=1"
    with serving(cubes.folder, read_limit="300 kB", store=str(tmp_path)) as other:
        response = other.get(path)
        assert response.status == 503
        assert "being built" in response.message
        deadline = time.monotonic() + 60
        while response.status == 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            response = other.get(path)
    assert response.status == 200
    found, expected = (
        np.array([point for line in json.loads(body)["features"][0]["geometry"]["coordinates"] for point in line])
        for body in (response.body, service.ok(path).body)
    )
    # the store keeps fewer digits of a value than the source
    assert abs(len(found) - len(expected)) <= 0.02 * len(expected)
    nearest = np.abs(found[:, np.newaxis] - expected).max(axis=2).min(axis=1)
    assert np.quantile(nearest, 0.98) < 0.1


def test_too_much(cubes: Sky) -> None:
    with serving(cubes.folder, read_limit="300 kB", measure_limit=50, pyramid="memory") as service:
        response = service.get("/cubes/sky.fits/contours/3/0/0.geojson?levels=1")
        assert response.status == 413
        assert "read-limit" in response.message
        response = service.get("/cubes/sky.fits/contours/0/3/3.geojson?levels=1,2")
        assert response.status == 413
        assert "more than 50 points" in response.message
