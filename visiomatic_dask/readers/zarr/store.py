"""Where a Zarr hierarchy lies: its metadata as bytes, and the versions that these had when they were read."""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from visiomatic_dask.cube import Source
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.place import is_url
from visiomatic_dask.readers.remote.file_system import fresh, options_of, short
from visiomatic_dask.readers.zarr.folder_file import check_inside, open_inside
from visiomatic_dask.readers.zarr.folder_source import FolderSource, Stamp, stamp_of
from visiomatic_dask.readers.zarr.metadata_limit import MOST_BYTES, MetadataLimit
from visiomatic_dask.readers.zarr.remote_source import RemoteSource, ask_for, at_a_time, size_of, versions_of

if TYPE_CHECKING:
    from zarr.abc.store import Store

logger = logging.getLogger(__name__)

_MOST_REMOTE_MEMBERS = 16
"""Objects of a URL that are looked at to tell versions apart: each look at each is a request."""


class MetadataStore(Protocol):
    """The metadata files of a hierarchy. Paths are relative to its root, without a slash at the beginning."""

    @property
    def address(self) -> str:
        """Absolute path or URL of the root, as `open_store` takes it."""
        ...

    @property
    def name(self) -> str:
        """Last part of the address."""
        ...

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Read files; those that are not there are left out.

        Raises
        ------
        UnreadableCube
            If a URL cannot be read, a local path leads elsewhere, or to no file, or they are too large
            (`MetadataLimit`).
        OSError
            If a local file cannot be read.
        """
        ...

    def folders(self, path: str) -> list[str] | None:
        """List the folders within a folder, sorted; None where that is not possible (most web servers)."""
        ...

    def source(self, files: Iterable[str], folders: Iterable[str]) -> Source:
        """Describe the version of files and folders: for files, that which was read.

        Raises
        ------
        UnreadableCube
            As `get`: consolidated metadata may speak of folders that are links to something outside.
        """
        ...


class LocalMetadata:
    """Metadata in a local folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.address = os.path.realpath(path)
        self._stamps: dict[str, Stamp] = {}
        self._limit = MetadataLimit(self.name)

    @property
    def name(self) -> str:
        """The folder's name."""
        return Path(self.address).name

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """See `MetadataStore.get`."""
        found = {}
        for path in paths:
            try:
                with open_inside(self.address, path) as file:
                    self._stamps[path] = stamp = stamp_of(os.fstat(file.fileno()))
                    self._limit.add(path, stamp[0])
                    found[path] = file.read(stamp[0])
            except (FileNotFoundError, NotADirectoryError):
                continue
        return found

    def folders(self, path: str) -> list[str]:
        """See `MetadataStore.folders`. Links out of the hierarchy are not followed: nobody allowed that."""
        with os.scandir(f"{self.address}/{path}") as entries:
            return sorted(entry.name for entry in entries if self._is_inside(entry) and not entry.name.startswith("."))

    def _is_inside(self, entry: os.DirEntry[str]) -> bool:
        if entry.is_symlink() and not os.path.realpath(entry.path).startswith(f"{self.address}/"):
            return False
        return entry.is_dir()

    def source(self, files: Iterable[str], folders: Iterable[str]) -> FolderSource:
        """See `MetadataStore.source`."""
        stamps = dict.fromkeys([*files, *folders], (0, 0))
        for path in list(stamps):
            check_inside(self.address, path)
            try:
                stamps[path] = self._stamps.get(path) or stamp_of(os.stat(f"{self.address}/{path}"))  # noqa: PTH116
            except (FileNotFoundError, NotADirectoryError):
                del stamps[path]  # known from consolidated metadata alone; or chunks without a folder of their own
        return FolderSource.of(self.address, stamps.items())


class RemoteMetadata:
    """Metadata below a URL that fsspec knows.

    Object stores have no folders, so that here only metadata tell versions apart, the first `_MOST_REMOTE_MEMBERS`.
    """

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")
        self._versions: dict[str, str | None] = {}
        self._limit = MetadataLimit(self.name)

    @property
    def name(self) -> str:
        """Last part of the URL."""
        return short(self.address)

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """See `MetadataStore.get`. The version is asked for first, lest it be that of something newer."""
        wanted = list(paths)
        self._versions.update(zip(wanted, versions_of(self.address, wanted), strict=True))
        there = [path for path in wanted if self._versions[path] is not None]
        for path in there:
            self._limit.add(path, size_of(self._versions[path]) or 0)
        contents = at_a_time(self._read, there)
        return {path: content for path, content in zip(there, contents, strict=True) if content is not None}

    def folders(self, path: str) -> list[str] | None:
        """See `MetadataStore.folders`. Web servers and buckets that do not list may still be read."""

        def question(fs: Any, root: str) -> list[dict[str, Any]]:
            return list(fs.ls(f"{root}/{path}" if path else root, detail=True, **fresh(fs)))

        try:
            found = ask_for(self.address, question)
        except UnreadableCube as error:
            logger.info("%s cannot be listed: %s", path or "/", error)
            found = None
        if found is None:
            return None
        names = (short(entry["name"]) for entry in found if entry["type"] == "directory")
        return sorted(name for name in names if not name.startswith("."))

    def source(self, files: Iterable[str], folders: Iterable[str]) -> RemoteSource:  # noqa: ARG002 - there are none
        """See `MetadataStore.source`."""
        paths = list(dict.fromkeys(files))[:_MOST_REMOTE_MEMBERS]
        unseen = [path for path in paths if path not in self._versions]
        self._versions.update(zip(unseen, versions_of(self.address, unseen), strict=True))
        members = [(path, version) for path in paths if (version := self._versions[path]) is not None]
        return RemoteSource.of(self.address, members)

    def _read(self, path: str) -> bytes | None:
        def question(fs: Any, root: str) -> bytes:
            if size_of(self._versions[path]) is not None:
                return bytes(fs.cat_file(f"{root}/{path}"))
            content = b""  # the server does not tell, and sends as it likes
            with fs.open(f"{root}/{path}", "rb") as file:
                while len(content) <= MOST_BYTES and (part := file.read(2**20)):
                    content += part
            return content

        content = ask_for(self.address, question)
        if content is not None and size_of(self._versions[path]) is None:
            self._limit.add(path, len(content))
        return content


class ZipMetadata:
    """Metadata in a zip file, whose own size and time tell its versions apart."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.address = os.path.realpath(path)
        self._stamp = stamp_of(os.stat(self.address))  # noqa: PTH116
        self._limit = MetadataLimit(self.name)
        with self._opened() as file:
            self._names = frozenset(file.namelist())

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.address).name

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """See `MetadataStore.get`."""
        with self._opened() as file:
            try:
                return {path: self._read(file, path) for path in paths if path in self._names}
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
                raise UnreadableCube(f"{self.name} is damaged, or packed in an unusual way ({error})") from error

    def folders(self, path: str) -> list[str]:
        """See `MetadataStore.folders`."""
        start = f"{path}/" if path else ""
        below = (name[len(start) :] for name in self._names if name.startswith(start))
        return sorted({name.partition("/")[0] for name in below if "/" in name and not name.startswith(".")})

    def source(self, files: Iterable[str], folders: Iterable[str]) -> FolderSource:  # noqa: ARG002 - all are one file
        """See `MetadataStore.source`."""
        return FolderSource.of(self.address, [("", self._stamp)])

    def _read(self, file: zipfile.ZipFile, path: str) -> bytes:
        """Read a file, and no more than the size that the zip file tells: `ZipFile.read` unpacks all there is."""
        info = file.getinfo(path)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NotImplementedError("neither stored nor deflated")
        self._limit.add(path, info.file_size)
        with file.open(info) as one:
            return one.read(info.file_size)

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.address)
        except zipfile.BadZipFile as error:
            raise UnreadableCube(f"{self.name} is damaged: {error}") from error


def metadata_of(address: str) -> MetadataStore:
    """Look at a folder, a zip file or a URL."""
    if is_url(address):
        return RemoteMetadata(address)
    return ZipMetadata(address) if os.path.isfile(address) else LocalMetadata(address)  # noqa: PTH113


def open_store(address: str) -> Store:
    """Open a folder, a zip file or a URL as what zarr reads chunks from."""
    from zarr.storage import FsspecStore, ZipStore  # importing zarr takes a quarter of a second

    from visiomatic_dask.readers.zarr.folder_store import FolderStore

    if is_url(address):
        return FsspecStore.from_url(address, storage_options=options_of(address), read_only=True)
    if os.path.isfile(address):  # noqa: PTH113
        return ZipStore(address, mode="r", read_only=True)
    return FolderStore(address, read_only=True)
