"""The resource API apart from tiles: what docs/web-api.md says."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.visualization import ZScaleInterval
from astropy.wcs import WCS

from ..service import Service, serving
from .conftest import Sky


def test_cubes_are_listed(service: Service, cubes: Sky) -> None:
    listing = service.ok("/cubes").json
    assert listing["truncated"] is False
    sizes = {one["name"]: one["size"] for one in listing["cubes"]}
    assert {"sky.fits", "small.fits", "layers.fits", "sub/four.fits"} <= sizes.keys()
    assert not {"notes.txt", "empty.fits", "packed.fits.xz"} & sizes.keys()
    assert sizes["sky.fits"] == (cubes.folder / "sky.fits").stat().st_size
    assert list(sizes) == sorted(sizes)


def test_a_cube_is_described(service: Service) -> None:
    cube = service.ok("/cubes/sky.fits").json
    assert cube["name"] == "sky.fits"
    assert (cube["layer"], cube["layers"]) == ("PRIMARY", ["PRIMARY"])
    assert cube["shape"] == [3, 1030, 1025]
    assert (cube["dtype"], cube["unit"], cube["object"]) == ("float32", "Jy/beam", "Test nebula")
    assert [(axis["ctype"], axis["size"]) for axis in cube["axes"]] == [
        ("VRAD", 3),
        ("DEC--TAN", 1030),
        ("RA---TAN", 1025),
    ]
    assert (cube["width"], cube["height"], cube["tile_size"]) == (1025, 1030, 256)
    assert cube["levels"] == [
        {"level": 0, "width": 1025, "height": 1030, "columns": 5, "rows": 5},
        {"level": 1, "width": 513, "height": 515, "columns": 3, "rows": 3},
        {"level": 2, "width": 257, "height": 258, "columns": 2, "rows": 2},
        {"level": 3, "width": 129, "height": 129, "columns": 1, "rows": 1},
    ]
    assert [one["index"] for one in cube["channels"]] == [0, 1, 2]
    assert cube["channels"][2]["label"] == "2 km/s"
    assert cube["cube_cuts"] == [min(low for low, _ in cube["cuts"]), max(high for _, high in cube["cuts"])]
    assert all(one["mad"] > 0 for one in cube["background"])
    assert cube["defaults"].items() >= {
        "brightness": 0, "contrast": 1, "gamma": 2.2, "colormap": "grey", "invert": False, "quality": 90,
    }.items()  # fmt: skip
    assert cube["wcs"]["ctype"] == ["RA---TAN", "DEC--TAN"]
    assert cube["wcs"]["frame"] == "icrs"
    assert cube["wcs"]["pixel_scale"] == pytest.approx(2e-4)
    assert cube["warnings"] == []
    assert cube["header"]["NAXIS"] == 3


def test_a_layer_is_chosen(service: Service) -> None:
    assert service.ok("/cubes/layers.fits").json["layer"] == "SCI"
    cube = service.ok("/cubes/layers.fits?layer=DQ").json
    assert (cube["layer"], cube["layers"], cube["dtype"]) == ("DQ", ["SCI", "DQ"], "uint8")
    assert cube["wcs"] is None
    assert service.get("/cubes/layers.fits?layer=").status == 400


def test_values_and_sky(service: Service, cubes: Sky) -> None:
    answer = service.ok("/cubes/sky.fits/values?x=50&y=60&channel=2&channel=0").json
    assert (answer["x"], answer["y"], answer["channels"], answer["unit"]) == (50, 60, [2, 0], "Jy/beam")
    assert answer["values"] == [float(cubes.sky[2, 59, 49]), float(cubes.sky[0, 59, 49])]
    sky = WCS(fits.getheader(cubes.folder / "sky.fits")).celestial.wcs_pix2world([[50, 60]], 1)[0]
    assert [answer["world"]["lon"], answer["world"]["lat"]] == pytest.approx(list(sky), abs=1e-9)
    assert (answer["world"]["names"], answer["world"]["frame"]) == (["RA", "Dec"], "icrs")
    assert answer["world"]["text"][0].startswith("05h35m")
    assert service.ok("/cubes/sky.fits/values?x=0&y=60").json["values"] == [None] * 3
    assert service.ok("/cubes/layers.fits/values?x=1&y=1").json["world"] is None


def test_cuts_by_method(service: Service, cubes: Sky) -> None:
    plane = cubes.sky[1][np.isfinite(cubes.sky[1])]

    def cuts(method: str) -> list[float]:
        answer = service.ok(f"/cubes/sky.fits/cuts?channel=1&method={method}").json
        assert answer["method"] == method
        return list(answer["cuts"])

    assert cuts("minmax") == pytest.approx([plane.min(), plane.max()], rel=1e-6)
    assert cuts("90") == pytest.approx(list(np.percentile(plane, [5, 95])), abs=0.1)
    assert cuts("zscale") == pytest.approx(list(ZScaleInterval().get_limits(plane)), abs=2)
    assert cuts("mad") == pytest.approx(service.ok("/cubes/sky.fits").json["cuts"][1], abs=0.5)
    assert service.ok("/cubes/sky.fits/cuts").json["method"] == "mad"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/cubes?all=1", "all"),
        ("/cubes/sky.fits?layers=1", "layers"),
        ("/cubes/sky.fits/values?x=1", "y"),
        ("/cubes/sky.fits/values?y=1", "x"),
        ("/cubes/sky.fits/values?x=1&y=1.5", "y"),
        ("/cubes/sky.fits/values?x=1&y=1&z=1", "z"),
        ("/cubes/sky.fits/values?x=1&y=1&channel=3", "channel"),
        ("/cubes/sky.fits/cuts?method=best", "method"),
        ("/cubes/sky.fits/cuts?method=0", "method"),
        ("/cubes/sky.fits/cuts?method=nan", "method"),
        ("/cubes/sky.fits/cuts?channel=9", "channel"),
        ("/cubes/sky.fits/cuts?chan=0", "chan"),
    ],
)
def test_what_cannot_be_used_is_named(service: Service, path: str, parameter: str) -> None:
    response = service.get(path)
    assert response.status == 400
    assert response.parameter == parameter
    assert "allowed" in response.message


def test_colormaps(service: Service) -> None:
    names = service.ok("/colormaps").json["colormaps"]
    assert names[:5] == ["grey", "jet", "cold", "cool", "hot"]
    assert {"viridis", "viridis_r"} <= set(names)


def test_health(service: Service) -> None:
    response = service.ok("/health")
    assert response.json["status"] == "ok"
    assert response.json["route"] == "direct"
    assert response.json["workers"] >= 1
    assert response.headers["Cache-Control"] == "no-store"


def test_page_and_what_is_nowhere(service: Service) -> None:
    assert service.get("/").status in (200, 404)  # the client may not be built here
    for path in ("/nothing", "/cubes/", "/assets/nothing.js", "/assets/", "/api/", "/static/x"):
        response = service.get(path)
        assert response.status in (403, 404)
        assert response.message
    assert service.get("/cubes", method="POST").status == 405
    assert service.get("/api?FIF=sky.fits&INFO", method="DELETE").message


@pytest.mark.parametrize("path", ["/cubes", "/api?FIF=sky.fits&CHAN=1&JTL=0,0", "/nothing", "/cubes/no.fits"])
def test_other_origins_are_not_answered_unless_listed(service: Service, path: str) -> None:
    response = service.get(path, {"Origin": "https://elsewhere.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_listed_origins_are_answered(cubes: Sky) -> None:
    with serving(cubes.folder, cors_origins=["https://a.example"], tile_threads=1) as service:
        for path in ("/cubes", "/api?FIF=sky.fits&CHAN=1&JTL=0,0", "/api?FIF=sky.fits&CHAN=1&JTL=0,0", "/cubes/no"):
            allowed = service.get(path, {"Origin": "https://a.example"})
            assert allowed.headers["Access-Control-Allow-Origin"] == "https://a.example"
            assert "ETag" in allowed.headers["Access-Control-Expose-Headers"]
            other = service.get(path, {"Origin": "https://b.example"})
            assert "Access-Control-Allow-Origin" not in other.headers
            assert "Origin" in other.headers["Vary"]
