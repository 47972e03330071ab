"""How far a build is, for people: a bar that moves where a terminal is, lines now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

import click

from visiomatic_dask.engine.build_news import BuildProgress

_PACE, _LINE_PACE = 0.2, 5.0
"""Seconds between two looks of the bar, and between two lines."""
_BAR = 24


class BuildMeter:
    """Shows on standard error how far a build is.

    Parameters
    ----------
    name : str
        Of the cube.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_terminal = sys.stderr.isatty()
        self._next = 0.0 if self._is_terminal else time.monotonic() + _LINE_PACE
        self._shown = False

    def __enter__(self) -> BuildMeter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_terminal and self._shown:
            click.echo("\r\033[K", nl=False, err=True)

    def show(self, progress: BuildProgress) -> None:
        """Show how far it is, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_PACE if self._is_terminal else _LINE_PACE)
        if self._is_terminal:
            self._shown = True
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\033[K{f'{self._name} {_bar(progress)} {text_of(progress)}'[:width]}", nl=False, err=True)
        else:
            click.echo(f"{self._name}: {text_of(progress)}", err=True)


def text_of(progress: BuildProgress) -> str:
    """Say how far a build is: ``37 %, 3.2 of 8.6 GB, 812 MB/s, 7 s left``."""
    share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 1.0
    parts = [f"{int(100 * share)} %", f"{text_of_size(progress.done_bytes)} of {text_of_size(progress.total_bytes)}"]
    if progress.rate:
        parts.append(f"{text_of_size(progress.rate)}/s")
    if progress.seconds_left is not None:
        parts.append(f"{text_of_time(progress.seconds_left)} left")
    return ", ".join(parts)


def text_of_size(size: float) -> str:
    """Write bytes: ``8.59 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    return f"{size:.3g} {unit}" if size < 999.5 else f"{size:.0f} {unit}"


def text_of_time(seconds: float) -> str:
    """Write a time: ``7 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _bar(progress: BuildProgress) -> str:
    share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 1.0
    full = int(_BAR * share)
    return f"[{'#' * full}{'-' * (_BAR - full)}]"
