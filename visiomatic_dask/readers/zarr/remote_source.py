"""Several objects below one URL that together say which version of a dataset it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import CubeChanged
from visiomatic_dask.readers.remote.file_system import ask, fresh, short, version_of

T = TypeVar("T")

AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """One version of what lies below a URL, told by some of its objects.

    Attributes
    ----------
    url : str
        Where it lies, the same for every worker; no slash at the end.
    members : tuple of (str, str)
        Path below the URL, and version, of every object that has to be as it was.
    """

    url: str
    members: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, url: str, versions: Iterable[tuple[str, str]]) -> RemoteSource:
        """Put together what was seen of the objects."""
        return cls(url, tuple(sorted(versions)))

    @property
    def name(self) -> str:
        """Last part of the URL."""
        return short(self.url)

    @property
    def fingerprint(self) -> str:
        """BLAKE2b of the URL and of all members."""
        return digest(f"{self.url}\0{self.members}")

    def check(self) -> None:
        """See `visiomatic_dask.cube.Source.check`: one HEAD request a member, all at the same time."""
        paths = [path for path, _ in self.members]
        for (path, version), now in zip(self.members, versions_of(self.url, paths), strict=True):
            if now is None:
                raise CubeChanged(f"{self.name}: {path} is no longer there")
            if now != version:
                raise CubeChanged(f"{self.name} has changed since it was opened; open it again")


def versions_of(url: str, paths: list[str]) -> list[str | None]:
    """Ask for the versions of objects below a URL; None where there is no object.

    A version is its size with its ETag or the time of its last change, whatever the server tells.
    """
    return at_a_time(lambda path: _version(url, path), paths)


def size_of(version: str | None) -> int | None:
    """Bytes of an object, from its version as `versions_of` gives it; None where the server does not tell."""
    size = (version or "").partition("|")[0]
    return int(size) if size.isdecimal() else None


def at_a_time(question: Callable[[str], T], paths: list[str]) -> list[T]:
    """Ask the same of several paths at the same time."""
    if len(paths) < 2:
        return [question(path) for path in paths]
    with ThreadPoolExecutor(min(AT_A_TIME, len(paths))) as pool:
        return list(pool.map(question, paths))


def _version(url: str, path: str) -> str | None:
    def question(fs: Any, root: str) -> str:
        info = fs.info(f"{root}/{path}", **fresh(fs))
        if info.get("type") == "directory":
            raise FileNotFoundError(path)
        return f"{info.get('size')}|{version_of(info)}"

    return ask_for(url, question)


def ask_for(url: str, question: Callable[[Any, str], T]) -> T | None:
    """Ask the file system of a URL for something; None where there is nothing. See `ask`."""
    try:
        return ask(url, question)
    except FileNotFoundError:
        return None
