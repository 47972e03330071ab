"""The same page against a scheduler and workers of their own, one of which is killed while someone pans."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.looking import view, wait_until_ready
from tests.browser.serving import serving
from tests.processes import dask_cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


def test_a_killed_worker_costs_no_tile(page: Page, sky: Path, tmp_path: Path) -> None:
    """Panning goes on while one of two workers is killed (they have no nannies): every tile comes, late at worst."""
    with (
        dask_cluster(tmp_path, workers=2) as (address, (first, _)),
        serving(sky, "--scheduler", address, log=tmp_path / "server.log") as url,
    ):
        _wait_for_workers(page, url, 2)
        failed: list[str] = []
        answered: list[str] = []
        page.on(
            "response",
            lambda response: (
                (failed if response.status >= 400 else answered).append(f"{response.status} {response.url}")
                if "/tiles/" in response.url
                else None
            ),
        )
        page.goto(f"{url}?image=sky.fits")
        wait_until_ready(page)
        for step in range(12):
            if step == 4:
                os.kill(first.pid, signal.SIGKILL)
            page.evaluate(f"() => window.visiomatic.setView({{x: {200 + 70 * step}, y: {250 + 50 * step}, zoom: 3}})")
            page.locator("#channel-slider").evaluate(
                f"(e) => {{ e.value = {step % 6}; e.dispatchEvent(new Event('change', {{bubbles: true}})) }}"
            )
            page.wait_for_timeout(120)
        wait_until_ready(page)
        assert first.process.wait(10) == -signal.SIGKILL
        assert failed == []
        assert len(answered) > 40
        assert view(page)["style"]["channel"] == 11 % 6


def _wait_for_workers(page: Page, url: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while page.request.get(f"{url}health").json()["workers"] < count:
        assert time.monotonic() < deadline, "the workers did not come"
        time.sleep(0.2)
