"""Mixing: all channels of a cube in one colour picture, first and while its look or one channel's cut is changed."""

from __future__ import annotations

import asyncio
import math
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from . import page_cache
from .figures import Bar, Column, Measured, Row, Scale, Section, medians, times_better
from .load import MeasurementError
from .mixed_viewport import MixedViewport
from .mixing_workers import MEMORY, measure_workers
from .servers import CACHE, OURS, VERSION, Running, install_visiomatic, running
from .sky import spectral_sky

RUNS = 3  # at most: VisiOmatic takes most of a minute for each
CHANNELS, SIZE, MANY = 300, 1024, 4000
SHORT_CHANNELS, SHORT_SIZE, SHORT_MANY = 24, 512, 40
CHANGES, SHORT_CHANGES = 60, 5  # of a look; 16 tiles each
UNMEASURED = 4  # changes before the others
LONGEST = 8.0  # seconds of one kind of change, where each takes long
TWO = "two workers of 1 GB"
WARM = 0.999  # of the file has to be in the page cache

LOOKS = ("contrast", "gamma", "saturation")
ROWS = (
    Row("INFO, from the first request on", "info_s", "s"),
    Row("first mix by VisiOmatic's API: 16 tiles", "first_s", "s"),
    Row("the same: CPU", "first_cpu_s", "s"),
    Row("first mix by the resource API: a picture of all of it", "coarse_s", "s"),
    Row("tiles of it that were previews", "previews", "", None),
    Row("the same, exact", "exact_s", "s"),
    Row("contrast changed, VisiOmatic's API: a colour tile's CPU", "api.contrast_ms", "ms"),
    Row("the same: 16 tiles", "api.contrast_s", "s"),
    Row("mono tile, VisiOmatic's API: CPU", "api.mono_ms", "ms"),
    *(Row(f"{look} changed, resource API: a colour tile's CPU", f"{look}_ms", "ms") for look in LOOKS),
    Row("mono tile, resource API: CPU", "mono_ms", "ms"),
    Row("mixing (tiles apart) the first time: CPU", "mixing_ms", "ms"),
    Row("mixing (tiles apart) when one channel's cut has changed: CPU", "recut_ms", "ms"),
    Row("the same, tiles included: 16 tiles", "recut_s", "s"),
    Row("the last change of a cut: until it is exact", "recut.exact_s", "s"),
    Row("thousands of channels: a picture of all of it", "many.coarse_s", "s"),
    Row("the same, exact", "many.exact_s", "s"),
    *(
        row
        for number in (0, 1)
        for row in (
            Row(f"worker {number}: peak memory (RSS)", f"many.worker {number}.mb", "MB"),
            Row(f"worker {number}: tasks of mixing", f"many.worker {number}.tasks", "", None),
            Row(f"worker {number}: time of these tasks", f"many.worker {number}.s", "s", None),
            Row(f"worker {number}: share of that time", f"many.worker {number}.share", "", None),
        )
    ),
)


def run(scale: Scale) -> Measured:
    """Measure, server by server in turns."""
    short = scale.runs == 1
    channels, size, many = (SHORT_CHANNELS, SHORT_SIZE, SHORT_MANY) if short else (CHANNELS, SIZE, MANY)
    if "visiomatic" in scale.kinds:
        install_visiomatic()
    cube = spectral_sky(CACHE / f"mixing-{size}", size, channels)
    page_cache.load(cube)
    if (share := float(page_cache.resident(cube).mean())) < WARM:
        raise MeasurementError(f"only {share:.1%} of the cube stays in the page cache")
    changes = SHORT_CHANGES if short else CHANGES
    runs: dict[str, list[Column]] = {kind: [] for kind in scale.kinds}
    folder = Path(tempfile.mkdtemp(prefix="mixing-", dir=CACHE))
    try:
        for number in range(min(RUNS, scale.runs)):
            for kind in scale.kinds:
                runs[kind].append(_measure(kind, cube, channels, size, changes, folder / f"{kind}-{number}"))
                print(f"run {number + 1}, {kind}: first mix {runs[kind][-1]['first_s']:.2f} s", file=sys.stderr)
        columns = medians(runs)
        details: dict[str, Any] = {"runs": runs}
        if scale.ours:
            columns[TWO], details["tasks"] = measure_workers(folder / "many", many, size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    notes = [
        f"{channels} x {size} x {size} float32 in the page cache, all channels with weights; {changes} changes of each "
        f"kind, VisiOmatic {VERSION}",
        *_notes(columns, details.get("tasks", {}), many),
    ]
    return Measured(columns, notes, bars(columns), details)


def _notes(columns: dict[str, Column], tasks: dict[str, dict[str, tuple[int, float]]], many: int) -> list[str]:
    found = [
        f"{kind}: no saturation by the resource API"
        for kind in OURS
        if kind in columns and "saturation_ms" not in columns[kind]
    ]
    for worker, done in tasks.items():
        shares = ", ".join(f"{count} {prefix} in {seconds:.1f} s" for prefix, (count, seconds) in sorted(done.items()))
        found.append(f"{many:,} channels, {worker} ({MEMORY}): {shares or 'nothing'}")
    return found


def _measure(kind: str, cube: Path, channels: int, size: int, changes: int, folder: Path) -> Column:
    """Measure one server: a fresh one by VisiOmatic's API, and where it is ours another by the resource API."""

    async def by_api(viewport: MixedViewport) -> Column:
        return await _by_api(viewport, changes)

    async def by_resource(viewport: MixedViewport) -> Column:
        return await _by_resource(viewport, changes)

    def looking(name: str, look: Callable[[MixedViewport], Awaitable[Column]]) -> Column:
        async def main(server: Running) -> Column:
            viewport = MixedViewport(server, cube.name, channels, size)
            try:
                return await look(viewport)
            finally:
                viewport.close()

        with (
            running(kind, cube.parent, folder / name) as server,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            found = runner.run(main(server))
        shutil.rmtree(folder / name)  # gigabytes
        return found

    figures = looking("api", by_api)
    if kind in OURS:
        figures |= looking("resource", by_resource)
        # What is left when the tiles are taken away, each as dear as one of which nothing has to be mixed.
        mixing = 1000 * figures["first_cpu_s"] - figures["tiles"] * figures["contrast_ms"]
        figures |= {
            "mixing_ms": mixing,
            "recut_ms": figures["tiles"] * (figures["recut_tile_ms"] - figures["contrast_ms"]),
        }
    return figures


async def _by_api(viewport: MixedViewport, changes: int) -> Column:
    began = asyncio.get_running_loop().time()
    viewport.inform()
    figures = {"info_s": asyncio.get_running_loop().time() - began, "tiles": float(viewport.tiles)}
    first = await viewport.ask(viewport.api("CNT=1.000"))
    figures |= {"first_s": first.seconds, "first_cpu_s": first.processor}
    for name, channel in (("contrast", None), ("mono", viewport.channels // 2)):
        looks = [f"CNT={1 + 0.004 * step:.3f}" for step in range(1, UNMEASURED + changes + 1)]
        rounds = [viewport.api(look, channel) for look in looks]
        await viewport.ask_many(rounds[:UNMEASURED], LONGEST / 4)
        asked = await viewport.ask_many(rounds[UNMEASURED:], LONGEST)
        figures |= {f"api.{name}_ms": 1000 * asked.processor / viewport.tiles, f"api.{name}_s": asked.seconds}
    return figures


async def _by_resource(viewport: MixedViewport, changes: int) -> Column:
    await viewport.open()
    first = await viewport.ask(viewport.resource("contrast=1"))
    figures = {
        "coarse_s": first.seconds,
        "previews": float(len(first.previews)),
        "exact_s": first.seconds + await viewport.until_exact(first.previews),
    }
    steps = range(1, UNMEASURED + changes + 1)
    middle = viewport.channels // 2
    for key, name, channel in (*((look, look, None) for look in LOOKS), ("mono", "contrast", middle)):
        rounds = [viewport.resource(f"{name}={1 + 0.004 * step:.3f}", channel) for step in steps]
        if not await viewport.understands(rounds[0][0]):
            continue
        await viewport.ask_many(rounds[:UNMEASURED], LONGEST / 4)
        asked = await viewport.ask_many(rounds[UNMEASURED:], LONGEST)
        figures[f"{key}_ms"] = 1000 * asked.processor / viewport.tiles
    return figures | await _recut(viewport, middle, changes)


async def _recut(viewport: MixedViewport, channel: int, changes: int) -> Column:
    """Drag the upper cut of one channel: the next place is asked for when the last is there, exact or not."""
    if viewport.cube is None:
        raise MeasurementError("the cube has not been opened")
    low, high = viewport.cube.cuts[channel]
    cuts = [(low, high + (high - low) * 0.02 * step) for step in range(1, UNMEASURED + changes + 1)]
    rounds = [viewport.resource("contrast=1", cuts={channel: one}) for one in cuts]
    await viewport.ask_many(rounds[:UNMEASURED], LONGEST / 4)
    asked = await viewport.ask_many(rounds[UNMEASURED:-1], LONGEST)
    last = await viewport.ask(rounds[-1])
    return {
        "recut_tile_ms": 1000 * asked.processor / viewport.tiles,
        "recut_s": asked.seconds,
        "recut.previews": float(len(last.previews)),
        "recut.exact_s": last.seconds + await viewport.until_exact(last.previews),
    }


def bars(columns: dict[str, Column]) -> list[Bar]:
    """Say which bars are met."""
    found = []
    theirs = columns.get("visiomatic")
    for kind in (one for one in OURS if one in columns):
        mine = columns[kind]
        if theirs is not None:
            times = times_better(mine["first_s"], theirs["first_s"], "less") or 0.0
            found.append(Bar(f"{kind}: first mix 1/{times:.1f} of VisiOmatic's time, at most 1/4", times >= 4))
            times = times_better(mine["api.contrast_ms"], theirs["api.contrast_ms"], "less") or 0.0
            text = f"{kind}: CPU of a tile at another contrast 1/{times:.0f} of VisiOmatic's, at most 1/40"
            found.append(Bar(text, times >= 40))
        found.append(Bar(f"{kind}: first picture in {mine['coarse_s']:.2f} s, below 0.3 s", mine["coarse_s"] < 0.3))
        for key, mono, title in (
            ("api.contrast_ms", "api.mono_ms", "contrast by VisiOmatic's API"),
            *((f"{look}_ms", "mono_ms", look) for look in LOOKS),
        ):
            if key in mine:
                times = _share(mine[key], mine[mono])
                text = f"{kind}: CPU of a tile at another {title} {times:.2f} times a mono tile's, at most 1.8"
                found.append(Bar(text, times <= 1.8))
        share = _share(mine["recut_ms"], mine["mixing_ms"])
        text = f"{kind}: mixing for another cut of one channel {share:.3f} of the first mix, at most 0.05"
        found.append(Bar(text, share <= 0.05))
    if (many := columns.get(TWO)) is not None:
        found.append(
            Bar(f"workers of {MEMORY} had {many['many.peak_mb']:.0f} MB at most", many["many.peak_mb"] <= 1000)
        )
        share = many["many.largest_share"]
        found.append(Bar(f"{share:.0%} of the mixing by one worker of two, at most 80 %", share <= 0.8))
    return found


def _share(part: float, whole: float) -> float:
    """One figure over another; infinite where so little was done that the clock of the CPU saw none of the other."""
    return max(0.0, part) / whole if whole > 0 else math.inf


SECTION = Section("mixing", "Mixing all channels", ROWS, run, reference="visiomatic")
