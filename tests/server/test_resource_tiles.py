"""``/cubes/…/tiles``: pixels, headers, and what is said of keys that mean nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .. import reference
from ..service import Service, serving
from .conftest import Sky

CUTS = [(-12.0, 20.0), (-12.0, 20.0), (-10.0, 25.0)]
TABLE = 1
"""What the transfer table may err by."""


@pytest.mark.parametrize("level", range(4))
def test_png_is_the_crop_of_the_reference(service: Service, cubes: Sky, level: int) -> None:
    whole = reference.mono(reference.level_of(cubes.sky[1], level), -12, 20)
    for row in range(-(-whole.shape[0] // 256)):
        for column in range(-(-whole.shape[1] // 256)):
            path = f"/cubes/sky.fits/tiles/{level}/{row}/{column}.png?channel=1&cuts=-12,20"
            response = service.ok(path)
            assert response.headers["Content-Type"] == "image/png"
            reference.assert_close(response.body, reference.tile_of(whole, row, column), TABLE)


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ("", {}),
        ("&brightness=20&contrast=2", {"brightness": 20, "contrast": 2}),
        ("&gamma=1", {"gamma": 1}),
        ("&gamma=5&invert=true", {"gamma": 5, "invert": True}),
        ("&gamma=0.2&invert=0", {"gamma": 0.2}),
        ("&quality=0", {}),
    ],
)
def test_rendering_keys(service: Service, cubes: Sky, keys: str, options: dict[str, Any]) -> None:
    expected = reference.mono(reference.level_of(cubes.sky[0], 3), -3, 8, **options)
    data = service.ok(f"/cubes/sky.fits/tiles/3/0/0.png?cuts=-3,8{keys}").body
    reference.assert_close(data, expected, TABLE)


@pytest.mark.parametrize("name", ["viridis", "gist_heat", "RdBu_r", "hot"])
def test_colormaps_are_matplotlibs(service: Service, cubes: Sky, name: str) -> None:
    from matplotlib import colormaps

    grey = reference.mono(reference.level_of(cubes.sky[0], 3), -3, 8)
    data = reference.decoded(service.ok(f"/cubes/sky.fits/tiles/3/0/0.png?cuts=-3,8&bad=lo&colormap={name}").body)
    colours = [np.rint(255 * colormaps[name](np.clip(grey + d, 0, 255))[:, :, :3]) for d in (-1, 0, 1)]
    nearest = np.min([np.abs(data - one).max(axis=2) for one in colours], axis=0)
    assert nearest.max() <= 2  # the table may err by one grey, and tables of colours are rounded


@pytest.mark.parametrize("brightness", [0, 25])
def test_mix_has_the_weights_as_given(service: Service, cubes: Sky, brightness: int) -> None:
    planes = [reference.level_of(plane, 1)[256:512, :256] for plane in cubes.sky[[0, 2]]]
    weights = [[1, 0.5, -0.25], [-0.5, 0.25, 1]]
    expected = reference.mix(planes, [CUTS[0], CUTS[2]], weights, 1.5, brightness)
    query = f"mix=2:-0.5,0.25,1&mix=0:1,0.5,-0.25&cuts=0:-12,20&cuts=2:-10,25&contrast=1.5&brightness={brightness}"
    reference.assert_close(service.ok(f"/cubes/sky.fits/tiles/1/1/0.png?{query}").body, expected, TABLE)


def test_both_apis_give_the_same_bytes(service: Service) -> None:
    other = service.ok("/api?FIF=sky.fits&CHAN=2&MINMAX=2:0,9&GAM=1.5&QLT=70&JTL=2,1").body
    assert service.ok("/cubes/sky.fits/tiles/1/0/1.jpg?channel=1&cuts=0,9&gamma=1.5&quality=70").body == other
    assert service.ok("/cubes/sky.fits/tiles/1/0/1.jpeg?channel=1&cuts=1:0,9&gamma=1.5&quality=70").body == other


def test_layers(service: Service) -> None:
    first = reference.decoded(service.ok("/cubes/layers.fits/tiles/0/0/0.png?cuts=0,5999&gamma=1").body)
    assert first.shape == (60, 100)
    assert first[0, 0] > 200  # y is up in the file
    path = "/cubes/layers.fits/tiles/0/0/0.png?layer=DQ&cuts=0,14&gamma=1"
    assert set(reference.decoded(service.ok(path).body).flat) <= {127, 128}
    response = service.get("/cubes/layers.fits/tiles/0/0/0.png?layer=NO")
    assert (response.status, response.parameter) == (400, "layer")
    assert "SCI, DQ" in response.message


def test_etag_and_fingerprint(service: Service) -> None:
    fingerprint = service.ok("/cubes/sky.fits").json["fingerprint"]
    path = "/cubes/sky.fits/tiles/2/0/0.jpg?channel=1"
    plain = service.ok(path)
    assert plain.headers["Cache-Control"] == "no-cache"
    fixed = service.ok(f"{path}&v={fingerprint}")
    assert fixed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert fixed.headers["ETag"] == plain.headers["ETag"]
    assert fixed.body == plain.body
    for url in (path, f"{path}&v={fingerprint}"):
        again = service.get(url, {"If-None-Match": f'"x", {plain.headers["ETag"]}'})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == plain.headers["ETag"]
    assert service.get(path, {"If-None-Match": '"0123"'}).status == 200
    changed = service.get(f"{path}&v=0123456789abcdef")
    assert (changed.status, changed.parameter) == (409, "v")
    assert changed.headers["Cache-Control"] == "no-store"
    assert fingerprint in changed.message


def test_previews_are_marked_and_never_kept(cubes: Sky) -> None:
    with serving(cubes.folder, pyramid="memory", read_limit=400_000, tile_threads=1) as service:
        exact = service.ok("/cubes/sky.fits/tiles/0/0/0.jpg?cuts=-12,20")
        assert "X-Visiomatic-Quality" not in exact.headers
        for _ in range(2):  # the second time over the lane
            preview = service.ok("/cubes/sky.fits/tiles/3/0/0.png?cuts=-12,20&bad=lo")
            assert preview.headers["X-Visiomatic-Quality"] == "preview"
            assert preview.headers["Cache-Control"] == "no-store"
            assert "ETag" not in preview.headers
            stock = service.ok("/api?FIF=sky.fits&CHAN=1&MINMAX=1:-12,20&JTL=0,0")
            assert "X-Visiomatic-Quality" not in stock.headers
            assert stock.headers["Cache-Control"] == "no-cache"
    whole = reference.mono(reference.level_of(cubes.sky[0], 3), -12, 20)
    difference = np.abs(reference.decoded(preview.body) - whole)
    assert 0 < difference.mean() < 25  # like it, but not it


@pytest.mark.parametrize(
    ("query", "parameter", "allowed"),
    [
        ("chanel=1", "chanel", "channel, cuts, mix"),
        ("gamma=9", "gamma", "0.2 to 5"),
        ("gamma=nan", "gamma", "0.2 to 5"),
        ("gamma=", "gamma", "0.2 to 5"),
        ("contrast=-1", "contrast", "0 to 1000"),
        ("brightness=101", "brightness", "-100 to 100"),
        ("quality=1.5", "quality", "0 to 100"),
        ("invert=yes", "invert", "true or false"),
        ("colormap=rainbowish", "colormap", "GET /colormaps"),
        ("channel=3", "channel", "0 to 2"),
        ("channel=-1", "channel", "0 to 2"),
        ("cuts=1", "cuts", "lo,hi"),
        ("cuts=5,5", "cuts", "differ"),
        ("cuts=1,inf", "cuts", "finite"),
        ("cuts=7:1,2", "cuts", "0 to 2"),
        ("mix=0:1,2", "mix", "c:r,g,b"),
        ("mix=0:1,2,nan", "mix", "finite"),
        ("mix=3:1,1,1", "mix", "0 to 2"),
        ("mix=0:1,1,1&channel=0", "channel", "exclude"),
        ("mix=0:1,1,1&colormap=hot", "colormap", "grey"),
        ("stretch=", "stretch", "linear, sqrt"),
        ("stretch=cubic", "stretch", "linear, sqrt"),
        ("stretch=log:0", "stretch", "from 0.01"),
        ("stretch=power", "stretch", "power:P"),
        ("stretch=histogram:0,1", "stretch", "histogram"),
        ("mix=0:1,1,1&stretch=histogram", "stretch", "a mix"),
        ("saturation=2", "saturation", "mixes"),
        ("hue=true", "hue", "mixes"),
        ("mix=0:1,1,1&saturation=5.1", "saturation", "0 to 5"),
        ("mix=0:1,1,1&hue=maybe", "hue", "true or false"),
        ("mix=0:1,1,1&under=red", "under", "mix"),
        ("mix=0:1,1,1&over=red", "over", "mix"),
        ("bad=reddish", "bad", "#rrggbb"),
        ("bad=", "bad", "#rrggbb"),
        ("under=lo", "under", "#rrggbb"),
        ("bad=transparent", "bad", "PNG and WebP"),
        ("over=transparent", "over", "PNG and WebP"),
        ("opacity=0.5", "opacity", "PNG and WebP"),
        ("opacity=2", "opacity", "0 to 1"),
    ],
)
def test_values_that_cannot_be_used(service: Service, query: str, parameter: str, allowed: str) -> None:
    response = service.get(f"/cubes/sky.fits/tiles/3/0/0.jpg?{query}")
    assert response.status == 400
    assert response.parameter == parameter
    assert response.message.startswith(parameter)
    assert allowed in response.message


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("4/0/0.jpg", 400),
        ("0/5/0.jpg", 400),
        ("0/0/5.jpg", 400),
        ("0/0/0.gif", 400),
        ("0/0/0", 404),
        ("0/-1/0.jpg", 404),
    ],
)
def test_no_such_tile(service: Service, place: str, status: int) -> None:
    response = service.get(f"/cubes/sky.fits/tiles/{place}")
    assert response.status == status
    assert response.message
