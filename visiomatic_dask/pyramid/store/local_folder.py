"""Folders of the store on a file system, local or shared by hosts."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

from visiomatic_dask.errors import PyramidGone, StoreError, UnwritableStore
from visiomatic_dask.pyramid.store.folder import HIDDEN, StoreFolder, Usage

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_TRIES = 5


@dataclass(frozen=True)
class LocalFolder(StoreFolder):
    """A folder at an absolute path, which is the same on all hosts.

    Attributes
    ----------
    address : str
        The path.
    """

    address: str

    @property
    def name(self) -> str:
        """See `StoreFolder`."""
        return Path(self.address).name

    def make(self) -> None:
        """See `StoreFolder`."""
        try:
            Path(self.address).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableStore(f"{self.name}, of the store, cannot be made: {error.strerror}") from error

    def read(self, path: str) -> bytes | None:
        """See `StoreFolder`."""
        for attempt in range(_TRIES):
            try:
                return self._at(path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                # Over NFS, a file that was replaced while it was being read
                if error.errno != errno.ESTALE or attempt == _TRIES - 1:
                    raise StoreError(f"{self.name}/{path} cannot be read: {error.strerror}") from error
        raise AssertionError("the last attempt returns or raises")

    def write(self, path: str, data: bytes) -> None:
        """See `StoreFolder`."""
        with self._writing(), self._temporary(path, data, durable=True) as temporary:
            temporary.replace(self._at(path))
            sync_folder(self._at(path).parent)

    def create(self, path: str, data: bytes) -> bool:
        """See `StoreFolder`. A link, so that nobody sees the file empty; where there are no links, O_EXCL."""
        target = self._at(path)
        with self._writing():
            try:
                with self._temporary(path, data, durable=False) as temporary:
                    os.link(temporary, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
            else:
                return True
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                return True
        return False

    def delete(self, path: str) -> None:
        """See `StoreFolder`."""
        with self._writing(), contextlib.suppress(FileNotFoundError):
            self._at(path).unlink()

    def delete_if(self, path: str, data: bytes) -> bool:
        """See `StoreFolder`. It is taken away, looked at, and put back if it is another: nothing else is exact."""
        target, aside = self._at(path), self._aside(path)
        with self._writing():
            try:
                target.rename(aside)
            except FileNotFoundError:
                return False
            if aside.read_bytes() == data:
                aside.unlink()
                return True
            with contextlib.suppress(FileExistsError):
                os.link(aside, target)
            aside.unlink()
        return False

    def stamp(self, path: str) -> Hashable | None:
        """See `StoreFolder`."""
        try:
            found = self._at(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{self.name}/{path} cannot be read: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def modified(self, path: str) -> float | None:
        """See `StoreFolder`."""
        try:
            return self._at(path).lstat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{self.name}/{path} cannot be read: {error.strerror}") from error

    def names(self) -> list[str]:
        """See `StoreFolder`."""
        try:
            return sorted(one.name for one in Path(self.address).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreError(f"{self.name} cannot be read: {error.strerror}") from error

    def usage(self, path: str = "") -> Usage:
        """See `StoreFolder`."""
        files = size = 0
        for folder, _, names in os.walk(self._at(path)):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    size += os.lstat(f"{folder}/{name}").st_size
                    files += 1
        return Usage(files, size)

    def remove_tree(self, path: str) -> bool:
        """See `StoreFolder`."""
        there = self._at(path)
        with self._writing():
            if not there.name.startswith(HIDDEN):
                gone = there.with_name(f"{HIDDEN}gone-{secrets.token_hex(4)}-{there.name}")
                try:
                    there.rename(gone)
                except FileNotFoundError:
                    return False
                there = gone
            return _remove(there)

    def _at(self, path: str) -> Path:
        return Path(self.address, path)

    def _aside(self, path: str) -> Path:
        there = self._at(path)
        return there.with_name(f"{HIDDEN}{there.name}.{secrets.token_hex(8)}")

    @contextlib.contextmanager
    def _temporary(self, path: str, data: bytes, *, durable: bool) -> Iterator[Path]:
        aside = self._aside(path)
        try:
            with aside.open("xb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            yield aside
        finally:
            with contextlib.suppress(OSError):  # what matters is what went wrong before
                aside.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise PyramidGone(f"{self.name} is no longer in the store") from error
        except OSError as error:
            raise UnwritableStore(f"{self.name}, of the store, cannot be written to: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Have a new name survive a loss of power; where folders cannot be synchronised, it may not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(there: Path) -> bool:
    for attempt in range(_TRIES):
        if not os.path.lexists(there):
            return attempt > 0
        try:
            if there.is_dir() and not there.is_symlink():
                shutil.rmtree(there)
            else:
                there.unlink()
        except FileNotFoundError:  # somebody else is removing it, too
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or attempt == _TRIES - 1:  # somebody was still writing there
                raise
        else:
            return True
    return True
