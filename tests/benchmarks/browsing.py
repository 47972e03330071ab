"""Browsing: 10,000 small files in one folder, page by page, and how long the event loop stands still meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import uvloop
from astropy.io import fits

from visiomatic_dask.config import load_settings
from visiomatic_dask.readers import UnpackCache
from visiomatic_dask.server.browse import Browser, PageRequest
from visiomatic_dask.server.names import DataRoots
from visiomatic_dask.server.serve import spare_what_stays

from .figures import Bar, Column, Measured, Row, Scale, Section, medians, percentile
from .servers import CACHE

FILES, FILES_SHORT = 10_000, 500
PAGE = 200
PAUSE = 0.05
IDLE = 2.0
ROWS = (
    Row("first page, cold", "cold_ms", "ms"),
    Row("the same page again", "warm_ms", "ms"),
    Row("last page", "last_ms", "ms"),
    Row("first page with details, first answer", "first_details_ms", "ms"),
    Row("the same, nothing pending any more", "page_details_ms", "ms"),
    Row("details of all files", "details_s", "s"),
    Row("stall of the loop with nothing to do: p99", "idle_p99", "ms"),
    Row("longest", "idle_ms", "ms"),
    Row("stall of the loop, names and first bytes: p99", "stall_p99", "ms"),
    Row("longest", "stall_ms", "ms"),
    Row("stall of the loop, details: p99", "details_stall_p99", "ms"),
    Row("longest", "details_stall_ms", "ms"),
)


def run(scale: Scale) -> Measured:
    """List a folder of small FITS files with a browser that knows nothing yet, several times."""
    files = FILES_SHORT if scale.runs == 1 else FILES
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="browsing-", dir=CACHE))
    try:
        _fill(folder, files)
        spare_what_stays()  # as a server does
        runs = []
        for number in range(min(3, scale.runs)):
            print(f"browsing, {files} files, run {number + 1}", file=sys.stderr)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runs.append(runner.run(_browse(folder, files)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    columns = medians({"ours": runs})
    notes = [
        f"{files:,} files of 5,760 bytes, in the page cache; pages of {PAGE}; cold means that the server has not "
        "looked yet"
    ]
    return Measured(columns, notes, bars(columns["ours"]))


def bars(column: Column) -> list[Bar]:
    """What was asked for: no stall; on a machine that others use too, none beyond what doing nothing has."""
    longest, allowed = max(column["stall_ms"], column["details_stall_ms"]), max(100.0, 2 * column["idle_ms"])
    return [Bar(f"the event loop stands still for {longest:.0f} ms at most ({allowed:.0f})", longest <= allowed)]


def _fill(folder: Path, files: int) -> None:
    header = fits.Header({"BUNIT": "Jy/beam", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0})
    first = folder / "00000.fits"
    fits.writeto(first, np.zeros((2, 16, 16), np.float32), header)
    data = first.read_bytes()
    for number in range(1, files):
        (folder / f"{number:05d}.fits").write_bytes(data)


async def _browse(folder: Path, files: int) -> Column:
    browser = Browser(DataRoots([folder]), UnpackCache.of(load_settings()))
    column: Column = {}
    async with _watched(column, "idle"):
        await asyncio.sleep(IDLE)
    async with _watched(column, "stall"):
        column["cold_ms"] = await _page(browser, PageRequest("", 0, PAGE))
        column["warm_ms"] = await _page(browser, PageRequest("", 0, PAGE))
        column["last_ms"] = await _page(browser, PageRequest("", files - PAGE, PAGE))
    async with _watched(column, "details_stall"):
        first = PageRequest("", 0, PAGE, details=True)
        began = time.perf_counter()
        column["first_details_ms"] = await _page(browser, first)
        await _all(browser, first)
        column["page_details_ms"] = 1000 * (time.perf_counter() - began)
        for start in range(PAGE, files, PAGE):
            await _all(browser, PageRequest("", start, PAGE, details=True))
        column["details_s"] = time.perf_counter() - began
    browser.close()
    return column


async def _page(browser: Browser, request: PageRequest) -> float:
    """Milliseconds until a page is answered."""
    began = time.perf_counter()
    await browser.page(request)
    return 1000 * (time.perf_counter() - began)


async def _all(browser: Browser, request: PageRequest) -> None:
    """Ask for a page until nothing of it is pending, as the client does."""
    while any("pending" in entry for entry in (await browser.page(request))["entries"]):
        await asyncio.sleep(PAUSE)


@asynccontextmanager
async def _watched(column: Column, key: str) -> AsyncIterator[None]:
    """Note by how many milliseconds the loop was late for timers of one: at worst, and all but one in a hundred."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(1000 * (time.perf_counter() - before - 0.001))

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
    column |= {f"{key}_ms": max(late), f"{key}_p99": percentile(late, 0.99)}


SECTION = Section("browsing", "10,000 files in a folder", ROWS, run)
