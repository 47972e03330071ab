"""Names: which files below the data roots a request may mean. Nothing outside of them can be named."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from visiomatic_dask.errors import CubeNotFound, InvalidSetting
from visiomatic_dask.readers import Place, format_of
from visiomatic_dask.readers.place import is_url
from visiomatic_dask.server.remote_names import RemotePrefixes


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder below a data root, where it lies.

    Attributes
    ----------
    root : Path
        The root, out of which nothing leads.
    path : Path
        The folder itself, or the root; symbolic links followed.
    """

    root: Path
    path: Path


class DataRoots:
    """What may be opened: every cube below some folders, and single cubes.

    Parameters
    ----------
    paths : sequence of Path or str
        Folders, whose cubes are called by their path below them; and cubes, be they files or folders as Zarr
        hierarchies are, which are called by their own name. An earlier one hides a later one of the same name. And
        URLs: those that end in a slash, below which everything may be opened, and cubes; both are called by their URL.

    Raises
    ------
    InvalidSetting
        If a path does not exist, two cubes have the same name, or a URL is no prefix of any.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self._folders: list[Path] = []
        self._remote = RemotePrefixes([str(path) for path in paths if is_url(path)])
        self._single: dict[str, str] = {url: url for url in self._remote.cubes}
        for path in (Path(path) for path in paths if not is_url(path)):
            real = Path(os.path.realpath(path))
            if real.is_file() or is_folder_cube(real):
                name = path.name or real.name
                if self._single.setdefault(name, str(real)) != str(real):
                    raise InvalidSetting(f"two cubes are called {name}: serve the folder above them instead")
            elif real.is_dir():
                self._folders.append(real)
            else:
                raise InvalidSetting(f"{path} is neither a cube nor a folder")

    @property
    def single(self) -> Mapping[str, str]:
        """Paths and URLs of single cubes, by name."""
        return self._single

    def resolve(self, name: str, parameter: str) -> str:
        """Find the file, the folder that is a cube, or the URL that a name means.

        Parameters
        ----------
        name : str
            Relative to a root, with ``/`` between folders; or a URL.
        parameter : str
            What the request calls it, for messages.

        Raises
        ------
        CubeNotFound
            If there is no such file, or it does not lie below the roots once symbolic links are followed. The message
            is the same: nobody learns what else lies on this machine.
        """
        address = self._single.get(name) or self._remote.address(name)
        if address is not None:
            return address
        for folder in self._below(name):
            with contextlib.suppress(OSError):  # a name longer than names can be, a folder that may not be entered
                if folder.path.is_file() or is_folder_cube(folder.path):
                    return str(folder.path)
        raise _not_found(name, parameter, "the name of a cube below the data roots, as GET /cubes lists them")

    def folders(self, name: str, parameter: str) -> list[Folder]:
        """Find the folders that a name means, one in each root that has it; an empty one means the roots themselves.

        Raises
        ------
        CubeNotFound
            As of `resolve`; also if it is a cube.
        """
        if not name:
            return [Folder(root, root) for root in self._folders]
        found = []
        for folder in self._below(name):
            with contextlib.suppress(OSError):
                if folder.path.is_dir() and not is_folder_cube(folder.path):
                    found.append(folder)
        if not found:
            raise _not_found(name, parameter, "a folder below the data roots, as GET /cubes?path= lists them")
        return found

    def _below(self, name: str) -> Iterator[Folder]:
        """Follow a name from each root, to where it does not lead out of it again."""
        parts = PurePosixPath(name).parts
        if not name or "\0" in name or "\\" in name or name.startswith("/") or ".." in parts:
            return
        for root in self._folders:
            with contextlib.suppress(OSError, ValueError):  # ValueError: characters that no file name can have
                real = Path(os.path.realpath(root.joinpath(*parts)))
                if real != root and real.is_relative_to(root):
                    yield Folder(root, real)


def is_folder_cube(path: Path) -> bool:
    """Whether a folder is a cube, as Zarr hierarchies are; then it is not descended into."""
    return path.is_dir() and format_of(Place.look(path)) is not None


def _not_found(name: str, parameter: str, allowed: str) -> CubeNotFound:
    shown = name if len(name) <= 80 else name[:77] + "…"
    return CubeNotFound(f"{parameter} is {shown!r}; allowed: {allowed}", parameter)
