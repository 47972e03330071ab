"""Whatever is asked: never a 500, and what is wrong is said in JSON that names the parameter."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..service import Response, Service

API_KEYS = [
    "FIF",
    "INFO",
    "obj",
    "JTL",
    "RGN",
    "BIN",
    "VAL",
    "PFL",
    "CHAN",
    "MINMAX",
    "MIX",
    "CMP",
    "INV",
    "BRT",
    "CNT",
    "GAM",
    "QLT",
]
RESOURCE_KEYS = [
    *("channel", "cuts", "mix", "brightness", "contrast", "gamma", "colormap", "invert", "quality", "v", "layer"),
    *("width", "height", "orientation", "foreground", "background", "scope", "bins", "range"),
    *("x", "y", "method", "stretch", "saturation", "hue", "bad", "under", "over", "opacity"),
    *("levels", "count", "smooth", "onto", "onto_layer", "order"),
    *("preset", "nan", "box", "channels"),
]
NUMBERS = st.one_of(
    st.integers(-5, 8).map(str),
    st.floats(-1e3, 1e3).map("{:.4g}".format),
    st.sampled_from(
        ["1e308", "-1e308", "1e-308", "9" * 30, "nan", "inf", "-0", "+1", "1.", ".5", "٣", "0x1", "1_0", ""]
    ),
)
LISTS = st.tuples(st.integers(0, 9), st.lists(NUMBERS, max_size=4)).map(lambda t: f"{t[0]}:{','.join(t[1])}")
PAIRS = st.lists(NUMBERS, min_size=1, max_size=3).map(",".join)
LINES = st.lists(PAIRS, min_size=1, max_size=3).map(":".join)
WORDS = st.sampled_from(
    (
        *("true", "jet", "viridis", "sky.fits", "small.fits", "PRIMARY", "zscale", "99.5", "a b", "%", "💥", "\0"),
        *("log", "asinh:7", "power:2", "histogram", "histogram:0,1", "log:", "red", "#12f", "#0102ZZ", "transparent"),
        *("lo", "\x7f", "cube", "horizontal", "minmax", "1-99"),
    )
)
RECIPES = st.one_of(
    st.from_regex(
        r"(range|tophat|gauss|table|pca|max|min|mean|sum|cie|[0-4]):?[-0-9.,*=]{0,8}(nm|km/s|GHz)?:?(red|#f00)?"
    ),
    st.sampled_from(
        [
            *(
                "range:*:red",
                "range:0-2:blue..red",
                "range:1-2km/s:red",
                "pca",
                "cie",
                "max:0-1",
                "mean:*",
                "gauss:1,2:red",
            ),
            *('[{"range": [0, 2], "colour": "red"}]', '[{"pca": "*"}]', "[[[", '{"cie": true}', "range:1-1GHz:red"),
        ]
    ),
)
VALUES = st.one_of(NUMBERS, LISTS, PAIRS, LINES, WORDS, RECIPES, st.text(max_size=12))
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def check(response: Response, keys: set[str]) -> None:
    """Check that an answer is a picture, JSON, or an error in JSON that says which parameter cannot be used."""
    assert response.status in (200, 400, 404, 409, 413), response.body
    if response.status == 200:
        assert response.body
        return
    assert response.message
    if response.status == 400 and "Invalid unicode" not in response.message:
        parameter = response.json["detail"][0].get("loc", [None, None])[1]
        assert parameter is None or parameter in keys
        assert "allowed" in response.message or "exclude" in response.message


def queries(keys: list[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(st.sampled_from(keys), VALUES), max_size=6)


@FUZZ
@given(
    query=queries(API_KEYS),
    more=st.sampled_from(["JTL=0,0", "JTL=3,7", "RGN=1,1:40,30", "VAL=5,5", "PFL=1,1:3,3", "INFO"]),
)
def test_any_query_of_the_old_api(service: Service, query: list[tuple[str, str]], more: str) -> None:
    name = "FIF=sky.fits&" if "FIF" not in dict(query) else ""
    path = f"/api?{name}{more}&{urlencode(query)}"
    first, second = service.get(path), service.get(path)
    check(first, {key for key, _ in query} | {"JTL", "RGN", "FIF", "PFL", "VAL"})
    assert first.compared == second.compared


CONTOURS = ["/contours/3/0/0.geojson", "/contours/2/1/0.geojson"]


@FUZZ
@given(
    query=queries(RESOURCE_KEYS),
    what=st.sampled_from(
        [
            *("", "/tiles/0/1/1.png", "/tiles/3/0/0.jpg", "/tiles/9/9/9.gif", "/values", "/cuts", "/presets"),
            *("/histogram", "/legend.svg", *CONTOURS),
            *("/region.png", "/region.jpg", "/region.tif", "/cutout.fits"),
        ]
    ),
)
def test_any_query_of_the_resource_api(service: Service, query: list[tuple[str, str]], what: str) -> None:
    path = f"/cubes/sky.fits{what}?{urlencode(query)}"
    first, second = service.get(path), service.get(path)
    check(first, {key for key, _ in query} | {"level", "row", "suffix", "x", "y"})
    assert first.compared == second.compared


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 9) | st.floats() | VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(RESOURCE_KEYS), inner, max_size=3),
    max_leaves=6,
)
SWEEP_KEYS = ["channels", "box", "level", "rate", "format", "style", "layer", "v", "💥"]
SWEEPS = st.dictionaries(st.sampled_from(SWEEP_KEYS), JSON, max_size=4).map(json.dumps) | st.text(max_size=20)


@FUZZ
@given(body=SWEEPS)
def test_any_sweep(service: Service, body: str) -> None:
    response = service.get("/cubes/small.fits/sweeps", method="POST", body=body.encode())
    if response.status == 202:
        assert service.get(response.headers["Location"], method="DELETE").status == 204
    else:
        check(response, {*SWEEP_KEYS, *RESOURCE_KEYS, "name"})


@FUZZ
@given(text=st.text(max_size=40), raw=st.binary(max_size=20))
def test_any_path(service: Service, text: str, raw: bytes) -> None:
    for path in (f"/{quote(text)}", f"/cubes/{quote(text, safe='')}", f"/cubes/{quote(raw)}/tiles/0/0/0.jpg"):
        response = service.get(path)
        if response.status != 200:
            check(response, {"name"})
    check(service.get(f"/api?FIF={quote(raw)}&{quote(raw)}={quote(text)}&INFO"), {"FIF"})
