"""Cubes at URLs, served: those that the operator allows, by the same tiles as from a disk; nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from astropy.io import fits

from ..processes import wait_until
from ..range_server import RangeServer, range_server
from ..service import Service, serving

PIXELS = np.random.default_rng(4).normal(size=(2, 300, 400)).astype(np.float32)
TILE = "tiles/0/0/1.png?channel=1&cuts=-2,2"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    folder = tmp_path_factory.mktemp("web")
    for name in ("open", "closed"):
        (folder / name).mkdir()
        fits.writeto(folder / name / "cube.fits", PIXELS)
    with range_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def service(web: RangeServer) -> Iterator[Service]:
    with serving(web.folder / "closed", f"{web.url}/open/") as service:
        yield service


def address(web: RangeServer, name: str) -> str:
    return f"/cubes/{quote(f'{web.url}/{name}', safe='')}"


def test_tiles_are_those_of_the_file(web: RangeServer, service: Service) -> None:
    cube = service.ok(address(web, "open/cube.fits")).json
    assert cube["name"] == f"{web.url}/open/cube.fits"
    assert cube["shape"] == [2, 300, 400]
    remote, local = service.ok(f"{address(web, 'open/cube.fits')}/{TILE}"), service.ok(f"/cubes/cube.fits/{TILE}")
    assert remote.body == local.body
    # The same by the other spelling, and by VisiOmatic's API.
    assert service.ok(f"/cubes/{web.url}/open/cube.fits").json["fingerprint"] == cube["fingerprint"]
    assert service.ok(f"/api?FIF={web.url}/open/cube.fits&VAL=3,4&CHAN=2").json["values"] == [float(PIXELS[1, 3, 2])]


@pytest.mark.parametrize("name", ["closed/cube.fits", "open/../closed/cube.fits", "open/%2e%2e/closed/cube.fits", ""])
def test_what_is_not_below_a_prefix_is_not_opened(web: RangeServer, service: Service, name: str) -> None:
    before = len(web.requests)
    answer = service.get(address(web, name))
    assert answer.status == 404
    assert "allowed: the name of a cube" in answer.message
    assert len(web.requests) == before  # nobody was asked


def test_what_is_not_there_or_no_cube_is_told(web: RangeServer, service: Service) -> None:
    (web.folder / "open" / "text").write_text("hello")
    for name, words in (("open/none.fits", "there is no such file"), ("open/text", "of no known format")):
        answer = service.get(address(web, name))
        assert answer.status == 404
        assert words in answer.message


def test_a_new_version_is_another_cube(web: RangeServer, service: Service) -> None:
    path = web.folder / "open" / "changing.fits"
    fits.writeto(path, PIXELS)
    before = service.ok(address(web, "open/changing.fits")).json
    fits.writeto(path, PIXELS + 1, overwrite=True)
    tile = f"{address(web, 'open/changing.fits')}/{TILE}"
    wait_until(lambda: service.get(f"{tile}&v={before['fingerprint']}").status == 409, 10)
    after = service.ok(address(web, "open/changing.fits")).json
    assert after["fingerprint"] != before["fingerprint"]
    assert service.ok(f"{tile}&v={after['fingerprint']}").body != service.ok(f"/cubes/cube.fits/{TILE}").body


def test_a_silent_server_holds_up_no_list(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "cube.fits", PIXELS)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/cube.fits"
        with serving(tmp_path, url) as service:
            pages: list[dict[str, Any]] = []

            def is_settled() -> bool:
                pages[:] = [service.ok("/cubes?path=&details=true").json]
                return not any("pending" in entry for entry in pages[0]["entries"])

            wait_until(is_settled, 10)
            remote, local = sorted(pages[0]["entries"], key=lambda one: str(one["name"]) != url)
            assert remote == {"name": url, "kind": "cube", "format": None, "size": None, "modified": None}
            assert local["layers"][0]["shape"] == [2, 300, 400]


def test_single_cubes_are_listed(web: RangeServer, tmp_path: Path) -> None:
    url = f"{web.url}/open/cube.fits"
    with serving(url) as service:
        assert [(one["name"], one["kind"]) for one in service.ok("/cubes?path=").json["entries"]] == [(url, "cube")]
        assert [one["name"] for one in service.ok("/cubes").json["cubes"]] == [url]
        assert service.get(address(web, "closed/cube.fits")).status == 404
    with serving(tmp_path, remote_prefixes=[url]) as service:
        assert service.ok(address(web, "open/cube.fits")).json["shape"] == [2, 300, 400]
