"""Strips of colormaps: what galleries show, one by one or all at once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visiomatic_dask.rendering.colormaps import colormap_table

from ..service import Response, Service


def decoded(response: Response) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(response.body)).convert("RGB"))


def table(name: str) -> NDArray[np.uint8]:
    found = colormap_table(name)
    return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1) if found is None else found


def test_the_list(service: Service) -> None:
    answer = service.ok("/colormaps").json
    assert answer["colormaps"][:3] == ["grey", "jet", "cold"]
    assert [group["name"] for group in answer["groups"]][:2] == ["visiomatic", "sequential"]
    assert {name for group in answer["groups"] for name in group["colormaps"]} <= set(answer["colormaps"])


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("name", ["grey", "cmr.rainforest", "gist_stern_r", "tab10"])
def test_a_strip_has_the_colours_of_the_map(service: Service, name: str, suffix: str) -> None:
    response = service.ok(f"/colormaps/{name}.{suffix}")
    assert response.headers["Content-Type"] == f"image/{suffix}"
    picture = decoded(response)
    assert picture.shape == (16, 256, 3)
    for row in picture[[0, -1]]:
        np.testing.assert_array_equal(row, table(name))


def test_vertical_ones_begin_at_the_bottom(service: Service) -> None:
    picture = decoded(service.ok("/colormaps/viridis.png?vertical=true&width=3&height=256"))
    assert picture.shape == (256, 3, 3)
    np.testing.assert_array_equal(picture[::-1, 1], table("viridis"))
    picture = decoded(service.ok("/colormaps/viridis.png?invert=true&width=2"))
    np.testing.assert_array_equal(picture[0], table("viridis")[[255, 0]])


def test_all_of_them_in_one_picture(service: Service) -> None:
    names = service.ok("/colormaps").json["colormaps"]
    rows = service.ok("/colormaps").json["rows"]
    response = service.ok("/colormaps/all.png")
    assert len(response.body) < 500_000
    picture = decoded(response)
    assert picture.shape == (rows * len(names), 256, 3)
    for index in (0, 7, 200, len(names) - 1):
        for row in picture[rows * index : rows * (index + 1)]:
            np.testing.assert_array_equal(row, table(names[index]))


def test_they_are_kept_for_ever(service: Service) -> None:
    for path in ("/colormaps/magma.png", "/colormaps/all.webp"):
        first = service.ok(path)
        assert "immutable" in first.headers["Cache-Control"]
        again = service.get(path, {"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/colormaps/parula.png", 400, "colormap"),
        ("/colormaps/grey.png?width=0", 400, "width"),
        ("/colormaps/grey.png?height=2049", 400, "height"),
        ("/colormaps/grey.png?vertical=up", 400, "vertical"),
        ("/colormaps/grey.png?size=3", 400, "size"),
        ("/colormaps/all.png?width=3", 400, "width"),
        ("/colormaps/grey.gif", 404, None),
    ],
)
def test_what_cannot_be_asked(service: Service, path: str, status: int, parameter: str | None) -> None:
    response = service.get(path)
    assert response.status == status
    if parameter is not None:
        assert response.parameter == parameter
