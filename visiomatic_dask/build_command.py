"""The command ``build``: makes the pyramids of cubes ahead of their use."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from visiomatic_dask import __version__
from visiomatic_dask.build_meter import BuildMeter, text_of_size, text_of_time
from visiomatic_dask.command_options import (
    FolderOrURL,
    PathOrURL,
    chosen_cluster,
    cluster_options,
    errors_for_people,
    unpacking_bar,
)
from visiomatic_dask.config import Settings, load_settings
from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.engine.cluster import ClusterTarget
from visiomatic_dask.engine.whole_build import Planes, WholeBuild, find_whole, open_whole_builds
from visiomatic_dask.errors import InvalidRequest, VisiomaticError
from visiomatic_dask.pyramid.store.need import needs_pyramid
from visiomatic_dask.pyramid.store.spectral_choice import is_worthwhile
from visiomatic_dask.pyramid.store.spectral_copy import SpectralCopy
from visiomatic_dask.readers import open_cube


@dataclass(frozen=True, slots=True)
class _ToBuild:
    """A layer that is to be built."""

    name: str
    cube: Cube
    layer: Layer
    planes: Planes | None


@click.command()
@click.argument("cubes", nargs=-1, required=True, type=PathOrURL(), metavar="CUBE...")
@cluster_options
@click.option(
    "--store",
    type=FolderOrURL(),
    help="Where pyramids are kept: a folder that all workers see, or a URL. Overrides the settings.",
)
@click.option("--channels", metavar="RANGES", help="Which channels, from 0: 0:8,12 for 0 to 7 and 12; all by default.")
@click.option(
    "--spectral",
    is_flag=True,
    help="Make a copy of each cube, as large as itself, that spectra are read from at once; no zoomed-out views.",
)
@click.option("--layer", metavar="NAME", help="Which layer; by default the one that is shown first.")
def build(
    cubes: tuple[Path | str, ...],
    scheduler: str | None,
    scheduler_file: Path | None,
    batch_system: Literal["slurm"] | None,
    jobs: str | None,
    store: str | None,
    channels: str | None,
    spectral: bool,
    layer: str | None,
) -> None:
    """Make and keep all zoomed-out views of cubes, so that no view of them has to be waited for.

    Each CUBE is read once. What is there already is not built again, and a build that was ended goes on from there
    when the same command is given again; servers and builds of the same cube at the same time share the work.

    Without --scheduler, --scheduler-file or --cluster, a Dask cluster sized to this machine is started.
    """
    if spectral and channels is not None:
        raise click.UsageError("--spectral and --channels exclude each other: a spectral copy has all channels")
    target = chosen_cluster(scheduler, scheduler_file, batch_system, jobs)
    with errors_for_people():
        settings = load_settings() if store is None else load_settings(store=store)
        where = _store(settings, target)
        missing = []
        for path in cubes:
            one = _open(path, layer, channels)
            if spectral and not is_worthwhile(one.layer.reader):
                click.echo(f"{one.name}: nothing to build, as spectra are read as fast from the file itself")
            elif not spectral and not needs_pyramid(one.layer, settings.tile_size, settings.exact_read):
                why = "the file has levels of its own" if one.layer.levels else "a tile holds a plane"
                click.echo(f"{one.name}: nothing to build, as {why}")
            elif (there := find_whole(where, one.cube, one.layer, one.planes, settings, spectral=spectral)) is not None:
                click.echo(f"{one.name}: already built: {_text_of(there)}")
            else:
                missing.append(one)
        if missing:
            sys.exit(asyncio.run(_build(where, missing, target, settings, spectral=spectral)))


def _store(settings: Settings, target: ClusterTarget | None) -> str:
    """Find out where pyramids are kept."""
    if settings.store is not None:
        return settings.store
    if target is not None:
        raise click.UsageError(
            "where are pyramids to be kept? Give --store, or set visiomatic.store: a folder all workers see, or a URL"
        )
    return os.path.join(settings.cache_folder, "store")  # noqa: PTH118 - a text, as the setting is


def _open(path: Path | str, layer: str | None, channels: str | None) -> _ToBuild:
    name = path.name if isinstance(path, Path) else path.rstrip("/").rpartition("/")[2]
    with unpacking_bar(name) as progress:
        cube = open_cube(path, progress=progress)
    chosen = cube.layer() if layer is None else cube.layer(layer)
    return _ToBuild(name, cube, chosen, None if channels is None else parse_channels(channels, chosen.channels))


def parse_channels(text: str, count: int) -> list[tuple[int, int]]:
    """Read ranges of channels, as ``0:8,12``: first, and one past the last, as in Python.

    Parameters
    ----------
    text : str
        What to read.
    count : int
        How many channels there are.

    Returns
    -------
    list of (int, int)
        In order; those that overlap or touch are one.

    Raises
    ------
    InvalidRequest
        If it is no such text, or there are no such channels.
    """
    allowed = f"ranges of the channels 0 to {count - 1}, as 0:8,12 for 0 to 7 and 12"
    ranges = []
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        try:
            start = int(first or 0) if colon else int(first)
            stop = int(last or count) if colon else start + 1
        except ValueError as error:
            raise InvalidRequest.value("--channels", text, allowed) from error
        if not 0 <= start < stop <= count:
            raise InvalidRequest.value("--channels", text, allowed)
        ranges.append((start, stop))
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


async def _build(
    store: str, missing: Sequence[_ToBuild], target: ClusterTarget | None, settings: Settings, *, spectral: bool
) -> int:
    """Build until all is built or a signal comes; return the exit status."""
    caught: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(number: int) -> None:
        if not caught.done():
            caught.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    building = asyncio.create_task(_build_all(store, missing, target, settings, spectral=spectral))
    await asyncio.wait([building, caught], return_when=asyncio.FIRST_COMPLETED)
    if building.done():
        return building.result()
    building.cancel()
    await asyncio.gather(building, return_exceptions=True)
    click.echo("ended; the same command goes on from here", err=True)
    return 128 + caught.result()


async def _build_all(
    store: str, missing: Sequence[_ToBuild], target: ClusterTarget | None, settings: Settings, *, spectral: bool
) -> int:
    status = 0
    async with open_whole_builds(store, target, __version__, settings) as builds:
        for one in missing:
            try:
                with BuildMeter(one.name) as meter:
                    built = await builds.build(one.cube, one.layer, one.planes, meter.show, spectral=spectral)
            except VisiomaticError as error:
                click.echo(f"Error: {one.name}: {error.message}", err=True)
                status = 1
            else:
                rate = f", {text_of_size(built.read / built.seconds)}/s" if built.read else ""
                read = f"{text_of_size(built.read)} read in {text_of_time(built.seconds)}{rate}"
                click.echo(f"{one.name}: built: {_text_of(built)}; {read}")
                if built.size > settings.store_limit:
                    limit = text_of_size(settings.store_limit)
                    click.echo(f"{one.name}: that is more than visiomatic.store-limit, {limit}", err=True)
    return status


def _text_of(there: WholeBuild) -> str:
    planes = f"{there.planes} plane{'s' * (there.planes != 1)}"
    files = f"{there.files} file{'s' * (there.files != 1)}"
    if isinstance(there.pyramid, SpectralCopy):
        return f"spectra of {planes}, {text_of_size(there.size)} in {files}"
    levels = len(there.pyramid.plan.levels)
    return f"level{'s 1 to' * (levels > 1)} {levels} of {planes}, {text_of_size(there.size)} in {files}"
