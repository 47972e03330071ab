"""A plane that is too large to be read for a tile: a preview at once, and the exact picture without another word."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.frames import seen_frames, watch_frames
from tests.browser.looking import Pixels, screenshot, wait_until_ready
from tests.browser.serving import serving

pytestmark = pytest.mark.browser

SIZE, LEVEL = 4096, 2
LOW, HIGH = 0.0, 200.0


def planes() -> NDArray[np.float32]:
    """Two planes whose rows differ, so that a preview, which has some rows only, differs from the exact picture."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    plane = 60 + 40 * np.sin(x / 90) * np.cos(y / 130) + 50 * rng.random((SIZE, 1), np.float32)
    plane += 10 * rng.standard_normal((SIZE, SIZE), np.float32)
    plane[900:1300, 1500:1900] = np.nan
    return np.stack([plane, plane[:, ::-1]])


def expected(path: Path, channel: int) -> Pixels:
    """Grey levels of a plane at the level, in raster orientation: the mean of the finite pixels of every block."""
    with fits.open(path) as hdus:
        plane = np.asarray(hdus[0].data[channel], np.float64)[::-1]
    n = SIZE >> LEVEL
    blocks = plane.reshape(n, 1 << LEVEL, n, 1 << LEVEL)
    finite = np.isfinite(blocks)
    total, count = np.where(finite, blocks, 0).sum((1, 3)), finite.sum((1, 3))
    mean = np.where(count > 0, total / np.maximum(count, 1), LOW)
    return 255 * np.clip((mean - LOW) / (HIGH - LOW), 0, 1)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A server with a store of its own, and the cube; tiles of the level read more than they may."""
    monkeypatch.setenv("DASK_VISIOMATIC__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DASK_VISIOMATIC__EXACT_READ", "256 kiB")
    monkeypatch.setenv("DASK_VISIOMATIC__PREVIEW_READ", "8 MiB")
    folder = tmp_path / "cubes"
    folder.mkdir()
    fits.writeto(folder / "large.fits", planes())
    with serving(folder, log=tmp_path / "server.log") as url:
        yield url, folder / "large.fits"


def middle(page: Page) -> Pixels:
    """Screenshot of the 400 x 400 pixels of the level in the middle of the plane."""
    corner = page.evaluate("([x, y]) => window.visiomatic.containerPoint(x, y)", [SIZE // 2 - 800, SIZE // 2 - 800])
    return screenshot(page, {"x": round(corner["x"]), "y": round(corner["y"]), "width": 400, "height": 400})


def centre(level: Pixels) -> Pixels:
    """The same pixels of a whole level."""
    part = slice(SIZE // 8 - 200, SIZE // 8 + 200)
    return level[part, part]


def link(url: str, channel: int) -> str:
    place = f"x={SIZE // 2}&y={SIZE // 2}&z={4 - LEVEL}"
    look = f"contrast=1&gamma=1&method=manual&shared=1&cuts={LOW},{HIGH}&png=1"
    return f"{url}#cube=large.fits&{place}&channel={channel}&{look}"


def test_a_preview_becomes_exact_by_itself(page: Page, served: tuple[str, Path]) -> None:
    url, path = served
    page.goto(link(url, 0))
    wait_until_ready(page)
    watch_frames(page)
    page.wait_for_function("() => document.querySelector('#badge').dataset.state === 'idle'", timeout=60_000)
    wait_until_ready(page)
    seen = seen_frames(page)
    want = expected(path, 0)
    exact = np.abs(middle(page) - centre(want))
    print(f"exact, off by {exact.mean():.2f} (at most {exact.max():.1f}); {seen}")
    assert seen["bad"] == []
    assert "preview" in seen["states"]
    assert set(seen["states"]) <= {"preview", "idle"}
    assert exact.max() <= 1.5  # PNG: nothing but the table of the renderer, and rounding
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert page.locator(".vd-tiles .leaflet-tile:not([data-state=exact])").count() == 0

    # Another channel, which nobody has looked at yet, is a preview in its turn, and is built; the first stays exact.
    answer = page.request.get(f"{url}cubes/large.fits/tiles/{LEVEL}/1/1.png?channel=1&cuts={LOW},{HIGH}&gamma=1")
    assert answer.headers["x-visiomatic-quality"] == "preview"
    assert answer.headers["cache-control"] == "no-store"
    picture = np.asarray(Image.open(io.BytesIO(answer.body())).convert("L"), np.float64)
    assert np.abs(picture - expected(path, 1)[256:512, 256:512]).mean() > 3
    page.locator("#channel-slider").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => window.visiomatic.view().channel === 1 && window.visiomatic.ready")
    page.wait_for_function("() => document.querySelector('#badge').dataset.state === 'idle'", timeout=60_000)
    assert np.abs(middle(page) - centre(expected(path, 1))).max() <= 1.5
    page.goto("about:blank")
    page.goto(link(url, 0))
    wait_until_ready(page)
    assert page.locator(".vd-tiles .leaflet-tile[data-state=preview]").count() == 0
