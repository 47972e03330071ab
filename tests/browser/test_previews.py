"""Previews that become exact under an open page, whatever made them: the page's part alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.announcing import Announcing, announcing
from tests.browser.conftest import SKY
from tests.browser.frames import seen_frames, watch_frames
from tests.browser.looking import screenshot, wait_until_ready
from tests.processes import wait_until
from visiomatic_dask.pyramid import Box

pytestmark = pytest.mark.browser

LEVEL = 1
"""Of the picture: 3 x 3 tiles."""
WIDTH, HEIGHT = SKY["width"] // 2, SKY["height"] // 2
TOP = Box(0, 0, 256, WIDTH)
REST = Box(256, 0, HEIGHT, WIDTH)
PREVIEWS = ".vd-tiles .leaflet-tile[data-state=preview]"
BADGE = "#badge"
LINE = "[data-testid=building]"


@pytest.fixture
def server(sky: Path) -> Iterator[Announcing]:
    with announcing(sky) as running:
        yield running


def look(page: Page, server: Announcing, more: str = "") -> None:
    """Open the cube at the level, pixel for pixel; all of it is a preview."""
    page.goto(f"{server.url}#cube=sky.fits&x=600&y=550&z=2&channel=0{more}")
    wait_until_ready(page)
    expect(page.locator(PREVIEWS)).to_have_count(9)
    expect(page.locator(BADGE)).to_have_text("Preview")


def part(page: Page, box: Box) -> np.ndarray:
    """Screenshot of a box of the level, without its rim."""
    corner = page.evaluate("([x, y]) => window.visiomatic.containerPoint(x, y)", [2 * box.left, 2 * box.top])
    rows, columns = box.bottom - box.top, box.right - box.left
    place = {"x": round(corner["x"]) + 4, "y": round(corner["y"]) + 60, "width": columns - 8, "height": rows - 64}
    return screenshot(page, place)


def test_swaps_what_an_event_touches_and_nothing_blinks(page: Page, server: Announcing) -> None:
    look(page, server)
    wait_until(server.is_heard)
    page.wait_for_timeout(500)  # everything was asked for once more when the page began to listen
    wait_until_ready(page)
    preview_top, preview_rest = part(page, TOP), part(page, REST)
    server.renderer.asked.clear()
    watch_frames(page)

    server.make_exact(lambda request: request.row == 0)
    for level, planes in ((0, (0, 1)), (2, (0, 1)), (LEVEL, (1, 6))):
        server.announce(level, TOP, planes)  # of other levels and channels: nobody asks for those
    page.wait_for_timeout(300)
    assert server.renderer.asked == []
    server.announce(LEVEL, TOP)
    expect(page.locator(PREVIEWS)).to_have_count(6)
    assert sorted(server.renderer.asked) == [(LEVEL, 0, column) for column in range(3)]
    assert np.abs(255 - preview_top - part(page, TOP)).mean() < 3
    assert np.abs(preview_rest - part(page, REST)).max() < 1
    expect(page.locator(BADGE)).to_have_text("Preview")

    server.announce(LEVEL, REST)  # it is not true yet: these stay previews, and wait for the next word
    wait_until(lambda: len(server.renderer.asked) == 9)
    page.wait_for_timeout(300)
    expect(page.locator(PREVIEWS)).to_have_count(6)
    server.make_exact(lambda _: True)
    server.announce(LEVEL, REST)
    expect(page.locator(PREVIEWS)).to_have_count(0)
    expect(page.locator(BADGE)).to_have_attribute("data-state", "idle")
    seen = seen_frames(page)
    assert np.abs(255 - preview_rest - part(page, REST)).mean() < 3
    assert seen["bad"] == []
    assert seen["tiles"] == 9
    assert seen["frames"] > 10
    assert set(seen["states"]) <= {"preview", "idle"}  # never "Loading"
    # What is exact now is what the browser keeps: the same view again asks for none of these tiles.
    server.renderer.asked.clear()
    page.reload()
    wait_until_ready(page)
    assert [one for one in server.renderer.asked if one[0] == LEVEL] == []
    assert np.abs(255 - preview_rest - part(page, REST)).mean() < 3


def test_another_style_supersedes_what_is_asked_for_again(page: Page, server: Announcing) -> None:
    look(page, server)
    wait_until(server.is_heard)
    server.make_exact(lambda _: True)
    server.announce(LEVEL, Box(0, 0, HEIGHT, WIDTH))
    page.locator("#channel-slider").focus()
    page.keyboard.press("ArrowRight")
    wait_until_ready(page)
    expect(page.locator(BADGE)).to_have_attribute("data-state", "idle")
    channel_1 = part(page, REST)
    page.wait_for_timeout(500)
    assert np.abs(channel_1 - part(page, REST)).max() < 1
    page.keyboard.press("ArrowLeft")
    wait_until_ready(page)
    assert np.abs(channel_1 - part(page, REST)).mean() > 0.1


def test_says_how_far_the_pyramid_is(page: Page, server: Announcing) -> None:
    look(page, server)
    wait_until(server.is_heard)
    line, spoken = page.locator(LINE), page.locator(f"{LINE} [role=status]")
    expect(line.get_by_role("progressbar")).to_have_count(0)
    server.building(340_000)
    expect(line.get_by_role("progressbar")).to_have_text("building the pyramid: 34 %, 1.20 GB/s, 6 s left")
    expect(spoken).to_have_text("Building the pyramid.")
    box = page.locator(".vd-status").bounding_box()
    assert box is not None
    assert box["height"] == 32  # the line has its place: nothing moves
    server.building(990_000)
    expect(line.get_by_role("progressbar")).to_contain_text("99 %")
    server.built()
    expect(line.get_by_role("progressbar")).to_have_count(0)
    expect(spoken).to_have_text("The pyramid is built.")
    server.failed("the store is full")
    expect(line.locator(".vd-building-text")).to_have_text("the store is full")
    expect(line.locator(".vd-building-text")).to_be_visible()


def test_misses_nothing_while_it_is_cut_off(page: Page, server: Announcing) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    look(page, server)
    wait_until(server.is_heard)
    page.wait_for_timeout(500)
    server.renderer.asked.clear()
    server.hang_up()
    server.make_exact(lambda request: request.row == 0)
    server.announce(LEVEL, TOP)
    expect(page.locator(PREVIEWS)).to_have_count(6)
    assert len(sockets) == 2
    assert "since=" in sockets[1]
    assert len(server.renderer.asked) == 3  # by the event that it was told of afterwards, not by asking for everything


def test_without_a_websocket_it_asks_now_and_then(page: Page, server: Announcing) -> None:
    def refuse(socket: WebSocketRoute) -> None:
        socket.close(code=1011, reason="a proxy that knows no such thing")

    page.route_web_socket("**/events*", refuse)
    look(page, server)
    assert not server.is_heard()
    asked = len(server.renderer.asked)
    server.make_exact(lambda _: True)
    expect(page.locator(PREVIEWS)).to_have_count(0, timeout=8000)
    assert len(server.renderer.asked) == asked + 9
    page.wait_for_timeout(7000)
    assert len(server.renderer.asked) == asked + 9


def test_nothing_is_opened_where_all_is_exact(page: Page, server: Announcing) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    server.make_exact(lambda _: True)
    page.goto(f"{server.url}#cube=sky.fits&x=600&y=550&z=2&channel=0")
    wait_until_ready(page)
    page.wait_for_timeout(500)
    assert sockets == []
    assert json.loads(page.evaluate("async () => await (await fetch('health')).text()"))["status"] == "ok"
