"""The command line: ``serve``, ``info``, ``demo``. Also ``dask visiomatic …``."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import click

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.demo import write_demo
from visiomatic_dask.engine.batch import BatchJobs
from visiomatic_dask.engine.cluster import ClusterAddress, ClusterTarget
from visiomatic_dask.errors import InvalidSetting, VisiomaticError
from visiomatic_dask.info import describe_cube, describe_formats, text_of_cube, text_of_formats
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.place import is_url
from visiomatic_dask.server.front_ends import serve_from_several
from visiomatic_dask.server.names import is_folder_cube
from visiomatic_dask.server.serve import ServeOptions, run
from visiomatic_dask.server.serve import serve as serve_until_stopped

_DEFAULT_PORT = 8009

_QUIET = 0.5
"""Seconds of unpacking before a progress bar is shown."""


class PathOrURL(click.Path):
    """A path that exists, as `pathlib.Path`; or a URL, as text."""

    def __init__(self) -> None:
        super().__init__(exists=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave URLs as they are."""
        return value if is_url(value) else super().convert(value, param, ctx)


@click.group("visiomatic", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="visiomatic_dask")
def main() -> None:
    """Look at datacubes too large to convert, copy or hold on one machine."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


@main.command()
@click.argument("paths", nargs=-1, type=PathOrURL(), metavar="[PATH]...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option(
    "--port",
    default=_DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for a free one.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Join the Dask cluster of this scheduler, as tcp://host:8786.")
@click.option(
    "--scheduler-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Join the cluster whose scheduler wrote this file.",
)
@click.option(
    "--cluster",
    "batch_system",
    type=click.Choice(["slurm"]),
    help="Run the workers as jobs of this batch system, configured as dask-jobqueue is.",
)
@click.option("--jobs", metavar="MIN:MAX", help="How many jobs: never fewer than MIN, up to MAX while there is work.")
@click.option(
    "--store",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder for pyramids. Nothing is written there yet: pyramids are still to come.",
)
@click.option(
    "--front-ends",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Processes that answer browsers, all on one port. More than one on Linux only.",
)
@click.option("--no-browser", is_flag=True, help="Do not open a web browser.")
def serve(
    paths: tuple[Path | str, ...],
    host: str,
    port: int,
    scheduler: str | None,
    scheduler_file: Path | None,
    batch_system: Literal["slurm"] | None,
    jobs: str | None,
    store: Path | None,
    front_ends: int,
    no_browser: bool,
) -> None:
    """Serve cubes to web browsers.

    Each PATH is a cube, or a folder whose cubes are served by their names below it; without one, the current folder.
    A PATH may be a URL: of a cube, or with a slash at its end, of which everything below may be opened by its URL.
    Without --scheduler, --scheduler-file or --cluster, a Dask cluster sized to this machine is started.

    One front end is enough for some 3,000 tiles a second. Of several, one that ends is started again.
    """
    cluster = _cluster(scheduler, scheduler_file, batch_system, jobs)
    if store is not None and not store.is_dir():
        raise click.BadParameter(f"{store} is not a folder", param_hint="--store")
    chosen: tuple[Path | str, ...] = paths or (Path.cwd(),)
    options = ServeOptions(chosen, host, port, cluster, __version__)

    def ready(url: str) -> None:
        single = _single_cube(chosen)
        page = url if single is None else f"{url}?image={quote(single, safe='')}"
        click.echo(
            f"visiomatic_dask {__version__} serves {', '.join(map(str, chosen))}\n\n    {page}\n\nCtrl-C ends it."
        )
        if not no_browser and _has_display():
            webbrowser.open(page)

    with _errors_for_people():
        settings = load_settings()
        if front_ends == 1:
            run(serve_until_stopped(options, settings, ready))
        else:
            run(serve_from_several(front_ends, options, settings, ready))


@main.command()
@click.argument("file", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--formats", "list_formats", is_flag=True, help="List the formats that can be opened.")
def info(file: str | None, as_json: bool, list_formats: bool) -> None:
    """Say what a cube is, how it is stored and what looking at it costs, from its headers alone.

    FILE is a file, a folder (Zarr) or a URL.
    """
    if (file is None) != list_formats:
        raise click.UsageError("give either a FILE or --formats")
    if file is None:
        click.echo(json.dumps(describe_formats(), indent=2) if as_json else "\n".join(text_of_formats()))
        return
    with _errors_for_people():
        with _unpacking_bar(file.rpartition("/")[2]) as progress:
            cube = open_cube(file, progress=progress)
        described = describe_cube(cube, load_settings())
    click.echo(json.dumps(described, indent=2) if as_json else "\n".join(text_of_cube(described)))


@main.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--width", default=2048, show_default=True, type=click.IntRange(64), help="Pixels along x.")
@click.option("--height", default=2048, show_default=True, type=click.IntRange(64), help="Pixels along y.")
@click.option("--channels", default=24, show_default=True, type=click.IntRange(1), help="Spectral channels.")
@click.option("--seed", default=1, show_default=True, help="Another number makes another sky.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def demo(path: Path, width: int, height: int, channels: int, seed: int, overwrite: bool) -> None:
    """Write a demonstration cube: stars, galaxies whose lines move with channel, a nebula, noise, and a WCS."""
    if path.exists() and not overwrite:
        raise click.ClickException(f"{path} exists; use --overwrite to replace it")
    with click.progressbar(length=channels, label=f"writing {path}", file=sys.stderr) as bar:

        def progress(done: int, _total: int) -> None:
            bar.update(done - bar.pos)

        try:
            write_demo(
                path,
                width=width,
                height=height,
                channels=channels,
                seed=seed,
                progress=progress,
                overwrite=overwrite,
            )
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{path}: {path.stat().st_size / 1e6:.0f} MB. Look at it with: python -m visiomatic_dask serve {path}")


def _cluster(
    scheduler: str | None, scheduler_file: Path | None, batch_system: Literal["slurm"] | None, jobs: str | None
) -> ClusterTarget | None:
    """Find out which cluster is meant; None for an embedded one."""
    given = {"--scheduler": scheduler, "--scheduler-file": scheduler_file, "--cluster": batch_system}
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} exclude each other")
    if batch_system is None:
        if jobs is not None:
            raise click.UsageError("--jobs says how many jobs --cluster starts; give --cluster slurm, too")
        return ClusterAddress(scheduler, scheduler_file) if names else None
    if jobs is None:
        raise click.UsageError(f"--cluster {batch_system} has to know how many jobs; give --jobs MIN:MAX, as 1:4")
    try:
        return BatchJobs.between(jobs, batch_system)
    except InvalidSetting as error:
        raise click.BadParameter(error.message, param_hint="--jobs") from error


@contextlib.contextmanager
def _unpacking_bar(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show people how far unpacking is, once it has taken long enough for them to wonder."""
    if not sys.stderr.isatty():
        yield None
        return
    began = time.monotonic()
    bar: Any = None
    with contextlib.ExitStack() as stack:

        def show(done: int, total: int) -> None:
            nonlocal bar
            if bar is None and time.monotonic() - began > _QUIET:
                bar = stack.enter_context(click.progressbar(length=total, label=f"unpacking {name}", file=sys.stderr))
            if bar is not None:
                bar.update(done - bar.pos)

        yield show


def _single_cube(chosen: Sequence[Path | str]) -> str | None:
    """Name of the cube, if nothing but one is served."""
    if len(chosen) != 1:
        return None
    (one,) = chosen
    if isinstance(one, str):
        return None if one.endswith("/") else one
    return one.name or one.resolve().name if one.is_file() or is_folder_cube(one) else None


def _has_display() -> bool:
    """Whether a browser would open in a window, not take over the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def _errors_for_people() -> Any:
    """Turn what is wrong with the input into one line on standard error, and status 1."""
    try:
        yield
    except VisiomaticError as error:
        raise click.ClickException(error.message) from error
