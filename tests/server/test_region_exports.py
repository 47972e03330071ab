"""``/cubes/{name}/region.…``: pixels of every format, headers, limits, and what becomes of files that break off."""

from __future__ import annotations

import contextlib
import io
import socket
import time
import tracemalloc
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine import band_cuts, exports, region_bands
from visiomatic_dask.engine.region_bands import make_band
from visiomatic_dask.engine.region_costs import region_costs
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Style
from visiomatic_dask.server import streaming

from .. import reference
from ..processes import wait_until
from ..service import Service, serving
from .conftest import Sky


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of a few rows, so that a small picture has many."""
    monkeypatch.setattr(band_cuts, "BAND_BYTES", 2**17)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_streamed_pictures_are_the_crop_of_the_reference(service: Service, cubes: Sky, suffix: str, level: int) -> None:
    whole = reference.mono(reference.level_of(cubes.sky[1], level), -12, 20)
    response = service.ok(f"/cubes/sky.fits/region.{suffix}?channel=1&cuts=-12,20&level={level}")
    reference.assert_close(response.body, whole, 1)
    # FITS pixels 11 to 900 and 21 to 801, from the bottom, of 1030 rows.
    part = service.ok(f"/cubes/sky.fits/region.{suffix}?channel=1&cuts=-12,20&level={level}&box=11,21,900,801")
    top, bottom = (1030 - 801) >> level, -(-(1030 - 20) >> level)
    expected = whole[top:bottom, 10 >> level : -(-900 >> level)]
    reference.assert_close(part.body, expected, 1)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_streamed_mixes_are_those_of_tiles(service: Service, suffix: str) -> None:
    query = "mix=0:1,0,0.5&mix=2:0,1,0.5&cuts=0:-12,20&cuts=2:-10,25"
    tile = reference.decoded(service.ok(f"/cubes/sky.fits/tiles/0/1/2.png?{query}").body)
    response = service.ok(f"/cubes/sky.fits/region.{suffix}?{query}")
    assert response.headers["Content-Disposition"] == f'attachment; filename="sky.fits_1025x1030.{suffix}"'
    with Image.open(io.BytesIO(response.body)) as image:  # with alpha, as there are pixels without a value elsewhere
        picture = np.asarray(image.convert("RGB"))
    assert np.array_equal(picture[256:512, 512:768], tile)


def test_jpeg_and_webp_come_whole(service: Service) -> None:
    for suffix, kind in (("jpg", "JPEG"), ("webp", "WEBP")):
        image = Image.open(io.BytesIO(service.ok(f"/cubes/sky.fits/region.{suffix}?box=1,1,300,200").body))
        assert (image.format, image.size) == (kind, (300, 200))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_browser_that_has_it_is_told_so(service: Service, suffix: str) -> None:
    path = f"/cubes/sky.fits/region.{suffix}?box=1,1,30,20&cuts=0,1"
    tag = service.ok(path).headers["ETag"]
    assert service.get(path, {"If-None-Match": tag}).status == 304
    assert service.ok(path.replace("cuts=0,1", "cuts=0,2"), {"If-None-Match": tag}).headers["ETag"] != tag


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("box=1,2,3", "box"),
        ("box=2000,1,2001,5", "box"),
        ("box=a,1,2,5", "box"),
        ("level=9", "level"),
        ("size=9", "size"),
    ],
)
def test_what_cannot_be_used_is_named(service: Service, query: str, parameter: str) -> None:
    response = service.get(f"/cubes/sky.fits/region.png?{query}")
    assert (response.status, response.parameter) == (400, parameter)


def test_limits(cubes: Sky) -> None:
    with serving(cubes.folder, export_pixels=10_000, export_read=30_000, region_tiles=1, tile_size=32) as limited:
        for path in ("region.png", "region.png?box=1,1,100,100", "region.jpg?box=1,1,90,90"):
            response = limited.get(f"/cubes/sky.fits/{path}")
            assert (response.status, response.parameter) == (413, "box"), path
        limited.ok("/cubes/sky.fits/region.png?box=1,1,80,80")


def test_what_is_refused_is_added_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits.writeto(tmp_path / "deep.fits", np.zeros((20, 400, 300), np.uint8))
    added: list[Box] = []

    def counted(reader: Reader, level: int, box: Box, style: Style) -> tuple[int, int]:
        added.append(box)
        return region_costs(reader, level, box, style)

    monkeypatch.setattr(exports, "region_costs", counted)
    path = "/cubes/deep.fits/region.png?mix=range:*:red&cuts=0,1"
    with serving(tmp_path, read_limit=50_000, export_read=1_000_000) as deep:
        assert deep.get(path).status == 413
        assert len(added) <= 2
        added.clear()
        assert deep.get(f"{path}&box=1,1,300,100").status == 200
        assert len(added) == len(set(added)) + 1  # of the whole twice


def test_webp_has_a_side_it_cannot_exceed(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "wide.fits", np.zeros((2, 16_384), np.uint8))
    with serving(tmp_path) as wide:
        assert wide.get("/cubes/wide.fits/region.webp?cuts=0,1").status == 413
        wide.ok("/cubes/wide.fits/region.webp?cuts=0,1&box=1,1,16383,2")


def _sparse(path: Path, width: int, height: int) -> None:
    header = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", height)])
    text = header.tostring()
    with path.open("wb") as file:
        file.write(text.encode())
        file.truncate(len(text) + -(-width * height // 2880) * 2880)


_MADE: list[int] = []
"""Rows at which the bands began that workers have made: the workers are in this process."""


def _counted(reader: Reader, level: int, band: Box, *others: Any) -> bytes:
    _MADE.append(band.top)
    return make_band(reader, level, band, *others)


def _failing(reader: Reader, level: int, band: Box, *others: Any) -> bytes:
    if band.top > 30_000 or band.rows < 100:
        raise UnreadableCube("the disk is broken")
    return make_band(reader, level, band, *others)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    _MADE.clear()
    monkeypatch.setattr(region_bands, "make_band", _counted)
    return _MADE


def _begun(service: Service, name: str, suffix: str) -> socket.socket:
    """Ask for a file, and take no more than its beginning."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.settimeout(30)
    client.connect((service.host, service.port))
    client.sendall(
        f"GET /cubes/{name}/region.{suffix}?cuts=0,1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


def test_files_are_made_no_faster_than_they_are_taken_and_no_further(tmp_path: Path, made: list[int]) -> None:
    _sparse(tmp_path / "tall.fits", 4096, 65_536)  # 33 bands of 8 MB
    with serving(tmp_path) as tall:
        tracemalloc.start()
        with _begun(tall, "tall.fits", "tif"):
            time.sleep(1.5)
            before = len(made)
            time.sleep(1)
            assert len(made) == before < 16
            _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        time.sleep(1)
        assert len(made) <= before + 1
        assert peak < 150e6  # the file has 268 MB
        tall.ok("/cubes/tall.fits/region.png?cuts=0,1&box=1,1,9,9")


def test_who_is_slow_is_waited_for_and_who_has_stopped_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_LONGEST_PAUSE", 0.7)
    _sparse(tmp_path / "tall.fits", 4096, 2100)  # a band of 8 MB, and a small one
    with serving(tmp_path) as tall, contextlib.ExitStack() as stack:
        with _begun(tall, "tall.fits", "tif") as slow:
            size = 15
            while data := slow.recv(2**17):
                size += len(data)
                time.sleep(0.03)
        assert size > 4096 * 2100
        for _ in range(8):  # as many as are sent at a time
            stack.enter_context(_begun(tall, "tall.fits", "tif"))
        small = "/cubes/tall.fits/region.png?cuts=0,1&box=1,1,9,9"
        assert tall.get(small).status == 503
        wait_until(lambda: tall.get(small).status == 200)


def test_a_tall_file_comes_whole_in_bounded_memory(tmp_path: Path) -> None:
    _sparse(tmp_path / "tall.fits", 4096, 40_000)
    with serving(tmp_path) as tall:
        connection = HTTPConnection(tall.host, tall.port, timeout=60)
        with contextlib.closing(connection):
            tracemalloc.start()
            connection.request("GET", "/cubes/tall.fits/region.tif?cuts=0,1")
            answer = connection.getresponse()
            size = 0
            while piece := answer.read(2**16):
                size += len(piece)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert size == int(answer.headers["Content-Length"]) > 4096 * 40_000
        assert peak < 120e6


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_a_file_that_breaks_off_is_not_taken_for_whole(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_bands, "make_band", _failing)
    _sparse(tmp_path / "tall.fits", 1024, 65_536)
    with serving(tmp_path) as tall:
        with pytest.raises(IncompleteRead):
            tall.get(f"/cubes/tall.fits/region.{suffix}?cuts=0,1")
        # In the first band it is an error like any other.
        response = tall.get(f"/cubes/tall.fits/region.{suffix}?cuts=0,1&box=1,1,1024,50")
        assert (response.status, response.message) == (404, "the disk is broken")
