"""The stretch ``histogram``: levels that are equally frequent, whatever is in the store, for one plane."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..service import Response, Service, serving
from .conftest import Sky

TILE = "/cubes/sky.fits/tiles/0/1/1.png?channel=1&stretch=histogram&cuts=-30,40"


def grey(response: Response) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(response.body)).convert("L")).astype(np.int64)


def test_levels_are_equally_frequent(service: Service) -> None:
    """Over the whole plane, which these tiles cover."""
    tiles = [
        grey(service.ok(f"{TILE.replace('/0/1/1.', f'/0/{row}/{column}.')}&bad=lo"))
        for row in range(4)
        for column in range(4)
    ]
    levels = np.concatenate([tile.ravel() for tile in tiles])
    counts, _ = np.histogram(levels[levels > 0], 16, (0, 256))
    assert counts.min() > 0.9 * counts.mean()
    assert counts.max() < 1.1 * counts.mean()


def test_the_bytes_do_not_depend_on_the_store(cubes: Sky, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    settings: dict[str, Any] = {"sample_limit": "256 kB", "exact_read": "64 kB", "tile_threads": 1}
    path = cubes.folder / "sky.fits"
    with serving(path, pyramid="memory", **settings) as service:
        before = service.ok(TILE)
    with serving(path, store=str(tmp_path / "store"), pyramid="ahead", **settings) as service:
        service.ok("/cubes/sky.fits")
        end = time.monotonic() + 60
        while service.ok("/cubes/sky.fits/cuts?scope=cube").json["source"] != "exact":
            assert time.monotonic() < end
            time.sleep(0.05)
        after = service.ok(TILE)
    assert (after.headers["ETag"], after.body) == (before.headers["ETag"], before.body)


def test_a_mix_cannot_be_equalised(service: Service) -> None:
    response = service.get("/cubes/sky.fits/tiles/0/0/0.png?mix=0:1,0,0&stretch=histogram")
    assert (response.status, response.parameter) == (400, "stretch")
