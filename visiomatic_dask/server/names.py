"""Names: which files below the data roots a request may mean. Nothing outside of them can be named."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from visiomatic_dask.errors import CubeNotFound, InvalidSetting
from visiomatic_dask.readers import Place, format_of

_MOST_CUBES = 1000
_MOST_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Listing:
    """Cubes below the data roots.

    Attributes
    ----------
    cubes : tuple of (str, int)
        Name and size in bytes, sorted by name.
    truncated : bool
        Whether there may be more.
    """

    cubes: tuple[tuple[str, int], ...]
    truncated: bool


class DataRoots:
    """What may be opened: every cube below some folders, and single files.

    Parameters
    ----------
    paths : sequence of Path
        Folders, whose cubes are called by their path below them, and files, which are called by their own name. An
        earlier one hides a later one of the same name.

    Raises
    ------
    InvalidSetting
        If a path does not exist, or two files have the same name.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._folders: list[Path] = []
        self._files: dict[str, Path] = {}
        for path in paths:
            real = Path(os.path.realpath(path))
            if real.is_dir():
                self._folders.append(real)
            elif real.is_file():
                if self._files.setdefault(path.name, real) != real:
                    raise InvalidSetting(f"two cubes are called {path.name}: serve the folder above them instead")
            else:
                raise InvalidSetting(f"{path} is neither a cube nor a folder")

    def resolve(self, name: str, parameter: str) -> Path:
        """Find the file that a name means.

        Parameters
        ----------
        name : str
            Relative to a root, with ``/`` between folders.
        parameter : str
            What the request calls it, for messages.

        Raises
        ------
        CubeNotFound
            If there is no such file, or it does not lie below the roots once symbolic links are followed. The message
            is the same: nobody learns what else lies on this machine.
        """
        if name in self._files:
            return self._files[name]
        parts = PurePosixPath(name).parts
        if name and "\0" not in name and "\\" not in name and not name.startswith("/") and ".." not in parts:
            for folder in self._folders:
                real = Path(os.path.realpath(folder.joinpath(*parts)))
                with contextlib.suppress(OSError):  # a name longer than names can be, a folder that may not be entered
                    if real != folder and real.is_relative_to(folder) and real.is_file():
                        return real
        shown = name if len(name) <= 80 else name[:77] + "…"
        raise CubeNotFound(
            f"{parameter} is {shown!r}; allowed: the name of a cube below the data roots, as GET /cubes lists them",
            parameter,
        )

    def list(self) -> Listing:
        """Look for cubes below the roots. Blocks: it reads the first bytes of every file."""
        found: dict[str, int] = {}
        truncated = False
        for looked_at, (name, path) in enumerate(self._candidates()):
            if len(found) >= _MOST_CUBES or looked_at >= _MOST_LOOKED_AT:
                truncated = True
                break
            try:
                if name not in found and format_of(Place.look(path)) is not None:
                    found[name] = path.stat().st_size
            except OSError:
                continue  # what cannot be read cannot be served; it may have vanished between two looks
        return Listing(tuple(sorted(found.items())), truncated)

    def _candidates(self) -> Iterator[tuple[str, Path]]:
        yield from self._files.items()
        for folder in self._folders:
            for base, folders, files in os.walk(folder):
                folders[:] = sorted(one for one in folders if not one.startswith("."))
                for file in sorted(files):
                    path = Path(base, file)
                    if not file.startswith(".") and Path(os.path.realpath(path)).is_relative_to(folder):
                        yield path.relative_to(folder).as_posix(), path
