"""A file that is replaced while it is served: a new fingerprint, and never a mixture of the two."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from .. import reference
from ..processes import wait_until
from ..service import serving


def value_of(data: bytes) -> int:
    """Value of all pixels of a tile, which are multiples of ten; the transfer table may err by one."""
    pixels = reference.decoded(data)
    (value,) = np.unique(np.round(pixels, -1))
    assert np.abs(pixels - value).max() <= 1
    return int(value)


def write(path: Path, value: float) -> None:
    """Put a cube of one value in the place of what is there, at once."""
    new = path.with_suffix(".new")
    fits.writeto(new, np.full((2, 600, 600), value, np.float32))
    new.replace(path)


def test_replaced_while_served(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    write(path, 10)
    tiles = [f"/cubes/a.fits/tiles/0/{row}/{column}.png?cuts=0,255&gamma=1" for row in range(3) for column in range(3)]
    with serving(tmp_path, tile_threads=1) as service, ThreadPoolExecutor(4) as pool:
        first = service.ok("/cubes/a.fits").json["fingerprint"]
        fixed = f"{tiles[0]}&v={first}"
        assert value_of(service.ok(fixed).body) == 10
        etags: dict[str, int] = {}
        now = [first]
        for value in (20, 30):
            answers = pool.map(service.get, tiles * 6)
            write(path, value)
            for answer in answers:
                assert answer.status in (200, 409)
                if answer.status == 200:
                    found = value_of(answer.body)
                    assert found in (value - 10, value)
                    assert etags.setdefault(answer.headers["ETag"], found) == found
            wait_until(lambda: service.get("/cubes/a.fits").json.get("fingerprint", now[0]) != now[0], 10)
            now.insert(0, service.ok("/cubes/a.fits").json["fingerprint"])
            wait_until(lambda: service.get(tiles[8]).status == 200, 10)
            assert value_of(service.ok(tiles[8]).body) == value
        assert len(set(now)) == 3
        changed = service.get(fixed)
        assert (changed.status, changed.parameter) == (409, "v")


def test_changed_in_place_is_noticed_before_a_pixel_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    write(path, 10)
    with serving(tmp_path, tile_threads=1) as service:
        opened = time.monotonic()
        service.ok("/cubes/a.fits")
        with path.open("r+b") as file:  # same size, other pixels, other time
            file.seek(-4, os.SEEK_END)
            file.write(b"\x40\0\0\0")
        os.utime(path, ns=(1, 1))
        answer = service.get("/cubes/a.fits/tiles/0/0/0.png?cuts=0,255")
        # For a second the server takes the file for the one it opened; the reader does not.
        if time.monotonic() - opened < 1:
            assert answer.status == 409
            assert "a.fits has changed" in answer.message
            assert str(tmp_path) not in answer.message
        wait_until(lambda: service.get("/cubes/a.fits/tiles/0/0/0.png?cuts=0,255").status == 200, 10)


@pytest.mark.parametrize("path", ["/cubes/a.fits", "/cubes/a.fits/tiles/0/0/0.png", "/api?FIF=a.fits&VAL=1,1"])
def test_removed_while_served(tmp_path: Path, path: str) -> None:
    write(tmp_path / "a.fits", 10)
    with serving(tmp_path, tile_threads=1) as service:
        service.ok(path)
        (tmp_path / "a.fits").unlink()
        wait_until(lambda: service.get(path).status == 404, 10)
        assert service.get(path).message
