"""A cube of 1 TB (sparse: the disk holds kilobytes of it), served by ``serve`` as a user would."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .. import reference
from ..processes import Started, memory_of, started, visiomatic
from ..service import Service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

SIDE, CHANNELS = 50_000, 100
BLOCK = 2880


def sparse_cube(path: Path) -> None:
    """Write the header of 1 TB of float32, and pixels in the corner that is the first tile's."""
    cards = {"SIMPLE": "T", "BITPIX": -32, "NAXIS": 3, "NAXIS1": SIDE, "NAXIS2": SIDE, "NAXIS3": CHANNELS}
    header = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    offset = -(-len(header) // BLOCK) * BLOCK
    size = 4 * SIDE * SIDE * CHANNELS
    with path.open("wb") as file:
        file.write(header.ljust(offset).encode("ascii"))
        for row in range(256):  # the first rows of the picture are the last of the file's plane
            file.seek(offset + 4 * (7 * SIDE * SIDE + (SIDE - 1 - row) * SIDE))
            file.write(np.full(256, row, ">f4").tobytes())
        file.truncate(offset + -(-size // BLOCK) * BLOCK)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "tera.fits"
    sparse_cube(path)
    assert path.stat().st_size > 10**12
    assert path.stat().st_blocks * 512 < 10**8
    return path


@pytest.fixture(scope="module")
def server(cube: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, Service]]:
    command = visiomatic("serve", cube, "--port", 0, "--no-browser")
    with started(command, tmp_path_factory.mktemp("log") / "serve.log") as one:
        one.wait_for("Ctrl-C")
        url = re.search(r"http://[\d.]+:\d+/", one.text)
        assert url is not None
        service = Service(url[0])
        service.ok("/health")
        yield one, service
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(20) == 0


def test_opens_and_shows_a_tile_within_a_second(server: tuple[Started, Service]) -> None:
    process, service = server
    start = time.monotonic()
    tile = service.ok("/cubes/tera.fits/tiles/0/0/0.png?channel=7&cuts=0,255&gamma=1")
    elapsed = time.monotonic() - start
    expected = np.repeat(np.arange(256)[:, None], 256, axis=1)
    reference.assert_close(tile.body, expected, 1)
    assert "X-Visiomatic-Quality" not in tile.headers
    print(f"first tile after {elapsed:.3f} s, {memory_of(process.pid) / 1e6:.0f} MB")
    assert elapsed < 1


def test_default_cuts_are_found_in_a_bounded_sample(server: tuple[Started, Service]) -> None:
    _, service = server
    start = time.monotonic()
    info = service.ok("/api?FIF=tera.fits&INFO").json
    elapsed = time.monotonic() - start
    assert info["full_size"] == [SIDE, SIDE]
    assert info["tile_levels"] == 9
    assert len(info["images"][0]["min_max"]) == CHANNELS
    print(f"INFO after {elapsed:.3f} s")
    assert elapsed < 2


def test_coarsest_tile_is_a_preview(server: tuple[Started, Service]) -> None:
    process, service = server
    start = time.monotonic()
    tile = service.ok("/cubes/tera.fits/tiles/8/0/0.jpg?channel=7&cuts=0,255")
    elapsed = time.monotonic() - start
    assert tile.headers["X-Visiomatic-Quality"] == "preview"
    assert reference.decoded(tile.body).shape == (196, 196)
    print(f"preview after {elapsed:.3f} s, {memory_of(process.pid) / 1e6:.0f} MB")
    assert elapsed < 10


def test_memory_stays_bounded_while_panning(server: tuple[Started, Service]) -> None:
    process, service = server
    most = 0
    for number in range(60):
        level, channel = number % 7, number % CHANNELS
        last = -(-SIDE // (256 << level)) - 1
        place = f"{level}/{min(3 * number, last)}/{min(2 * number, last)}"
        service.ok(f"/cubes/tera.fits/tiles/{place}.jpg?channel={channel}&cuts=0,1")
        most = max(most, memory_of(process.pid))
    colour = service.ok("/api?FIF=tera.fits&JTL=8,9000&" + "&".join(f"MINMAX={c}:0,1" for c in range(1, CHANNELS + 1)))
    assert reference.decoded(colour.body).shape == (256, 256, 3)
    region = service.get("/api?FIF=tera.fits&CHAN=1&RGN=1,1:50000,50000")
    assert region.status == 413
    assert "1024 tiles" in region.message
    values = service.ok("/api?FIF=tera.fits&VAL=1,50000").json["values"]
    assert len(values) == CHANNELS
    most = max(most, memory_of(process.pid))
    print(f"at most {most / 1e6:.0f} MB")
    assert most < 1.5e9


@pytest.mark.parametrize("region", ["1,1:50000,5", "1,1:5,50000", "1,1:50000,50000&BIN=16"])
def test_regions_within_the_limit(server: tuple[Started, Service], region: str) -> None:
    _, service = server
    response = service.ok(f"/api?FIF=tera.fits&CHAN=1&MINMAX=1:0,1&RGN={region}")
    assert response.headers["Content-Type"] == "image/jpeg"
