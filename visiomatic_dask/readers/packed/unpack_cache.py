"""The folder where compressed files are unpacked: once for all processes, within limits.

Below the folder, ``FINGERPRINT`` is what a compressed file of that fingerprint holds, ``FINGERPRINT.part`` what is
there of it so far, and ``FINGERPRINT.lock`` is locked by whoever writes that part. A part whose lock is free was left
by a process that died, and is removed. The time of change of an unpacked file is that of the compressed one, so that it
is the same file when it is unpacked again; its time of access says when it was used last.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dask.utils import format_bytes

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import SourceFile
from visiomatic_dask.errors import TooLarge, Unavailable, UnreadableCube
from visiomatic_dask.readers.packed.compression import Compression, unpack_file
from visiomatic_dask.readers.packed.progress_lock import ProgressLock, reported
from visiomatic_dask.readers.packed.unpacked_file import UnpackedFile

Progress = Callable[[int, int], None]
"""Called with the compressed bytes that are done, and all of them. What it raises ends the unpacking."""

_LOOK_AGAIN = 0.1
_LOOK_AROUND = 64 * 2**20
"""Bytes after which the room that is left is looked at again."""


@dataclass(frozen=True, slots=True)
class UnpackCache:
    """What is unpacked, and how much of it there may be.

    Attributes
    ----------
    folder : Path
        Where it lies; made when it is first needed. Workers read there under the same path.
    unpack_limit : int
        Bytes that one file may have, unpacked.
    limit : int
        Bytes of all of them. While some are being unpacked there may be 64 MiB more of each.
    spare : int
        Bytes that are left free on the disk.
    """

    folder: Path
    unpack_limit: int
    limit: int
    spare: int = 64 * 2**20

    @classmethod
    def of(cls, settings: Settings) -> UnpackCache:
        """Return the cache that the settings say."""
        return cls(Path(settings.cache_folder) / "unpacked", settings.unpack_limit, settings.cache_limit)

    def find(self, packed: SourceFile) -> UnpackedFile | None:
        """Return what a file holds if it is unpacked already, and note that it was wanted."""
        with _explained(packed.name):
            try:
                found = UnpackedFile(packed, SourceFile.of(self._path(packed)))
            except (FileNotFoundError, NotADirectoryError):
                return None
        found.note_use()
        return found

    def unpack(
        self, packed: SourceFile, compression: Compression, name: str, progress: Progress | None = None
    ) -> UnpackedFile:
        """Unpack a file, unless that is done; while another thread or process does it, wait.

        Parameters
        ----------
        packed : SourceFile
            The compressed file.
        compression : Compression
            How it is compressed.
        name : str
            What messages call it.
        progress : callable, optional
            Told how far it is, also while another process does it.

        Raises
        ------
        TooLarge
            If there is more in it than the limits allow. Nothing of it is kept.
        UnreadableCube
            If it is damaged, or the cache cannot be written.
        CubeChanged
            If it is replaced while it is unpacked.
        Unavailable
            If other files that are being unpacked leave no room.
        """
        tell = progress or (lambda _done, _total: None)
        lock_path = self._path(packed, ".lock")
        with _explained(name):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                found = self.find(packed)
                if found is not None:
                    return found
                lock = ProgressLock.take(lock_path)
                if lock is not None:
                    break
                tell(reported(lock_path), packed.size)
                time.sleep(_LOOK_AGAIN)
            try:  # somebody else may have been quicker
                return self.find(packed) or self._write(packed, compression, name, _both(lock, tell, packed.size))
            finally:
                lock.release()

    def _path(self, packed: SourceFile, suffix: str = "") -> Path:
        return self.folder / f"{packed.fingerprint}{suffix}"

    def _write(
        self, packed: SourceFile, compression: Compression, name: str, progress: Callable[[int], None]
    ) -> UnpackedFile:
        self._remove_dead()
        path, part = self._path(packed), self._path(packed, ".part")
        try:
            with (
                part.open("wb", buffering=0) as file,
                contextlib.closing(unpack_file(packed, compression, name, progress)) as pieces,
            ):
                self._fill(file.fileno(), pieces, name)
                # Whoever may read the compressed file may read this one, and nobody else
                os.fchmod(file.fileno(), 0o600 | os.stat(packed.path).st_mode & 0o666)  # noqa: PTH116
                os.utime(file.fileno(), ns=(time.time_ns(), packed.mtime_ns))
                os.fsync(file.fileno())
            packed.check()
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return UnpackedFile(packed, SourceFile.of(path))

    def _fill(self, descriptor: int, pieces: Iterator[bytes], name: str) -> None:
        size, looked = 0, 0
        self._make_room(name)
        for piece in pieces:
            size += len(piece)
            self._check_size(size, name)
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
            if size - looked >= _LOOK_AROUND:
                looked = size
                self._make_room(name)
        self._make_room(name)

    def _check_size(self, size: int, name: str) -> None:
        for setting, limit in (("unpack-limit", self.unpack_limit), ("cache-limit", self.limit)):
            if size > limit:
                raise TooLarge(
                    f"{name} holds more than {format_bytes(limit)} (visiomatic.{setting}) once it is unpacked"
                )

    def _make_room(self, name: str) -> None:
        """Remove what was used least recently, until limit and disk are respected."""
        finished: list[tuple[int, int, Path]] = []
        total = 0
        for path, status in self._files():
            if path.suffix != ".lock":
                total += status.st_size
            if not path.suffix:
                finished.append((status.st_atime_ns, status.st_size, path))
        finished.sort(reverse=True)
        while total > self.limit or self._free() < self.spare:
            if not finished:
                if total > self.limit:
                    raise Unavailable(f"{name} must wait: other files are being unpacked, up to visiomatic.cache-limit")
                raise UnreadableCube(
                    f"{name} cannot be unpacked: {format_bytes(self._free())} are free on the disk of the cache, "
                    f"and {format_bytes(self.spare)} have to stay so"
                )
            _, size, path = finished.pop()
            path.unlink(missing_ok=True)
            total -= size

    def _remove_dead(self) -> None:
        """Remove what processes that died have left behind."""
        for stem in {path.with_suffix("") for path, _ in self._files() if path.suffix in (".part", ".lock")}:
            lock = ProgressLock.take(stem.with_suffix(".lock"))
            if lock is not None:
                stem.with_suffix(".part").unlink(missing_ok=True)
                lock.release()

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # another process has removed it
                    yield Path(entry.path), entry.stat(follow_symlinks=False)

    def _free(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize


def _both(lock: ProgressLock, progress: Progress, total: int) -> Callable[[int], None]:
    """Tell those who wait for a lock, and one's own caller."""

    def tell(done: int) -> None:
        lock.report(done)
        progress(done, total)

    return tell


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the file system says of the cache into one sentence, without its path."""
    try:
        yield
    except OSError as error:
        raise UnreadableCube(
            f"{name} cannot be unpacked into the folder of visiomatic.cache-folder: {error.strerror or error}"
        ) from error
