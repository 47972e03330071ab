"""Ten contrast changes in half a second, on a server whose tiles take 200 ms: what comes of it, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.looking import view, wait_until_ready
from tests.browser.serving import serving, write_sky
from tests.processes import dask_cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

CHANGES = 10
ROOT = Path(__file__).parents[2]
DRAG = """([start, changes]) => new Promise((done) => {
  const slider = document.querySelector('#contrast')
  let step = 0
  const timer = setInterval(() => {
    step += 1
    slider.value = start + step * 0.05
    slider.dispatchEvent(new Event('input', { bubbles: true }))
    if (step < changes) return
    clearInterval(timer)
    slider.dispatchEvent(new Event('change', { bubbles: true }))
    done(performance.now())
  }, 50)
})"""
CLICKS = DRAG.replace("'input'", "'change'")


@pytest.fixture(scope="module")
def large_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sky(tmp_path_factory.mktemp("large") / "sky.fits", "--width", 2560, "--height", 1536, "--channels", 1)


@pytest.fixture
def slow_server(
    request: pytest.FixtureRequest, large_sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str, str]]:
    """A server with one slow worker: its URL, the scheduler's address, and what is slow."""
    monkeypatch.setenv("SLOW_TILES", request.param)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with dask_cluster(tmp_path, workers=1, threads=2) as (address, _):
        slow_tiles(address)
        with serving(large_sky, "--scheduler", address, log=tmp_path / "server.log") as url:
            yield url, address, request.param


def slow_tiles(*arguments: str) -> str:
    """Talk to Dask in a process of its own: this one has Playwright's event loop."""
    command = [sys.executable, "-m", "tests.browser.slow_tiles", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout


def rendered(address: str) -> int:
    """Tiles that the worker has begun to render so far."""
    return int(slow_tiles(address, "--count"))


# Clicks are wanted at once, so that those whose delay holds a thread have all begun: nothing to be saved there.
CASES = [("waiting", "drag"), ("waiting", "clicks"), ("rendering", "drag")]


@pytest.mark.parametrize(("slow_server", "how"), CASES, indirect=["slow_server"])
def test_ten_changes_in_half_a_second(page: Page, slow_server: tuple[str, str, str], how: str) -> None:
    url, address, slow = slow_server
    page.set_viewport_size({"width": 1500, "height": 760})
    page.goto(f"{url}?image=sky.fits&channel=0")
    wait_until_ready(page)
    page.evaluate("() => window.visiomatic.setView({x: 1280, y: 768, zoom: 4})")
    wait_until_ready(page)
    tiles = page.locator(".vd-tiles canvas").count()
    before = rendered(address)
    start = page.evaluate("() => Number(document.querySelector('#contrast').value)")
    began = time.monotonic()
    page.evaluate(DRAG if how == "drag" else CLICKS, [start, CHANGES])
    dragged = time.monotonic()
    wait_until_ready(page)
    settled = time.monotonic()
    superseded = rendered(address) - before - tiles
    share = superseded / ((CHANGES - 1) * tiles)
    print(
        f"{how}, slow {slow}: {tiles} tiles, dragged {dragged - began:.2f} s, consistent after "
        f"{settled - began:.2f} s, {superseded} superseded tiles rendered of {(CHANGES - 1) * tiles}: {share:.1%}"
    )
    assert view(page)["style"]["contrast"] == pytest.approx(start + CHANGES * 0.05)
    assert 12 <= tiles <= 40
    assert share < 0.1
    assert settled - began < 1.5 * max(1.0, tiles / 15)
