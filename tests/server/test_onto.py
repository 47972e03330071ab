"""``/cubes/…/tiles/…?onto=…``: a cube on the pixel grid of another."""

from __future__ import annotations

import io
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from PIL import Image
from reproject import reproject_interp

from .. import reference
from ..engine.skies import header, write_image
from ..service import Service, serving

GRID = header(400, 300, 1e-3)
SHOWN = header(300, 280, 1.2e-3, 25.0, "galactic")
CUTS = "cuts=-3,12"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("skies")
    write_image(made / "grid.fits", GRID, 400, 300)
    pixels = write_image(made / "shown.fits", SHOWN, 300, 280)
    fits.writeto(made / "cube.fits", np.stack([pixels, 2 * pixels, -pixels]), SHOWN)
    fits.writeto(made / "plain.fits", np.zeros((50, 60), np.float32))
    away = header(50, 50, 1e-3, CRVAL1=120.0, CRVAL2=-40.0)
    write_image(made / "away.fits", away, 50, 50)
    return made


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with serving(folder, tile_threads=2) as running:
        yield running


def on_the_grid(folder: Path) -> NDArray[np.float64]:
    """The image on the other's grid, rows downwards."""
    pixels = fits.getdata(folder / "shown.fits").astype(np.float32)
    found = reproject_interp((pixels, WCS(SHOWN)), WCS(GRID), (300, 400), return_footprint=False)
    return np.asarray(found[::-1])


def test_the_picture_is_that_of_reprojected_pixels(service: Service, folder: Path) -> None:
    whole = on_the_grid(folder)
    for row, column in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        response = service.ok(f"/cubes/shown.fits/tiles/0/{row}/{column}.png?{CUTS}&onto=grid.fits&bad=lo")
        expected = reference.mono(whole[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256], -3, 12)
        found = reference.decoded(response.body)
        assert found.shape == expected.shape  # the tile is one of the other's grid, cropped as those are
        assert (np.abs(found.astype(int) - expected.astype(int)) > 1).mean() < 1e-3


def test_a_star_is_on_the_same_pixel_in_both_pictures(service: Service) -> None:
    for level in (0, 1):
        places = []
        for path in ("grid.fits", "shown.fits"):
            query = "cuts=4,9&bad=lo&onto=grid.fits"
            picture = reference.decoded(service.ok(f"/cubes/{path}/tiles/{level}/0/0.png?{query}").body)
            bright = picture[100 >> level : 200 >> level, 150 >> level : 250 >> level].astype(float)
            y, x = np.indices(bright.shape)
            places.append(np.array([(bright * x).sum(), (bright * y).sum()]) / bright.sum())
        assert np.abs(places[0] - places[1]).max() < 0.1


def test_what_is_not_covered_is_transparent(service: Service, folder: Path) -> None:
    covered = np.isfinite(on_the_grid(folder)[:256, :256])
    assert 0.1 < covered.mean() < 0.95
    for suffix in ("png", "webp"):
        path = f"/cubes/shown.fits/tiles/0/0/0.{suffix}?{CUTS}&onto=grid.fits&bad=transparent&opacity=0.5"
        picture = np.asarray(Image.open(io.BytesIO(service.ok(path).body)).convert("RGBA"))
        assert (np.isin(picture[..., 3], (127, 128)) == covered).mean() > 0.999
        assert ((picture[..., 3] == 0) == ~covered).mean() > 0.999
    path = f"/cubes/away.fits/tiles/0/0/0.png?{CUTS}&onto=grid.fits&bad=transparent"
    assert (np.asarray(Image.open(io.BytesIO(service.ok(path).body)).convert("RGBA"))[..., 3] == 0).all()


def test_everything_that_changes_the_picture_changes_its_etag(service: Service) -> None:
    base = f"/cubes/shown.fits/tiles/0/0/0.png?{CUTS}"
    queries = [
        "",
        "&onto=grid.fits",
        "&onto=grid.fits&order=nearest",
        "&onto=grid.fits&order=bicubic",
        "&onto=cube.fits",
    ]
    answers = [service.ok(base + query) for query in (*queries, "&onto=grid.fits&invert=true")]
    assert len({answer.headers["ETag"] for answer in answers}) == len(answers)
    assert len({answer.body for answer in answers}) >= len(answers) - 1  # a cube of the same grid gives the same
    again = service.get(f"{base}&onto=grid.fits&order=bilinear", {"If-None-Match": answers[1].headers["ETag"]})
    assert again.status == 304
    # what the tile lane has learnt of one is not taken for the other, whichever was asked for first
    assert service.ok(base).body == answers[0].body
    assert service.ok(f"{base}&onto=grid.fits").body == answers[1].body


def test_another_style_costs_no_interpolation(service: Service) -> None:
    path = f"/cubes/shown.fits/tiles/0/1/1.png?{CUTS}&onto=grid.fits&order=bicubic"

    def read_time(query: str) -> float:
        timing = service.ok(path + query).headers["Server-Timing"]
        found = re.search(r"read;dur=([0-9.]+)", timing)
        assert found is not None, timing
        return float(found[1])

    read_time("")
    for attempt in range(1, 50):  # until the brick is known to be there
        if read_time(f"&brightness={attempt}") < 0.5:
            break
    assert all(read_time(f"&contrast=1.{attempt}") < 0.5 for attempt in range(1, 5))


def test_mixes_and_channels(service: Service) -> None:
    one = service.ok(f"/cubes/shown.fits/tiles/0/0/0.png?{CUTS}&onto=grid.fits&bad=lo").body
    second = service.ok("/cubes/cube.fits/tiles/0/0/0.png?channel=1&cuts=-6,24&onto=grid.fits&bad=lo").body
    assert np.array_equal(reference.decoded(one), reference.decoded(second))
    mix = "mix=0:1,0,0&mix=1:0,1,0&mix=2:0,0,1&cuts=0:-3,12&cuts=1:-6,24&cuts=2:3,-12"
    mixed = reference.decoded(service.ok(f"/cubes/cube.fits/tiles/0/0/0.png?{mix}&onto=grid.fits&bad=lo").body)
    assert (np.abs(mixed[..., :3].astype(int) - reference.decoded(one)[..., np.newaxis]) <= 1).mean() > 0.999


def test_a_change_of_the_other_file_changes_the_picture(folder: Path, tmp_path: Path) -> None:
    for name in ("grid.fits", "shown.fits"):
        shutil.copy(folder / name, tmp_path / name)
    path = f"/cubes/shown.fits/tiles/0/0/0.png?{CUTS}&onto=grid.fits"
    with serving(tmp_path) as service:
        first = service.ok(path)
        version = service.ok("/cubes/shown.fits").json["fingerprint"]
        # the fingerprint in the path is the shown cube's, and says nothing of the other
        assert service.ok(f"{path}&v={version}").headers["Cache-Control"] == "no-cache"
        write_image(tmp_path / "new", header(400, 300, 1e-3, 80.0), 400, 300)
        (tmp_path / "new").replace(tmp_path / "grid.fits")
        for _ in range(100):
            answer = service.get(path, {"If-None-Match": first.headers["ETag"]})
            if answer.status == 200:
                break
            time.sleep(0.1)
        assert answer.status == 200
        assert answer.body != first.body


@pytest.mark.parametrize(
    ("path", "query", "status", "parameter"),
    [
        ("shown.fits/tiles/0/0/0", "onto=plain.fits", 400, "onto"),
        ("plain.fits/tiles/0/0/0", "onto=grid.fits", 400, "layer"),
        ("shown.fits/tiles/0/0/0", "onto=none.fits", 404, "onto"),
        ("shown.fits/tiles/0/0/0", "onto=../grid.fits", 404, "onto"),
        ("shown.fits/tiles/0/0/0", "onto=grid.fits&order=cubic", 400, "order"),
        ("shown.fits/tiles/0/0/0", "onto=grid.fits&onto_layer=X", 400, "onto_layer"),
        ("shown.fits/tiles/0/0/0", "order=bicubic", 400, "order"),
        ("shown.fits/tiles/0/0/0", "onto_layer=PRIMARY", 400, "onto_layer"),
        ("shown.fits/tiles/2/0/0", "onto=grid.fits", 400, "level"),
        ("shown.fits/tiles/0/2/0", "onto=grid.fits", 400, "row"),
    ],
)
def test_refusals(service: Service, path: str, query: str, status: int, parameter: str) -> None:
    response = service.get(f"/cubes/{path}.png?cuts=0,1&{query}")
    assert (response.status, response.parameter) == (status, parameter)


def test_what_takes_too_much_reading_comes_from_the_store(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "grid.fits", tmp_path / "grid.fits")
    write_image(tmp_path / "fine.fits", header(900, 800, 4e-4, 30.0), 900, 800)
    path = f"/cubes/fine.fits/tiles/0/0/0.png?{CUTS}&onto=grid.fits"
    with serving(tmp_path, pyramid="memory") as service:
        expected = np.asarray(Image.open(io.BytesIO(service.ok(path).body)).convert("LA")).astype(int)
    with serving(tmp_path, read_limit="1 MB", store=str(tmp_path / "store")) as service:
        response = service.get(path)
        assert response.status == 503
        assert "being built" in response.message
        deadline = time.monotonic() + 60
        while response.status == 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            response = service.get(path)
    assert response.status == 200
    assert "X-Visiomatic-Quality" not in response.headers
    found = np.asarray(Image.open(io.BytesIO(response.body)).convert("LA")).astype(int)
    assert np.abs(found - expected).max() <= 2


def test_too_much_to_read(folder: Path) -> None:
    with serving(folder, read_limit="100 kB", pyramid="memory") as service:
        response = service.get(f"/cubes/shown.fits/tiles/0/0/0.png?{CUTS}&onto=grid.fits")
        assert (response.status, response.parameter) == (413, "onto")


def test_without_reproject_it_is_said_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reproject", None)
    with serving(folder) as service:
        response = service.get("/cubes/shown.fits/tiles/0/0/0.png?onto=grid.fits")
    assert (response.status, response.headers["Retry-After"]) == (503, "3600")
    assert "install the extra `composite`" in response.message
