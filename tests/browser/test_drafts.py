"""A mix of many channels on an open page: coarse within a moment, then exact, and a changed cut without a blink."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from playwright.sync_api import Page, expect

from tests.browser.frames import seen_frames, watch_frames
from tests.browser.looking import Pixels, screenshot, wait_until_ready
from tests.service import Service, serving
from visiomatic_dask.engine import drafts
from visiomatic_dask.engine.drafts import Drafts, _Followed

pytestmark = pytest.mark.browser
CHANNELS, SIDE = 24, 512
TILES = ".vd-tiles .leaflet-tile"
PREVIEWS = f"{TILES}[data-state=preview]"


class Gate:
    """Holds back what follows drafts, while it is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_open = False
        want = Drafts._want

        def wanted(drafts_: Drafts, followed: _Followed) -> None:
            if self.is_open:
                want(drafts_, followed)
            elif followed.promises:
                followed.timer = asyncio.get_running_loop().call_later(0.05, wanted, drafts_, followed)

        monkeypatch.setattr(Drafts, "_want", wanted)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setattr(drafts, "AT_ONCE", 2**20)
    monkeypatch.setattr(drafts, "COARSE_FROM", 2**21)
    monkeypatch.setattr(drafts, "COARSE_READ", 2**20)
    return Gate(monkeypatch)


@pytest.fixture
def service(tmp_path: Path, gate: Gate) -> Iterator[Service]:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE]
    rings = np.sin(np.hypot(y - SIDE / 2, x - SIDE / 2) / 9)
    data = [np.roll(rings, 5 * c, 1) * 20 + rng.normal(30, 4, (SIDE, SIDE)) for c in range(CHANNELS)]
    path = tmp_path / "deep.fits"
    fits.writeto(path, np.array(data, ">f4"))
    with serving(path, tile_threads=1, pyramid="memory") as running:
        yield running


def picture(page: Page) -> Pixels:
    return screenshot(page, {"x": 240, "y": 180, "width": 500, "height": 500})


def test_a_mix_sharpens_under_an_open_page(page: Page, service: Service, gate: Gate) -> None:
    colours = ["200000", "002000", "000020"]
    mix = ";".join(f"{c}:{colours[c % 3]}:0,{60 + c}" for c in range(CHANNELS))
    page.goto(f"{service.url}#cube=deep.fits&x=256&y=256&z=1&mode=color&mix={mix}")
    wait_until_ready(page)
    count = page.locator(TILES).count()
    expect(page.locator(PREVIEWS)).to_have_count(count)
    coarse = picture(page)
    watch_frames(page)
    gate.is_open = True
    expect(page.locator(PREVIEWS)).to_have_count(0)
    seen = seen_frames(page)
    assert seen["bad"] == []
    assert seen["tiles"] == count
    exact = picture(page)
    assert np.abs(coarse - exact).mean() > 1
    page.reload()
    wait_until_ready(page)
    expect(page.locator(PREVIEWS)).to_have_count(0)
    assert np.abs(picture(page) - exact).max() == 0

    gate.is_open = False
    high = page.get_by_label("High cut").locator("visible=true").first
    expect(high).to_have_value("60")
    high.fill("6")
    high.press("Enter")
    expect(page.locator(PREVIEWS)).to_have_count(count)
    wait_until_ready(page)
    changed = picture(page)
    assert np.abs(changed - exact).mean() > 1
    gate.is_open = True
    expect(page.locator(PREVIEWS)).to_have_count(0)
    assert np.abs(picture(page) - changed).max() <= 2  # it was a draft, but nobody saw that
