"""Folders of the store at URLs, through fsspec.

Credentials and endpoints are fsspec's business: its configuration files, or variables as ``FSSPEC_S3_ENDPOINT_URL``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from visiomatic_dask.errors import StoreError, UnwritableStore
from visiomatic_dask.pyramid.store.folder import StoreFolder, Usage

_VERSION_KEYS = ("ETag", "VersionId", "LastModified", "mtime", "updated", "created", "size")
_TIME_KEYS = ("LastModified", "last_modified", "mtime", "updated", "created")
_LIBRARIES = ("aiohttp", "botocore", "fsspec", "gcsfs", "adlfs", "google", "azure", "requests")
"""Packages below fsspec whose errors need not be an `OSError`."""
_EXCLUSIVE = ("s3", "s3a")
"""Where `create` is exclusive. Elsewhere two may create a file at the same moment: the later one stays."""
_SETTLED = 0.25
"""Seconds after which both have written, and it is seen who was later."""

T = TypeVar("T")


@dataclass(frozen=True)
class UrlFolder(StoreFolder):
    """A folder at a URL. Objects are written whole, so that writing is atomic; there is no renaming.

    Where the file system cannot create exclusively (see `_EXCLUSIVE`), whoever creates a file reads it again after a
    moment, and it is theirs if it still holds what they wrote. That needs writes that take less than the moment.

    Attributes
    ----------
    address : str
        The URL.
    """

    address: str
    look_again = 1.0

    @property
    def name(self) -> str:
        """See `StoreFolder`."""
        return self.address.rpartition("/")[2]

    def make(self) -> None:
        """See `StoreFolder`."""
        self._put(lambda fs, root: fs.makedirs(root, exist_ok=True))

    def read(self, path: str) -> bytes | None:
        """See `StoreFolder`."""
        try:
            return self._ask(lambda fs, root: bytes(fs.cat_file(f"{root}/{path}")))
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """See `StoreFolder`."""
        self._put(lambda fs, root: fs.pipe_file(f"{root}/{path}", data))

    def create(self, path: str, data: bytes) -> bool:
        """See `StoreFolder`."""

        def put(fs: Any, root: str) -> bool:
            try:
                fs.pipe_file(f"{root}/{path}", data, mode="create")
            except FileExistsError:
                return False
            except OSError:
                fs.invalidate_cache()
                if fs.exists(f"{root}/{path}"):  # S3 calls it a failed precondition, which becomes any OSError
                    return False
                raise
            return True

        if not self._put(put):
            return False
        if self._ask(lambda fs, _: _protocol(fs)) in _EXCLUSIVE:
            return True
        time.sleep(_SETTLED)
        return self.read(path) == data

    def delete(self, path: str) -> None:
        """See `StoreFolder`."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda fs, root: fs.rm_file(f"{root}/{path}"), writing=True)

    def delete_if(self, path: str, data: bytes) -> bool:
        """See `StoreFolder`. Here it may be replaced between the look and the deletion."""
        if self.read(path) != data:
            return False
        self.delete(path)
        return True

    def stamp(self, path: str) -> Hashable | None:
        """See `StoreFolder`. One request."""
        info = self._info(path)
        return None if info is None else tuple(str(info.get(key)) for key in _VERSION_KEYS)

    def modified(self, path: str) -> float | None:
        """See `StoreFolder`. Folders were changed when the last file in them was."""
        info = self._info(path)
        if info is None:
            return None
        if info.get("type") != "directory":
            return _time(info)
        return max((_time(one) for one in self._find(path)), default=0.0)

    def names(self) -> list[str]:
        """See `StoreFolder`."""

        def ls(fs: Any, root: str) -> list[str]:
            fs.invalidate_cache()
            return [str(one).rstrip("/") for one in fs.ls(root, detail=False)]

        try:
            return sorted({one.rpartition("/")[2] for one in self._ask(ls)})
        except FileNotFoundError:
            return []

    def usage(self, path: str = "") -> Usage:
        """See `StoreFolder`."""
        found = self._find(path)
        return Usage(len(found), sum(one.get("size") or 0 for one in found))

    def remove_tree(self, path: str) -> bool:
        """See `StoreFolder`. What tells that it is a pyramid goes first, since nothing can be renamed."""
        if not self._find(path):
            return False
        for name in ("zarr.json", "ledger.json"):  # nor may a ledger be left that speaks of what is gone
            self.delete(f"{path}/{name}")
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda fs, root: fs.rm(f"{root}/{path}", recursive=True), writing=True)
        return True

    def _put(self, question: Callable[[Any, str], T]) -> T:
        try:
            return self._ask(question, writing=True)
        except FileNotFoundError as error:
            raise UnwritableStore(
                f"{self.name}, of the store, cannot be written to: there is no such bucket"
            ) from error

    def _info(self, path: str) -> dict[str, Any] | None:
        def info(fs: Any, root: str) -> dict[str, Any]:
            fresh = {"refresh": True} if _protocol(fs) in ("s3", "s3a") else {}
            return dict(fs.info(f"{root}/{path}", **fresh))

        try:
            return self._ask(info)
        except FileNotFoundError:
            return None

    def _find(self, path: str) -> list[dict[str, Any]]:
        def find(fs: Any, root: str) -> list[dict[str, Any]]:
            fs.invalidate_cache()
            return list(fs.find(f"{root}/{path}" if path else root, detail=True).values())

        return self._ask(find)

    def _ask(self, question: Callable[[Any, str], T], *, writing: bool = False) -> T:
        kind, what = (UnwritableStore, "written to") if writing else (StoreError, "read")
        try:
            from fsspec.core import url_to_fs  # for those who have URLs

            fs, root = url_to_fs(self.address)
            return question(fs, root.rstrip("/"))
        except FileNotFoundError:
            raise
        except ImportError as error:
            raise StoreError(f"{self.name}, of the store: {error}; pip install 'visiomatic-dask[remote]'") from error
        except Exception as error:
            if not isinstance(error, OSError | ValueError) and type(error).__module__.split(".")[0] not in _LIBRARIES:
                raise
            raise kind(f"{self.name}, of the store, cannot be {what}: {_reason(error)}") from error


def _protocol(fs: Any) -> str:
    return fs.protocol if isinstance(fs.protocol, str) else str(fs.protocol[0])


def _time(info: dict[str, Any]) -> float:
    found = next((info[key] for key in _TIME_KEYS if info.get(key)), 0.0)
    return found.timestamp() if isinstance(found, datetime) else float(found)


def _reason(error: BaseException) -> str:
    """Say what went wrong, without the address, which may be of an inner network."""
    if isinstance(error, PermissionError):
        return "the server refuses it"
    return f"the server does not answer as it should ({type(error).__name__})"
