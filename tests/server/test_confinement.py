"""Nothing outside of the data roots can be named, by any route."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from astropy.io import fits

from ..service import Response, Service, serving

ROUTES = [
    "/api?FIF={}&INFO",
    "/api?FIF={}&obj=1",
    "/api?FIF={}&CHAN=1&JTL=0,0",
    "/api?FIF={}&CHAN=1&RGN=1,1:5,5",
    "/api?FIF={}&VAL=1,1",
    "/api?FIF={}&PFL=1,1:2,2",
    "/cubes/{}",
    "/cubes/{}/tiles/0/0/0.jpg",
    "/cubes/{}/values?x=1&y=1",
    "/cubes/{}/cuts",
    "/cubes/{}/region.png",
    "/cubes/{}/region.jpg",
    "/cubes/{}/cutout.fits",
    "/cubes/{}/contours/0/0/0.geojson",
    "/cubes/{}/legend.svg",
    "/cubes/{}/histogram",
    "/cubes/{}/presets",
    "/cubes/inner/in.fits/tiles/0/0/0.png?onto={}",
]

OUTSIDE = [
    "/etc/hosts",
    "//etc/hosts",
    "a/../../../etc/hosts",
    "../outside/out.fits",
    "inner/../../outside/out.fits",
    "..",
    ".",
    "../root-twin.fits",
    "%2e%2e/outside/out.fits",
    "%2e%2e%2foutside%2fout.fits",
    "..%2foutside%2fout.fits",
    "..%252foutside%252fout.fits",
    "%2fetc%2fhosts",
    "inner%2f..%2f..%2foutside%2fout.fits",
    "inner/in.fits%00",
    "inner/in.fits%00.png",
    "%00",
    "..%5coutside%5cout.fits",
    "..\\outside\\out.fits",
    "inner%5cin.fits",
    "link-file.fits",
    "link-folder/out.fits",
    "link-twice.fits",
    "link-folder",
    "loop",
    "loop/x.fits",
    "inner/in.fits/",
    "inner/in.fits/x",
    "inner",
    "~root/x",
    "file:%2f%2f%2fetc%2fhosts",
    "%ff%fe",
    "a" * 300,
    "a/" * 3000,
    "%F0%9F%94%AD.fits",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root with a cube, links in and out of it, and another cube beside it."""
    above = tmp_path_factory.mktemp("above")
    root = above / "root"
    (root / "inner").mkdir(parents=True)
    sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -0.1, "CDELT2": 0.1}
    fits.writeto(root / "inner" / "in.fits", np.ones((9, 9), np.float32), fits.Header(sky))
    (above / "outside").mkdir()
    fits.writeto(above / "outside" / "out.fits", np.zeros((9, 9), np.float32))
    shutil.copy(above / "outside" / "out.fits", above / "root-twin.fits")
    (root / "link-file.fits").symlink_to(above / "outside" / "out.fits")
    (root / "link-folder").symlink_to(above / "outside")
    (root / "link-twice.fits").symlink_to(root / "link-folder" / "out.fits")
    (root / "loop").symlink_to(root / "loop")
    (root / "within.fits").symlink_to(root / "inner" / "in.fits")
    (root / "within").symlink_to(root / "inner")
    return root


@pytest.fixture(scope="module")
def service(root: Path) -> Iterator[Service]:
    with serving(root, tile_threads=1) as running:
        yield running


def refused(response: Response, root: Path) -> bool:
    """Whether an answer is a 4xx in JSON that tells nothing of the machine."""
    text = response.body.decode("utf-8", "replace")
    if response.status not in (400, 404):
        return False
    return bool(response.message) and str(root.parent) not in text and "root:" not in text


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_what_lies_outside_is_not_there(service: Service, root: Path, route: str, name: str) -> None:
    response = service.get(route.format(name))
    # A slash after a name is no way out, nor is the NUL that Tornado takes off the end of a query's value.
    harmless = {"inner/in.fits/", "inner/in.fits%00"}
    assert refused(response, root) or (name in harmless and response.status == 200)


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_is_animated(service: Service, root: Path, name: str) -> None:
    response = service.get(f"/cubes/{name}/sweeps", method="POST", body='{"format": "webp"}')
    assert refused(response, root) or (name == "inner/in.fits/" and response.status == 202)


@pytest.mark.parametrize("name", OUTSIDE)
def test_folders_outside_are_not_listed(service: Service, root: Path, name: str) -> None:
    response = service.get(f"/cubes?path={name}")
    # Tornado takes a NUL at the end off: what is left is a folder within, or the roots.
    harmless = {"inner", "%00"}
    assert refused(response, root) or (name in harmless and response.status == 200)


def test_listing_a_folder_stays_within(service: Service) -> None:
    found = {one["name"]: one["kind"] for one in service.ok("/cubes?path=").json["entries"]}
    assert found == {"inner": "folder", "within": "folder", "within.fits": "cube", "loop": "other"}
    for path in ("inner", "within"):
        assert [one["name"] for one in service.ok(f"/cubes?path={path}").json["entries"]] == [f"{path}/in.fits"]


@pytest.mark.parametrize("route", ROUTES)
def test_absolute_name_of_a_cube_within_is_refused(service: Service, root: Path, route: str) -> None:
    assert service.get(route.format(quote(str(root / "inner" / "in.fits"), safe=""))).status == 404


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["inner/in.fits", "inner%2Fin.fits", "within.fits", "within/in.fits"])
def test_what_lies_within_is_there(service: Service, route: str, name: str) -> None:
    assert service.ok(route.format(name)).body


def test_listing_stays_within(service: Service) -> None:
    names = {one["name"] for one in service.ok("/cubes").json["cubes"]}
    assert names == {"inner/in.fits", "within.fits"}


def test_refusals_do_not_tell_what_exists(service: Service) -> None:
    there, not_there = (
        service.get(f"/cubes/..%2f{name}").message for name in ("outside%2fout.fits", "outside%2fno.fits")
    )
    assert there.replace("out.fits", "no.fits") == not_there


def test_assets_are_confined(service: Service, root: Path) -> None:
    for path in ("../../../etc/hosts", "..%2f..%2fconfig.py", "%2e%2e/cli.py", "%2fetc%2fhosts", "../config.py"):
        assert service.get(f"/assets/{path}").status in (403, 404)


def test_single_file_serves_nothing_beside_it(root: Path) -> None:
    with serving(root / "inner" / "in.fits", tile_threads=1) as service:
        assert service.ok("/cubes/in.fits").json["width"] == 9
        for name in ("inner/in.fits", "../root-twin.fits", "within.fits", "..", str(root / "within.fits")):
            assert service.get(f"/cubes/{quote(name, safe='')}").status == 404
        assert [one["name"] for one in service.ok("/cubes").json["cubes"]] == ["in.fits"]
