"""The list of cubes: folders, pages, details that come later, and keys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from astropy.io import fits
from playwright.sync_api import Page, expect

from tests.browser.looking import view, wait_until_ready
from tests.browser.serving import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of a small tree, with a folder of 450 files."""
    root = tmp_path_factory.mktemp("tree")
    (root / "survey" / "fields").mkdir(parents=True)
    fits.writeto(root / "orion.fits", np.ones((3, 40, 50), np.float32))
    fits.writeto(root / "m51.fits", np.ones((300, 310), np.int16))
    (root / "notes.txt").write_text("no cube")
    (root / "damaged.fits").write_bytes((root / "m51.fits").read_bytes()[:5000])
    fits.writeto(root / "survey" / "fields" / "f000.fits", np.ones((20, 30), np.int16))
    data = (root / "survey" / "fields" / "f000.fits").read_bytes()
    for number in range(1, 450):
        (root / "survey" / "fields" / f"f{number:03d}.fits").write_bytes(data)
    with serving(root, log=tmp_path_factory.mktemp("server") / "server.log") as url:
        yield url


def test_down_to_a_cube_and_back(page: Page, server: str) -> None:
    page.goto(server)
    rows = page.locator(".vd-list-row")
    expect(rows).to_have_count(5)
    expect(rows.nth(0)).to_contain_text("survey/")
    expect(page.locator("li", has_text="orion.fits")).to_contain_text("50 × 40 × 3")
    expect(page.locator("li", has_text="damaged.fits")).to_contain_text("truncated")
    expect(page.locator("li", has_text="notes.txt").locator("a")).to_have_count(0)

    page.locator("#cube-filter").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".vd-crumbs")).to_contain_text("survey")
    page.get_by_role("button", name="fields/").click()
    expect(rows.first).to_contain_text("f000.fits")
    page.mouse.move(600, 600)
    for _ in range(20):  # the end of the list comes nearer as long as there is more
        if rows.count() == 450:
            break
        page.mouse.wheel(0, 100_000)
        page.wait_for_timeout(300)
    expect(rows).to_have_count(450)
    expect(rows.last).to_contain_text("30 × 20", timeout=20_000)
    page.locator("#cube-filter").fill("f44")
    expect(rows).to_have_count(10)
    rows.nth(3).click()
    wait_until_ready(page)
    assert view(page)["cube"] == "survey/fields/f443.fits"

    page.locator("#switch-cube").click()
    expect(page.locator(".vd-crumbs")).to_contain_text("fields")
    page.locator("#cube-filter").fill("f44")
    expect(page.locator("a[aria-current]")).to_contain_text("f443.fits")
    page.get_by_role("button", name="All cubes").click()
    page.locator("li", has_text="m51.fits").locator("a").click()
    page.wait_for_function("() => window.visiomatic.view()?.cube === 'm51.fits'")
