"""The viewer on a demonstration cube: dragged, zoomed, another channel, another contrast, and the pixels that come of
it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import SKY
from tests.browser.looking import reference, screenshot, square, view, wait_until_ready

pytestmark = pytest.mark.browser


@pytest.fixture
def viewer(page: Page, server: str) -> Page:
    """The viewer, settled, with every complaint of the page recorded as a failure."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{server}?image=sky.fits&channel=0")
    wait_until_ready(page)
    assert complaints == []
    return page


def test_first_view_fits_the_image(viewer: Page) -> None:
    """Without a word from the user the whole image is there, and it is not black."""
    top_left = viewer.evaluate("() => window.visiomatic.containerPoint(0, 0)")
    bottom_right = viewer.evaluate(f"() => window.visiomatic.containerPoint({SKY['width']}, {SKY['height']})")
    assert 0 <= top_left["x"] < bottom_right["x"] <= 1300
    assert 0 <= top_left["y"] < bottom_right["y"] <= 900
    assert bottom_right["y"] - top_left["y"] > 400
    grey = screenshot(viewer, {"x": 300, "y": 200, "width": 300, "height": 300})
    assert grey.mean() > 10
    assert grey.std() > 5


def test_pixels_after_drag_zoom_channel_and_contrast(viewer: Page, sky: Path) -> None:
    """Driven as a person would, down to full resolution, the screen shows what astropy and NumPy alone make of the
    file."""
    before = view(viewer)["center"]
    viewer.mouse.move(500, 450)
    viewer.mouse.down()
    viewer.mouse.move(380, 400, steps=8)
    viewer.mouse.up()
    wait_until_ready(viewer)
    after = view(viewer)["center"]
    assert after["x"] > before["x"] + 30
    assert after["y"] > before["y"] + 10

    for _ in range(40):
        if view(viewer)["level"] == 0 and view(viewer)["zoom"] >= 2.5:
            break
        viewer.mouse.wheel(0, -120)
        viewer.wait_for_timeout(150)
    wait_until_ready(viewer)
    assert view(viewer)["level"] == 0
    # The wheel stops where it likes; level 0 pixel for pixel is what can be compared.
    levels = int(np.ceil(np.log2(max(SKY["width"], SKY["height"]) / 256)))
    viewer.evaluate(f"() => window.visiomatic.setView({{x: 600, y: 500, zoom: {levels}}})")
    wait_until_ready(viewer)

    viewer.locator("#channel-slider").focus()
    for _ in range(3):
        viewer.keyboard.press("ArrowRight")
    wait_until_ready(viewer)
    assert view(viewer)["style"]["channel"] == 3
    for name, value in (("cut-low", "0"), ("cut-high", "150")):
        viewer.locator(f"#{name}").fill(value)
        viewer.locator(f"#{name}").press("Enter")
    viewer.locator("#contrast-value").fill("1.6")
    viewer.locator("#contrast-value").press("Enter")
    wait_until_ready(viewer)
    style = view(viewer)["style"]
    assert style["contrast"] == pytest.approx(1.6)

    shown = square(viewer, 450, 350, 300)
    expected = reference(sky, 3, 0, 150, 1.6, style["gamma"])[350:650, 450:750]
    assert expected.std() > 10, "the place is too dull to prove anything"
    difference = np.abs(shown - expected)
    # JPEG at quality 90 on a noisy sky; one pixel of displacement, or a row upside down, gives several times that.
    assert difference.mean() < 3
    shifted = np.abs(shown[1:] - expected[:-1]).mean()
    assert difference.mean() < 0.5 * shifted


def test_every_channel_is_reachable(viewer: Page) -> None:
    """The slider ends at the last channel, and every step shows a picture of its own."""
    slider = viewer.locator("#channel-slider")
    slider.focus()
    seen = []
    for channel in range(SKY["channels"]):
        assert view(viewer)["style"]["channel"] == channel
        seen.append(screenshot(viewer, {"x": 300, "y": 200, "width": 300, "height": 300}))
        viewer.keyboard.press("ArrowRight")
        wait_until_ready(viewer)
    assert view(viewer)["style"]["channel"] == SKY["channels"] - 1
    assert all(np.abs(one - other).mean() > 0.1 for one, other in pairwise(seen))


def test_colour_invert_and_colormap(viewer: Page) -> None:
    """Colour, inversion and colormaps change what is seen, and back again gives the first picture."""
    clip = {"x": 300, "y": 200, "width": 300, "height": 300}
    first = screenshot(viewer, clip)
    viewer.locator("#invert").check()
    wait_until_ready(viewer)
    assert np.abs(255 - first - screenshot(viewer, clip)).mean() < 2
    viewer.locator("#invert").uncheck()
    viewer.locator("#colormap").select_option("jet")
    wait_until_ready(viewer)
    assert np.abs(first - screenshot(viewer, clip)).mean() > 10
    viewer.locator("#colormap").select_option("grey")
    viewer.locator("#mode-color").click()
    wait_until_ready(viewer)
    picture = viewer.screenshot()
    assert len(picture) > 10_000
    viewer.locator("#mode-mono").click()
    wait_until_ready(viewer)
    assert np.abs(first - screenshot(viewer, clip)).mean() < 1


def test_position_and_value_under_the_cursor(viewer: Page, sky: Path) -> None:
    """The status line tells pixel, sky position and value, as astropy does."""
    from astropy.io import fits
    from astropy.wcs import WCS

    x, y = 700, 400
    point = viewer.evaluate(f"() => window.visiomatic.containerPoint({x} + 0.5, {y} + 0.5)")
    viewer.mouse.move(point["x"], point["y"])
    with fits.open(sky) as hdus:
        column, row = x, SKY["height"] - 1 - y
        value = float(hdus[0].data[0, row, column])
        position = WCS(hdus[0].header).celestial.pixel_to_world(column, row)
    expect(viewer.locator("#status-position")).to_contain_text(
        position.ra.to_string("hourangle", precision=0, pad=True)[:6]
    )
    shown = viewer.locator("#status-value").inner_text()
    number = float(shown.split()[0].replace("\N{MINUS SIGN}", "-"))
    # The first view is zoomed out, so the cursor may be a pixel off; what is shown has to be that pixel's value.
    text = viewer.locator("#status-position").inner_text()
    digits = [int(part) for part in text.replace("x", " ").replace("y", " ").split()[:2]]
    with fits.open(sky) as hdus:
        value = float(hdus[0].data[0, digits[1] - 1, digits[0] - 1])
    assert abs(digits[0] - 1 - x) <= 1
    assert abs(digits[1] - 1 - row) <= 1
    assert number == pytest.approx(value, rel=1e-4)


def test_a_link_is_the_view(viewer: Page, page: Page) -> None:
    """The address holds the whole view: opened afresh, it shows the same."""
    viewer.locator("#channel-slider").focus()
    viewer.keyboard.press("ArrowRight")
    viewer.evaluate("() => window.visiomatic.setView({x: 400, y: 300, zoom: 2})")
    wait_until_ready(viewer)
    viewer.wait_for_function("() => location.hash.length > 3")
    viewer.wait_for_timeout(500)
    state, address = view(viewer), viewer.url
    page.goto("about:blank")
    page.goto(address)
    wait_until_ready(page)
    again = view(page)
    assert again["style"]["channel"] == 1
    assert again["zoom"] == pytest.approx(state["zoom"])
    assert again["center"]["x"] == pytest.approx(state["center"]["x"], abs=1)


def test_superseded_tiles_are_not_waited_for(viewer: Page) -> None:
    """After ten contrast changes in half a second the picture settles at the last one."""
    answers: list[Response] = []
    viewer.on("response", lambda response: answers.append(response) if "/tiles/" in response.url else None)
    field = viewer.locator("#contrast")
    for step in range(10):
        field.evaluate(
            f"(e) => {{ e.value = {1 + step * 0.1}; e.dispatchEvent(new Event('input', {{bubbles: true}})) }}"
        )
        viewer.wait_for_timeout(50)
    field.dispatch_event("change")
    wait_until_ready(viewer)
    assert view(viewer)["style"]["contrast"] == pytest.approx(1.9)
    assert all(response.status < 400 for response in answers)
