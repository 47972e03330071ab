"""A file that is replaced, and then deleted, under an open page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from playwright.sync_api import Page, expect

from tests.browser.looking import screenshot, view, wait_until_ready
from tests.browser.serving import serving
from tests.processes import wait_until

pytestmark = pytest.mark.browser

PLACE = {"x": 300, "y": 300, "width": 200, "height": 200}


def write(path: Path, value: float, rows: int = 1500) -> None:
    """Put a cube of one value in the place of what is there, at once."""
    new = path.with_suffix(".new")
    fits.writeto(new, np.full((2, rows, 1500), value, np.float32), overwrite=True)
    new.replace(path)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server of a folder, and the one file in it."""
    folder = tmp_path / "cubes"
    folder.mkdir()
    write(folder / "a.fits", 40)
    with serving(folder, log=tmp_path / "server.log") as url:
        yield url, folder / "a.fits"


def answer(page: Page) -> tuple[int, str]:
    """Status and fingerprint that the server says of the file now; for a second it may say what it was."""
    found = page.evaluate("async () => { const a = await fetch('cubes/a.fits'); return [a.status, await a.json()] }")
    return found[0], found[1].get("fingerprint", "")


def test_replaced_and_deleted_under_an_open_page(page: Page, served: tuple[str, Path]) -> None:
    url, path = served
    look = "contrast=1&gamma=1&method=manual&shared=1&cuts=0,255&png=1"
    page.goto(f"{url}#cube=a.fits&x=700&y=800&z=3&channel=1&{look}")
    wait_until_ready(page)
    before, first = view(page), answer(page)
    assert abs(screenshot(page, PLACE) - 40).max() <= 1

    write(path, 120, rows=1700)
    # Until the server has looked again, it may make tiles of what it has in memory of the old file.
    wait_until(lambda: answer(page) != first, 20)
    page.locator("#contrast-value").fill("1.5")
    page.locator("#contrast-value").press("Enter")
    expect(page.locator("#messages")).to_contain_text("changed on the server", timeout=20_000)
    page.wait_for_function("() => document.querySelector('#badge').dataset.state === 'idle'", timeout=20_000)
    wait_until_ready(page)
    after = view(page)
    assert answer(page) != first
    assert abs(screenshot(page, PLACE) - 180).max() <= 1
    assert (after["channel"], after["style"]["contrast"], after["style"]["gamma"]) == (1, 1.5, 1)
    assert (after["center"], after["zoom"]) == (before["center"], before["zoom"])

    path.unlink()
    wait_until(lambda: answer(page)[0] == 404, 20)
    page.locator("#contrast-value").fill("1")
    page.locator("#contrast-value").press("Enter")
    expect(page.locator("#badge")).to_have_text("No longer on the server", timeout=20_000)
    expect(page.locator("#messages")).to_contain_text("a.fits is no longer on the server")
    assert abs(screenshot(page, PLACE) - 180).max() <= 1  # what was there stays

    write(path, 200)
    page.wait_for_function("() => document.querySelector('#badge').dataset.state === 'idle'", timeout=20_000)
    wait_until_ready(page)
    assert abs(screenshot(page, PLACE) - 200).max() <= 1
