"""Pyramids: a cube of large planes, built cold beside dd, and looked at for the first and for the second time."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.terabyte import CHANNELS as TERABYTE_CHANNELS
from tests.terabyte import LEVELS, sparse_cube, views

from .building import Stored, build, dd_seconds, drop, files_of, source_read
from .figures import Bar, Column, Measured, Row, Scale, Section, medians, times_better
from .load import MeasurementError
from .measure import JPEG
from .overview import Onlooker, Seen, looking
from .servers import CACHE, VERSION, install_visiomatic, running
from .sky import sky
from .tree import PeakMemory

PLANES = 8
RUNS = 3  # at most: each reads the file twice
LARGE = 8192  # pixels along a side from which on planes are previews by the defaults
COLD = 0.005  # of a file may stay in the page cache
PATIENCE = 1800.0
SMALL = {"DASK_VISIOMATIC__EXACT_READ": "1 MB", "DASK_VISIOMATIC__PREVIEW_READ": "1 MB"}
"""Settings with which small planes take the way of large ones, to see that all of it works."""
ROWS = (
    Row("dd of the file, cold", "dd_mb", "MB/s", "more"),
    Row("whole build, cold", "build_s", "s"),
    Row("whole build, cold: rate", "build_mb", "MB/s", "more"),
    Row("rate of the build, of dd's", "of_dd", "", "more"),
    Row("peak memory of the build (PSS, all processes)", "build_pss_mb", "MB"),
    Row("read by all calls of the build, of the file's size", "called", ""),
    Row("read from the disk by the build, of the file's size", "fetched", ""),
    Row("read of the file itself by the build, of its size", "source", ""),
    Row("written by the build, of the file's size", "written", ""),
    Row("size of the store, of the file's", "stored", ""),
    Row("files in the store", "files", "", None),
    Row("files it may have", "most_files", "", None),
    Row("INFO, from the first request on, cold", "info_s", "s"),
    Row("first tile (INFO, then the coarsest tile), cold", "first_tile_s", "s"),
    Row("overview of a plane, cube never opened, cold", "opened.first_s", "s"),
    Row("overview of another plane that nobody has seen, cold", "new.first_s", "s"),
    Row("the same, exact", "new.exact_s", "s"),
    Row("overview with the store there, cold", "again.cold_s", "s"),
    Row("overview with the store there, in the page cache", "again.cached_s", "s"),
    Row("cube of 1 TB: longest view of any level", "terabyte_s", "s"),
    Row("disk used by the cache", "cache_mb", "MB"),
    Row("written to disk by all processes", "written_mb", "MB"),
    Row("peak memory of the server (PSS)", "peak_pss_mb", "MB"),
    Row("planes of the cube", "planes", "", None),
)


def run(scale: Scale) -> Measured:
    """Build and look."""
    cube = sky(CACHE / f"pyramids-{scale.pyramid}", scale.pyramid, PLANES)
    settings = {} if scale.pyramid >= LARGE else SMALL
    folder = Path(tempfile.mkdtemp(prefix="pyramids-", dir=CACHE))
    notes = [f"{PLANES} planes of {scale.pyramid}² float32, {cube.stat().st_size / 1e9:.2f} GB, noise and stars"]
    columns: dict[str, Column] = {}
    details: dict[str, Any] = {}
    try:
        if scale.ours:
            details["runs"] = _builds(cube, folder, settings, min(RUNS, scale.runs))
            ours = columns["ours"] = medians({"ours": details["runs"]})["ours"]
            ours["source"] = source_read(cube, folder / "counted", folder / "count", settings) / cube.stat().st_size
            shutil.rmtree(folder / "counted")
            ours |= _first_tile("ours", cube, folder / "first", settings)
            ours |= _new_planes(cube, folder / "new", settings, scale.planes)
            ours |= _second_visit(cube, folder / "store", folder / "again", settings, scale.planes)
            ours["terabyte_s"], details["terabyte"] = _terabyte(folder / "terabyte")
        if "visiomatic" in scale.kinds:
            install_visiomatic()
            columns["visiomatic"] = _largest(cube, folder, scale.pyramid, notes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(columns, notes, bars(columns), details)


def _builds(cube: Path, folder: Path, settings: Mapping[str, str], runs: int) -> list[Column]:
    """Read the file with dd and build its pyramid, in turns, each cold; the last store stays."""
    size, found = cube.stat().st_size, []
    store = folder / "store"
    for number in range(runs):
        shutil.rmtree(store, ignore_errors=True)
        _cold(cube)
        plain = dd_seconds(cube)
        _cold(cube)
        built = build(cube, store, folder / f"build-{number}", settings)
        stored = Stored.of(store)
        found.append(
            {
                "dd_mb": size / plain / 1e6,
                "build_s": built.seconds,
                "build_mb": size / built.seconds / 1e6,
                "of_dd": plain / built.seconds,
                "build_pss_mb": built.peak,
                "called": built.called / size,
                "fetched": built.fetched / size,
                "written": built.written / size,
                "stored": stored.nbytes / size,
                "files": float(stored.files),
                "most_files": stored.most_files,
            }
        )
        print(f"run {number + 1} of {runs}: dd {plain:.1f} s, build {built.seconds:.1f} s", file=sys.stderr)
    return found


def _first_tile(kind: str, cube: Path, folder: Path, settings: Mapping[str, str]) -> Column:
    """Open a cube on a fresh server by the web API of VisiOmatic: INFO, then the coarsest tile."""
    _cold(cube)
    with running(kind, cube.parent, folder, settings, _options(kind, folder)) as server:
        with PeakMemory(server.tree) as peak:
            began = time.monotonic()
            info = json.loads(server.get(f"/api?FIF={cube.name}&INFO", PATIENCE)[1])
            answered = time.monotonic() - began
            said, _ = server.get(f"/api?FIF={cube.name}&CHAN=1&QLT=90&JTL=0,0", PATIENCE)
            first_tile = time.monotonic() - began
            if said not in JPEG:
                raise MeasurementError(f"the first tile of {kind} is {said}, not image/jpeg")
        figures = {"info_s": answered, "first_tile_s": first_tile, "planes": float(len(info["images"][0]["min_max"]))}
        figures |= {"cache_mb": server.cache_bytes() / 1e6, "written_mb": server.tree.written_bytes() / 1e6}
    shutil.rmtree(folder)
    return figures | {"peak_pss_mb": peak.mapped}


def _new_planes(cube: Path, folder: Path, settings: Mapping[str, str], planes: int) -> Column:
    """Look at planes that nobody has seen, with nothing in the store."""

    async def look(onlooker: Onlooker) -> list[Seen]:
        _cold(cube)
        began = time.monotonic()
        await onlooker.open(cube.name)
        seen = [await onlooker.see(0, began)]
        for channel in range(1, 1 + min(planes, PLANES - 1)):
            _cold(cube)
            seen.append(await onlooker.see(channel))
        return seen

    with running("ours", cube.parent, folder, settings, _options("ours", folder)) as server:
        first, *others = looking(server, look)
    shutil.rmtree(folder)
    if not all(one.was_preview for one in (first, *others)):
        raise MeasurementError("an overview of a plane that nobody has seen was exact at once")
    figures = medians({"": [{"new.first_s": one.first, "new.exact_s": one.exact} for one in others]})[""]
    return {"opened.first_s": first.first} | figures


def _second_visit(cube: Path, store: Path, folder: Path, settings: Mapping[str, str], planes: int) -> Column:
    """Look at planes whose pyramid has been built: on a fresh server that finds nothing in memory, and on another."""

    async def cold(onlooker: Onlooker) -> list[Column]:
        await onlooker.open(cube.name)
        found = []
        for channel in range(min(planes, PLANES)):
            _cold(cube, *files_of(store))
            found.append({"again.cold_s": (await onlooker.see(channel)).exact})
        return found

    async def cached(onlooker: Onlooker) -> list[Column]:
        await onlooker.open(cube.name)
        return [{"again.cached_s": (await onlooker.see(channel)).exact} for channel in range(min(planes, PLANES))]

    found: list[Column] = []
    for name, look in (("cold", cold), ("cached", cached)):
        options = ("--store", str(store))
        with running("ours", cube.parent, folder / name, settings, options) as server:
            found += looking(server, look)
    shutil.rmtree(folder)
    return medians({"": found})[""]


def _terabyte(folder: Path) -> tuple[float, Column]:
    """Look at two screens' worth of every level of a sparse cube, each of a plane that nobody has seen."""
    data = folder / "data"
    data.mkdir(parents=True)
    sparse_cube(data / "tera.fits")

    async def look(onlooker: Onlooker) -> Column:
        await onlooker.open("tera.fits")
        found: Column = {}
        channel = 0
        for level in reversed(range(LEVELS)):
            for view in views(level):
                channel = (channel + 1) % TERABYTE_CHANNELS
                tiles = [(view.level, row, column) for row, column in view.places]
                began = time.monotonic()
                await onlooker.previews(channel, tiles)
                key = f"level {level}"
                found[key] = max(found.get(key, 0.0), time.monotonic() - began)
        return found

    with running("ours", data, folder / "server", {}, _options("ours", folder / "server")) as server:
        found = looking(server, look)
    shutil.rmtree(folder)
    return max(found.values()), found


def _largest(cube: Path, folder: Path, size: int, notes: list[str]) -> Column:
    """Open the cube with VisiOmatic 3, or as many of its planes as it can manage."""
    planes = PLANES
    while True:
        part = cube if planes == PLANES else sky(folder / f"part-{planes}", size, planes)
        try:
            return _first_tile("visiomatic", part, folder / f"visiomatic-{planes}", {})
        except MeasurementError as error:
            notes.append(f"VisiOmatic {VERSION} could not open {planes} planes: {str(error)[:200]}")
            if planes == 1:
                return {"planes": 0.0}
        finally:
            shutil.rmtree(folder / f"visiomatic-{planes}", ignore_errors=True)
            if planes < PLANES:
                shutil.rmtree(part.parent)
        planes //= 2


def _options(kind: str, folder: Path) -> tuple[str, ...]:
    """An empty store, counted as the server's cache."""
    return () if kind == "visiomatic" else ("--store", str(folder / "cache" / "store"))


def _cold(*files: Path) -> None:
    stayed = drop(*files)
    if stayed > COLD:
        raise MeasurementError(f"nothing cold: {stayed:.0%} of a file stayed in the page cache")


# Figure, what it is called, how the number is written, and its limit
BARS = (
    ("build_pss_mb", "peak memory of the build", "{:,.0f} MB", 2000.0),
    ("source", "read of the file by its build", "{:.3f} of its size", 1.02),
    ("written", "written by the build", "{:.3f} of the file's size", 0.36),
    ("opened.first_s", "overview of a cube never opened", "{:.2f} s", 1.0),
    ("new.first_s", "overview of a plane never seen", "{:.2f} s", 1.0),
    ("new.exact_s", "the same, exact", "{:.1f} s", 10.0),
    ("terabyte_s", "any view of a cube of 1 TB", "{:.2f} s", 2.0),
)


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met."""
    mine = columns.get("ours")
    if mine is None:
        return []
    found = [Bar(f"rate of the build {mine['of_dd']:.2f} of dd's, at least 0.5", mine["of_dd"] >= 0.5)]
    for key, title, written, limit in BARS:
        text = f"{title}: {written.format(mine[key])}, at most {written.format(limit)}"
        found.append(Bar(text, mine[key] <= limit))
    text = f"{mine['files']:.0f} files in the store, at most {mine['most_files']:.0f}"
    found.append(Bar(text, mine["files"] <= mine["most_files"]))
    theirs = columns.get("visiomatic", {}).get("first_tile_s")
    if theirs is not None and (times := times_better(mine["first_tile_s"], theirs, "less")) is not None:
        found.append(Bar(f"first tile 1/{times:.0f} of VisiOmatic's, at most 1/15", times >= 15))
    return found


SECTION = Section("pyramids", "Pyramids of large planes", ROWS, run, reference="visiomatic")
