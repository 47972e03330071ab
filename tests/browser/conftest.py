"""Chromium for the tests of this folder: Debian's, driven by Playwright. Skipped, with a word, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.serving import serving, write_sky

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SKY = {"width": 1200, "height": 1100, "channels": 6}


# Playwright keeps an event loop running for as long as it lives, which no test outside of this folder could stand.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing, and CI must not go without it: apt-get install chromium")
        pytest.skip("Chromium is not installed (as root, `make browser` installs Debian's)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh page of 1300 x 900 CSS pixels, one screen pixel each; no request may leave the loopback interface."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900}, device_scale_factor=1)
    page = context.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    yield page
    context.close()
    assert {host.split(":")[0] for host in hosts} <= {"127.0.0.1"}, f"the page has asked other hosts: {hosts}"


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration cube."""
    options = [part for name, value in SKY.items() for part in (f"--{name}", value)]
    return write_sky(tmp_path_factory.mktemp("sky") / "sky.fits", *options)


@pytest.fixture(scope="session")
def server(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of that cube, with an embedded cluster."""
    with serving(sky, log=tmp_path_factory.mktemp("server") / "server.log") as url:
        yield url
