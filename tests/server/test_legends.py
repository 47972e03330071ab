"""Legends: colours as the pictures have them, ticks where values are, and texts that cannot do harm."""

from __future__ import annotations

import io
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from ..service import Service, serving

SVG = "{http://www.w3.org/2000/svg}"
NASTY = 'K <script>alert("1")</script> & \'beam'
LEGEND = "/cubes/ramp.fits/legend"
COLUMNS = 256


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A cube whose rows rise evenly from -2 to 14, with nothing beyond."""
    folder = tmp_path_factory.mktemp("ramp")
    pixels = np.broadcast_to(np.linspace(-2, 14, COLUMNS, dtype=np.float32), (40, 30, COLUMNS)).copy()
    header = fits.Header()
    header.update({"BUNIT": NASTY, "CTYPE3": "VRAD", "CUNIT3": "m/s", "CRVAL3": 1e3, "CRPIX3": 1, "CDELT3": 500.0})
    fits.writeto(folder / "ramp.fits", pixels, header)
    with serving(folder) as service:
        yield service


def rgb(data: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int64)


def stops(root: ET.Element) -> tuple[list[float], list[str]]:
    """Places and colours of a gradient."""
    found = root.findall(f"{SVG}linearGradient/{SVG}stop")
    return [float(one.attrib["offset"]) for one in found], [one.attrib["stop-color"] for one in found]


def channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize(
    "style",
    [
        "colormap=viridis",
        "colormap=cmr.rainforest_r&stretch=log:100",
        "stretch=asinh&invert=true&colormap=jet",
        "gamma=1&contrast=2&brightness=-20&colormap=inferno",
        "colormap=tab10&gamma=1",
        "stretch=histogram&colormap=magma",
    ],
)
def test_a_bar_has_the_colours_of_the_picture(ramp: Service, style: str) -> None:
    """The picture of values that rise evenly between the cuts is the bar itself."""
    picture = rgb(ramp.ok(f"/cubes/ramp.fits/tiles/0/0/0.png?channel=3&cuts=-2,14&{style}").body)[10]
    root = ET.fromstring(ramp.ok(f"{LEGEND}.svg?channel=3&cuts=-2,14&{style}").body)
    places, colours = stops(root)
    bar = np.array(
        [np.interp(np.linspace(0, 1, COLUMNS), places, part) for part in zip(*map(channels, colours), strict=True)]
    )
    assert np.abs(bar.T - picture).max() <= 2
    png = rgb(ramp.ok(f"{LEGEND}.png?channel=3&cuts=-2,14&{style}&orientation=horizontal&width=542").body)
    line = png[45, 12:530]
    near = np.abs(line[:, np.newaxis] - picture[np.newaxis]).max(axis=2).min(axis=1)
    assert near.max() <= 40  # of neighbours that differ much, the mean
    assert np.median(near) <= 2


def test_ticks_lie_where_their_values_are(ramp: Service) -> None:
    for orientation in ("vertical", "horizontal"):
        root = ET.fromstring(ramp.ok(f"{LEGEND}.svg?cuts=-2,14&under=%230000ff&orientation={orientation}").body)
        box = next(one.attrib for one in root.findall(f"{SVG}rect") if one.attrib["fill"].startswith("url"))
        texts = [one for one in root.findall(f"{SVG}text") if re.fullmatch(r"−?\d+(\.\d+)?", one.text or "")]
        paths = [re.findall(r"[\d.]+", one.attrib["d"]) for one in root.findall(f"{SVG}path")]
        assert len(texts) == len(paths) >= 3
        for text, (x, y, *_) in zip(texts, paths, strict=True):
            value = float((text.text or "").replace("−", "-"))
            if orientation == "vertical":
                share = (float(box["y"]) + float(box["height"]) - float(y)) / float(box["height"])
            else:
                share = (float(x) - float(box["x"])) / float(box["width"])
            assert share == pytest.approx((value + 2) / 16, abs=0.002)


def test_cuts_the_other_way_round(ramp: Service) -> None:
    """Values rise upwards, and the colours are those of the picture."""
    plain, turned = (
        stops(ET.fromstring(ramp.ok(f"{LEGEND}.svg?colormap=viridis&gamma=1&{one}&cuts={cuts}").body))[1]
        for cuts, one in (("-2,14", "under=%23ff0000"), ("14,-2", "over=%23ff0000"))
    )
    difference = np.array([channels(one) for one in plain[::-1]]) - np.array([channels(one) for one in turned])
    assert np.abs(difference).max() <= 3


def test_texts_are_text(ramp: Service) -> None:
    response = ramp.ok(f"{LEGEND}.svg?channel=2&cuts=0,1")
    assert response.headers["Content-Type"] == "image/svg+xml"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    root = ET.fromstring(response.body)
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert texts[0] == "2 km/s"
    assert (texts[1] or "").startswith("K <script>")
    assert not list(root.iter(f"{SVG}script"))
    assert b"<script" not in response.body
    collapsed = ramp.get(f"{LEGEND}.svg?channel=2&cuts=0,1&width=400&orientation=horizontal").body
    assert any((one.text or "").startswith(NASTY[:20]) for one in ET.fromstring(collapsed).iter(f"{SVG}text"))


def test_long_texts_are_shortened(tmp_path: Path) -> None:
    """Attributes of a file may be of any length; what is drawn fits."""
    with h5py.File(tmp_path / "long.h5", "w") as file:
        file.create_group("0").create_dataset("DATA", data=np.arange(12.0, dtype=np.float32).reshape(3, 4))
        file["0"].attrs["BUNIT"] = "erg " * 5000
    with serving(tmp_path) as service:
        unit = service.ok("/cubes/long.h5").json["unit"]
        assert len(unit) > 1000
        began = time.process_time()
        data = service.ok("/cubes/long.h5/legend.svg?cuts=0,1").body
        service.ok("/cubes/long.h5/legend.png?cuts=0,1")
        assert time.process_time() - began < 2
    texts = [one.text or "" for one in ET.fromstring(data).iter(f"{SVG}text")]
    assert texts[1].startswith("erg erg")
    assert texts[1].endswith("…")
    assert len(texts[1]) < 25


def test_colours_for_what_lies_outside(ramp: Service) -> None:
    path = f"{LEGEND}.svg?cuts=0,1&under=%230000ff&over=%23ff8800&bad=%23ff00ff"
    fills = [one.attrib["fill"] for one in ET.fromstring(ramp.ok(path).body).iter(f"{SVG}polygon")]
    assert {"#0000ff", "#ff8800", "#ff00ff"} <= set(fills)
    plain = [one.attrib["fill"] for one in ET.fromstring(ramp.ok(f"{LEGEND}.svg?cuts=0,1").body).iter(f"{SVG}polygon")]
    assert plain == ["none"]  # the outline alone


def test_a_mix_of_few_channels_lists_them(ramp: Service) -> None:
    query = "mix=0:1,0,0&mix=20:0,0.5,0.25&mix=39:0,0,2&cuts=0:0,1&gamma=1"
    root = ET.fromstring(ramp.ok(f"{LEGEND}.svg?{query}").body)
    assert [one.text for one in root.iter(f"{SVG}text")] == ["1 km/s", "11 km/s", "20.5 km/s"]
    fills = [channels(one.attrib["fill"]) for one in root.iter(f"{SVG}polygon")]
    assert np.abs(np.array(fills) - [[255, 0, 0], [0, 255, 128], [0, 0, 255]]).max() <= 1


def test_a_mix_of_many_channels_has_a_strip(ramp: Service) -> None:
    query = "&".join(f"mix={c}:{c / 39},0,{1 - c / 39}" for c in range(40)) + "&gamma=1"
    root = ET.fromstring(ramp.ok(f"{LEGEND}.svg?{query}").body)
    places, colours = stops(root)
    assert np.abs(np.array([channels(colours[0]), channels(colours[-1])]) - [[0, 0, 255], [255, 0, 0]]).max() <= 1
    middle = [np.interp(0.5, places, part) for part in zip(*map(channels, colours), strict=True)]
    assert middle == pytest.approx([127, 0, 127], abs=4)
    texts = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert texts[0] == "40 channels"
    assert (texts[1], texts[-1]) == ("1 km/s", "20.5 km/s")
    png = Image.open(io.BytesIO(ramp.ok(f"{LEGEND}.png?{query}&width=300&height=100&orientation=horizontal").body))
    assert png.size == (300, 100)


def test_background_and_foreground(ramp: Service) -> None:
    clear = Image.open(io.BytesIO(ramp.ok(f"{LEGEND}.png?cuts=0,1").body))
    assert clear.mode == "RGBA"
    assert clear.getpixel((1, 1)) == (0, 0, 0, 0)
    dark = np.asarray(
        Image.open(io.BytesIO(ramp.ok(f"{LEGEND}.png?cuts=0,1&foreground=white&background=%23203040").body))
    )
    assert dark[1, 1].tolist() == [0x20, 0x30, 0x40, 255]
    assert (dark[:30, :, :3] > 200).all(axis=2).any()


def test_it_is_kept_as_long_as_the_picture(ramp: Service) -> None:
    fingerprint = ramp.ok("/cubes/ramp.fits").json["fingerprint"]
    first = ramp.ok(f"{LEGEND}.svg?cuts=0,1&v={fingerprint}")
    assert "immutable" in first.headers["Cache-Control"]
    assert ramp.ok(f"{LEGEND}.svg?cuts=0,1").headers["Cache-Control"] == "no-cache"
    assert ramp.get(f"{LEGEND}.svg?cuts=0,1", {"If-None-Match": first.headers["ETag"]}).status == 304
    for other in (
        "cuts=0,2",
        "cuts=0,1&colormap=jet",
        "cuts=0,1&width=130",
        "cuts=0,1&foreground=red",
        "cuts=0,1&bad=lo",
    ):
        assert ramp.ok(f"{LEGEND}.svg?{other}").headers["ETag"] != first.headers["ETag"]
    assert ramp.get(f"{LEGEND}.svg?v=other").status == 409


@pytest.mark.parametrize("cuts", ["0,5e-324", "-1e308,1.7e308", "7,7.0000000000000009", "1e15,1000000000000001"])
@pytest.mark.parametrize("orientation", ["vertical", "horizontal"])
def test_cuts_that_hardly_differ_or_differ_by_more_than_any_number(ramp: Service, cuts: str, orientation: str) -> None:
    for suffix in ("svg", "png"):
        drawn = ramp.ok(f"{LEGEND}.{suffix}?cuts={cuts}&orientation={orientation}")
        assert len(drawn.body) < 50_000
    root = ET.fromstring(ramp.ok(f"{LEGEND}.svg?cuts={cuts}&orientation={orientation}").body)
    places = [float(one.attrib["x" if orientation == "horizontal" else "y"]) for one in root.findall(f"{SVG}text")]
    assert all(0 <= place <= 400 for place in places)


@pytest.mark.parametrize("size", ["width=60&height=60", "width=1200&height=60", "width=60&height=1200"])
@pytest.mark.parametrize("orientation", ["vertical", "horizontal"])
def test_any_size_can_be_drawn(ramp: Service, size: str, orientation: str) -> None:
    marks = "under=red&over=blue&bad=lime"
    for what in (f"cuts=-1e-7,3e30&{marks}", "mix=0:1,0,0&mix=30:-1,0.1,0"):
        response = ramp.ok(f"{LEGEND}.png?{what}&{size}&orientation={orientation}")
        assert len(response.body) > 100
        ET.fromstring(ramp.ok(f"{LEGEND}.svg?{what}&{size}&orientation={orientation}").body)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("width=59", "width"),
        ("height=1201", "height"),
        ("orientation=round", "orientation"),
        ("foreground=transparent", "foreground"),
        ("background=%22onload", "background"),
        ("colormap=none", "colormap"),
        ("size=1", "size"),
    ],
)
def test_what_cannot_be_asked(ramp: Service, query: str, parameter: str) -> None:
    response = ramp.get(f"{LEGEND}.svg?{query}")
    assert (response.status, response.parameter) == (400, parameter)


def test_other_kinds_of_files(ramp: Service, tmp_path: Path) -> None:
    assert ramp.get(f"{LEGEND}.gif").status == 404
