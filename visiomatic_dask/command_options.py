"""What several commands have in common: options, and how they talk to people."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from visiomatic_dask.engine.batch import BatchJobs
from visiomatic_dask.engine.cluster import ClusterAddress, ClusterTarget
from visiomatic_dask.errors import InvalidSetting, VisiomaticError
from visiomatic_dask.readers.place import is_url

_QUIET = 0.5
"""Seconds of unpacking before a progress bar is shown."""

Command = TypeVar("Command", bound=Callable[..., Any])


class PathOrURL(click.Path):
    """A path that exists, as `pathlib.Path`; or a URL, as text."""

    def __init__(self) -> None:
        super().__init__(exists=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave URLs as they are."""
        return value if is_url(value) else super().convert(value, param, ctx)


class FolderOrURL(click.Path):
    """A folder, which need not be there yet if the one above it is, as its absolute path; or a URL."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, writable=True, resolve_path=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave URLs as they are."""
        if is_url(value):
            return value
        folder = str(super().convert(value, param, ctx))
        if not Path(folder).parent.is_dir():
            self.fail(f"{value} is not a folder, and cannot be made: there is no {Path(folder).parent}", param, ctx)
        return folder


def cluster_options(command: Command) -> Command:
    """Add the options that say which Dask cluster to use; see `chosen_cluster`."""
    options = [
        click.option(
            "--scheduler", metavar="ADDRESS", help="Join the Dask cluster of this scheduler, as tcp://host:8786."
        ),
        click.option(
            "--scheduler-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Join the cluster whose scheduler wrote this file.",
        ),
        click.option(
            "--cluster",
            "batch_system",
            type=click.Choice(["slurm"]),
            help="Run the workers as jobs of this batch system, configured as dask-jobqueue is.",
        ),
        click.option(
            "--jobs", metavar="MIN:MAX", help="How many jobs: never fewer than MIN, up to MAX while there is work."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def chosen_cluster(
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
def unpacking_bar(name: str) -> Iterator[Callable[[int, int], None] | None]:
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


@contextlib.contextmanager
def errors_for_people() -> Iterator[None]:
    """Turn what is wrong with the input into one line on standard error, and status 1."""
    try:
        yield
    except VisiomaticError as error:
        raise click.ClickException(error.message) from error
