"""The same page against a scheduler and workers of their own, one of which is killed while someone pans."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.looking import view, wait_until_ready
from tests.browser.serving import process, serving

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[Path, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers, without nannies, so that what is killed stays dead."""
    file = tmp_path / "scheduler.json"
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> subprocess.Popen[str]:
            return stack.enter_context(process(*arguments, log=tmp_path / f"{name}.log"))

        common = ("--host", "127.0.0.1", "--no-dashboard")
        start("scheduler", "distributed.cli.dask_scheduler", *common, "--port", "0", "--scheduler-file", str(file))
        deadline = time.monotonic() + 30
        while not _complete(file) and time.monotonic() < deadline:
            time.sleep(0.1)
        options = ("--nthreads", "1", "--memory-limit", "1GB", "--no-nanny", "--scheduler-file", str(file))
        folders = [tmp_path / f"worker-{number}" for number in range(2)]
        yield (
            file,
            [
                start(folder.name, "distributed.cli.dask_worker", *common, *options, "--local-directory", str(folder))
                for folder in folders
            ],
        )


def test_a_killed_worker_costs_no_tile(
    page: Page, sky: Path, workers: tuple[Path, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    """Panning goes on while one of two workers is killed: every tile comes, late at worst."""
    file, (first, _) = workers
    with serving(str(sky), "--scheduler-file", str(file), log=tmp_path / "server.log") as url:
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
        assert first.wait(10) == -signal.SIGKILL
        assert failed == []
        assert len(answered) > 40
        assert view(page)["style"]["channel"] == 11 % 6


def _complete(file: Path) -> bool:
    try:
        return bool(json.loads(file.read_text()))
    except (OSError, ValueError):
        return False


def _wait_for_workers(page: Page, url: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while page.request.get(f"{url}health").json()["workers"] < count:
        assert time.monotonic() < deadline, "the workers did not come"
        time.sleep(0.2)
