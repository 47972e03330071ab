"""The command line: ``serve``, ``info``, ``build``, ``demo``. Also ``dask visiomatic …``."""

from __future__ import annotations

import json
import logging
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import click

from visiomatic_dask import __version__
from visiomatic_dask.build_command import build
from visiomatic_dask.command_options import (
    FolderOrURL,
    PathOrURL,
    chosen_cluster,
    cluster_options,
    errors_for_people,
    unpacking_bar,
)
from visiomatic_dask.config import load_settings
from visiomatic_dask.demo import write_demo
from visiomatic_dask.info import describe_cube, describe_formats, text_of_cube, text_of_formats
from visiomatic_dask.preset_command import preset
from visiomatic_dask.readers import open_cube
from visiomatic_dask.server.front_ends import serve_from_several
from visiomatic_dask.server.names import is_folder_cube
from visiomatic_dask.server.serve import ServeOptions, run
from visiomatic_dask.server.serve import serve as serve_until_stopped
from visiomatic_dask.server.stores import NO_STORE, with_store

_DEFAULT_PORT = 8009


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
@cluster_options
@click.option(
    "--store",
    type=FolderOrURL(),
    help="Where zoomed-out views are kept: a folder that all workers see, or a URL. Overrides the settings.",
)
@click.option(
    "--prebuild",
    is_flag=True,
    help="Make and keep all zoomed-out views of the cubes among the PATHs from the start, not only what is looked at.",
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
    store: str | None,
    prebuild: bool,
    front_ends: int,
    no_browser: bool,
) -> None:
    """Serve cubes to web browsers.

    Each PATH is a cube, or a folder whose cubes are served by their names below it; without one, the current folder.
    A PATH may be a URL: of a cube, or with a slash at its end, of which everything below may be opened by its URL.
    Without --scheduler, --scheduler-file or --cluster, a Dask cluster sized to this machine is started.

    One front end is enough for some 3,000 tiles a second. Of several, one that ends is started again.
    """
    cluster = chosen_cluster(scheduler, scheduler_file, batch_system, jobs)
    chosen: tuple[Path | str, ...] = paths or (Path.cwd(),)
    options = ServeOptions(chosen, host, port, cluster, __version__, prebuild=prebuild)

    def ready(url: str) -> None:
        single = _single_cube(chosen)
        page = url if single is None else f"{url}?image={quote(single, safe='')}"
        click.echo(
            f"visiomatic_dask {__version__} serves {', '.join(map(str, chosen))}\n\n    {page}\n{note}\nCtrl-C ends it."
        )
        if not no_browser and _has_display():
            webbrowser.open(page)

    with errors_for_people():
        wanted = load_settings() if store is None else load_settings(store=store)
        settings = with_store(wanted, cluster)
        note = "" if settings.pyramid == wanted.pyramid else f"\n{NO_STORE}\n"
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
    with errors_for_people():
        with unpacking_bar(file.rpartition("/")[2]) as progress:
            cube = open_cube(file, progress=progress)
        described = describe_cube(cube, load_settings())
    click.echo(json.dumps(described, indent=2) if as_json else "\n".join(text_of_cube(described)))


main.add_command(build)
main.add_command(preset)


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
