"""The unmodified web client of VisiOmatic 3 shows our cubes, in mono and in colour."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from astropy.io import fits
from playwright.sync_api import Page

from tests.browser.looking import screenshot
from tests.browser.stock import StockClient

pytestmark = pytest.mark.browser

# What the client itself says of any image, before its mini-map knows how large it is.
_OF_THE_CLIENT = "Attempted to load an infinite number of tiles"
_LOADED = """() =>
    [...document.querySelectorAll('#map .leaflet-tile')].filter((t) => t.complete && t.naturalWidth).length >= 5
"""


@pytest.fixture(scope="module")
def stock() -> StockClient:
    return StockClient.fetch()


def _show(stock: StockClient, page: Page, server: str, mode: str) -> list[tuple[int, str]]:
    """Open the client, wait for its tiles, and return the answers of our server."""
    answers: list[tuple[int, str]] = []
    complaints: list[str] = []
    page.on("response", lambda r: answers.append((r.status, r.url)) if "/api" in r.url else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    stock.open(page, server, f"image=sky.fits&mode={mode}")
    page.wait_for_function(_LOADED, timeout=30_000)
    page.wait_for_timeout(700)  # tiles fade in
    assert set(complaints) <= {_OF_THE_CLIENT}
    assert {status for status, _ in answers} == {200}
    return answers


def test_mono(stock: StockClient, page: Page, server: str, sky: Path) -> None:
    """One channel, right way up, with the default cuts of INFO."""
    answers = _show(stock, page, server, "mono")
    assert any("CHAN=1&JTL=" in url for _, url in answers)
    with urlopen(f"{server}api?FIF=sky.fits&INFO") as answer:
        info = json.load(answer)
    low, high = info["images"][0]["min_max"][0]
    with fits.open(sky) as hdus:
        plane = np.asarray(hdus[0].data[0], np.float64)[::-1]
    with np.errstate(invalid="ignore"):
        level = np.nanmean(plane.reshape(275, 4, 300, 4)[10:].swapaxes(1, 2).reshape(265, 300, 16)[:, :200], axis=2)
    expected = 255 * np.clip((level - low) / (high - low), 0, 1) ** (1 / info["gamma"])
    # The client opens at its zoom 1: level 2 of 1200 x 1100 pixels, in the middle of 1300 x 900.
    shown = screenshot(page, {"x": 500, "y": 313 + 10, "width": 200, "height": 265})
    errors = {dy: np.abs(shown[8:-8] - np.roll(expected, dy, axis=0)[8:-8]).mean() for dy in (-2, -1, 0, 1, 2)}
    assert min(errors.values()) < 5
    assert np.abs(shown - expected[::-1]).mean() > 2 * min(errors.values()), "the picture may as well be upside down"


def test_colour(stock: StockClient, page: Page, server: str) -> None:
    """Three channels in colours that the client chooses."""
    answers = _show(stock, page, server, "color")
    assert any("MIX=" in url and "JTL=" in url for _, url in answers)
    picture = page.screenshot(clip={"x": 500, "y": 320, "width": 300, "height": 260})
    assert len(picture) > 20_000


def test_a_request_leaves_no_trace_in_the_next(server: str) -> None:
    """Other cuts, other mixes: the same URL gives the same bytes ever after."""
    mono, colour = "api?FIF=sky.fits&CHAN=1&JTL=1,0", "api?FIF=sky.fits&MIX=1:1,0,0&MIX=6:0,0,1&JTL=1,0"

    def get(path: str) -> bytes:
        with urlopen(server + path) as answer:
            body: bytes = answer.read()
        return body

    first = {path: get(path) for path in (mono, colour)}
    changes = ("&MINMAX=1:0,50", "&CNT=2&INV", "&MINMAX=6:-5,9&GAM=1")
    assert len({get(path + change) for path in (mono, colour) for change in changes}) > 3
    # Contrast moved by nothing that can be seen keeps the cache out of it: the pixels are rendered anew.
    assert {path: get(path) for path in (mono, colour)} == first
    assert get(mono + "&CNT=1.0") == first[mono]
