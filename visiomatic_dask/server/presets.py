"""Presets: named sets of rendering keys that the operator keeps for a cube, one JSON file for each cube."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import InvalidRequest, InvalidSetting

Keys = Mapping[str, tuple[str, ...]]
"""Values of each key, as they would stand in a URL."""
Stamp = tuple[int, int, int] | None
"""Which version of a file: time, inode and size; None where there is none."""

REPEATABLE = ("mix", "cuts")
_MOST = 256
_LONGEST_NAME = 64
_LARGEST = 4 * 2**20
_TRUSTED = 1.0
"""Seconds for which a file is not looked at again."""
_MOST_STAMPS = 1024
_FOR_ALL = 0o644
"""Who may read a file of presets: nothing secret is in it."""


class PresetFolder:
    """The presets of all cubes.

    Parameters
    ----------
    folder : str
        Where their files are, or will be.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._stamps: dict[str, tuple[float, Stamp]] = {}

    def stamp(self, address: str) -> Stamp:
        """Tell which version the presets of a cube are, as of a second ago at most."""
        now = time.monotonic()
        looked, stamp = self._stamps.get(address, (-_TRUSTED, None))
        if now - looked >= _TRUSTED or address not in self._stamps:
            stamp = self._look(address)
            if len(self._stamps) >= _MOST_STAMPS:
                self._stamps.clear()
            self._stamps[address] = now, stamp
        return stamp

    def read(self, address: str) -> dict[str, Keys]:
        """Return the presets of a cube by name.

        Parameters
        ----------
        address : str
            The cube's path, symbolic links followed, or its URL.

        Raises
        ------
        InvalidSetting
            If the file is damaged, or may not be read.
        """
        path = self._file(address)
        try:
            if path.stat().st_size > _LARGEST:
                raise InvalidSetting("the presets of this cube cannot be read: the file is too large")
            found = json.loads(path.read_text("utf-8"))
            return {str(name): _checked(keys) for name, keys in found["presets"].items()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise InvalidSetting(f"the presets of this cube cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidSetting("the presets of this cube cannot be read: their file is damaged") from error

    def get(self, address: str, name: str) -> Keys:
        """Return one preset; `InvalidRequest` if the cube has none of that name."""
        presets = self.read(address)
        if name not in presets:
            names = ", ".join(sorted(presets)) or "none, as the cube has no presets"
            raise InvalidRequest.value("preset", name, names)
        return presets[name]

    def save(self, address: str, name: str, keys: Keys) -> None:
        """Keep a preset, in the place of one of the same name.

        Raises
        ------
        InvalidRequest
            If the name cannot be used, or the cube has too many.
        InvalidSetting
            If the folder cannot be written to.
        """
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()):
            raise InvalidRequest.value("NAME", name, f"1 to {_LONGEST_NAME} printable characters")
        with self._locked():
            presets = self.read(address) | {name: keys}
            if len(presets) > _MOST:
                raise InvalidRequest(f"the cube has {_MOST} presets; allowed: no more than that", "NAME")
            self._write(address, presets)

    def remove(self, address: str, name: str) -> None:
        """Give up a preset; `InvalidRequest` if there is none of that name."""
        with self._locked():
            self.get(address, name)
            presets = self.read(address)
            del presets[name]
            self._write(address, presets)

    def _file(self, address: str) -> Path:
        return self._folder / f"{digest(address)}.json"

    def _look(self, address: str) -> Stamp:
        try:
            status = self._file(address).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from changing presets at the same time."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InvalidSetting(f"presets cannot be kept in {self._folder}: {error.strerror}", "presets") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, address: str, presets: Mapping[str, Keys]) -> None:
        """Put a whole new file in the place of the old one: who reads sees either."""
        kept = {name: {key: list(values) for key, values in keys.items()} for name, keys in sorted(presets.items())}
        text = json.dumps({"cube": address, "presets": kept}, indent=1, ensure_ascii=False)
        if len(text.encode()) > _LARGEST:
            raise InvalidRequest(
                f"the presets of the cube would take {len(text):,} bytes; allowed: {_LARGEST:,}", "NAME"
            )
        path = self._file(address)
        try:
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._folder, delete=False) as file:
                try:
                    file.write(text)
                    file.flush()
                    os.fchmod(file.fileno(), _FOR_ALL)  # the server may be somebody else
                    os.fsync(file.fileno())
                    os.replace(file.name, path)  # noqa: PTH105 - the name is a text
                except BaseException:
                    os.unlink(file.name)  # noqa: PTH108
                    raise
        except OSError as error:
            raise InvalidSetting(f"presets cannot be kept in {self._folder}: {error.strerror}", "presets") from error
        self._stamps.pop(address, None)


def _checked(keys: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Return the values of keys as they came from a file; `ValueError` if they are none."""
    checked = {}
    for key, values in keys.items():
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise ValueError(f"{key} has no list of texts")
        checked[key] = tuple(values)
    return checked
