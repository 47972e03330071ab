"""Styles chosen on the page: recipes, stretches, colormaps by their looks, and the pixels that come of it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.looking import view, wait_until_ready

pytestmark = pytest.mark.browser


def test_a_recipe_and_a_stretch_chosen_on_the_page(page: Page, server: str, sky: Path) -> None:
    """All channels in red through asinh: what NumPy alone makes of the file, and nothing in green or blue."""
    described = page.request.get(f"{server}cubes/sky.fits").json()
    levels = len(described["levels"]) - 1
    page.goto(f"{server}#cube=sky.fits&x=600&y=550&z={levels}&png=1")
    wait_until_ready(page)
    page.locator("#mode-color").click()
    page.locator("#recipe").select_option("other")
    page.locator("#recipe-text").fill("range:*:red")
    page.locator("#recipe-text").press("Enter")
    page.locator("#stretch").select_option("asinh")
    page.locator("#stretch-value").fill("20")
    page.locator("#stretch-value").press("Enter")
    wait_until_ready(page)
    style = view(page)["style"]
    assert (style["recipe"], style["stretch"], style["gamma"]) == ("range:*:red", "asinh:20", 1)

    corner = page.evaluate("() => window.visiomatic.containerPoint(450, 350)")
    clip = {"x": round(corner["x"]), "y": round(corner["y"]), "width": 300, "height": 300}
    shown = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"), np.float64)  # type: ignore[arg-type]
    planes = fits.getdata(sky).astype(np.float64)[:, ::-1][:, 350:650, 450:750]
    cuts = np.array(described["cuts"])[:, :, None, None]
    v = np.where(np.isfinite(planes), (planes - cuts[:, 0]) / (cuts[:, 1] - cuts[:, 0]), 0).mean(axis=0).clip(0, 1)
    expected = 255 * np.arcsinh(20 * v) / np.arcsinh(20)
    assert expected.std() > 5, "the place is too dull to prove anything"
    assert np.abs(shown[:, :, 0] - expected).max() <= 2
    assert shown[:, :, 1:].max() == 0

    # The address follows the view, but not at every step of it.
    page.wait_for_function("() => location.hash.includes('recipe=range') && location.hash.includes('asinh:20')")
    link = page.evaluate("() => location.hash")
    page.goto("about:blank")
    page.goto(f"{server}{link}")
    wait_until_ready(page)
    assert view(page)["style"] == style


def test_a_colormap_chosen_by_its_looks(page: Page, server: str) -> None:
    page.goto(f"{server}?image=sky.fits&channel=0")
    wait_until_ready(page)
    page.locator("#colormap-gallery").click()
    page.locator("#gallery input").fill("cmr.rainf")
    button = page.locator('#gallery button[data-name="cmr.rainforest"]')
    expect(page.locator("#gallery [role=option]:visible")).to_have_count(2)  # and reversed
    strip = button.locator(".vd-strip").evaluate("(element) => getComputedStyle(element).backgroundImage")
    answer = page.request.get(strip.removeprefix('url("').removesuffix('")'))
    assert answer.ok
    button.click()
    wait_until_ready(page)
    assert view(page)["style"]["colormap"] == "cmr.rainforest"
    expect(page.locator("#colormap")).to_have_value("cmr.rainforest")
    middle = {"x": 300, "y": 200, "width": 300, "height": 300}
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=middle))).convert("RGB"), np.float64)  # type: ignore[arg-type]
    assert np.abs(picture[:, :, 0] - picture[:, :, 2]).mean() > 5, "it is grey"
