"""A folder of the store, local or at a URL: small files that are read and written whole, and trees that are removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import NamedTuple

HIDDEN = "."
"""What names of things begin with that are not there yet, or no longer."""


class Usage(NamedTuple):
    """Files below a folder, and their bytes."""

    files: int
    size: int


class StoreFolder(ABC):
    """A folder of the store. Frozen and picklable.

    Paths are relative to it, with slashes. Messages call folders by their last name only.

    Attributes
    ----------
    look_again : float
        Seconds after which it is worth asking again whether a file has changed; 0 where asking costs next to nothing.
    """

    look_again: float = 0.0

    @staticmethod
    def of(address: str) -> StoreFolder:
        """Return the folder at an absolute path or a URL that fsspec knows; nothing is looked at.

        Parameters
        ----------
        address : str
            An absolute path, or a URL.
        """
        if "://" in address:
            from visiomatic_dask.pyramid.store.url_folder import UrlFolder

            return UrlFolder(address.rstrip("/"))
        from visiomatic_dask.pyramid.store.local_folder import LocalFolder

        return LocalFolder(address)

    @property
    @abstractmethod
    def name(self) -> str:
        """Last part of its address."""

    @abstractmethod
    def make(self) -> None:
        """Make the folder, with those above it, unless it is there.

        Raises
        ------
        UnwritableStore
            If it cannot be made.
        """

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Read a file, or return None where there is none.

        Raises
        ------
        StoreError
            If it is there and cannot be read.
        """

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a file, atomically and durably: others see all of what was there before or all of this.

        Raises
        ------
        UnwritableStore
            If it cannot be written.
        PyramidGone
            If its folder is not there; none is made.
        """

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless it is there; whether it was written. Of any that race, one succeeds.

        Raises
        ------
        UnwritableStore, PyramidGone
            As `write`.
        """

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file, unless it is gone.

        Raises
        ------
        UnwritableStore
            If it cannot be deleted.
        """

    @abstractmethod
    def delete_if(self, path: str, data: bytes) -> bool:
        """Delete a file if that is what it holds, and whether it did."""

    @abstractmethod
    def stamp(self, path: str) -> Hashable | None:
        """Return what changes whenever a file is written, or None where there is none. Cheap."""

    @abstractmethod
    def modified(self, path: str) -> float | None:
        """Return when a file, or a folder, was changed last, in seconds since 1970, or None where there is none."""

    @abstractmethod
    def names(self) -> list[str]:
        """Names of the files and folders in it, hidden ones too; none where it is not there."""

    @abstractmethod
    def usage(self, path: str = "") -> Usage:
        """Count the files below a folder, and their bytes, as far as they are still there."""

    @abstractmethod
    def remove_tree(self, path: str) -> bool:
        """Remove a file or a folder with all that is in it, and whether it was there.

        Where it can be, it is renamed first, so that nobody finds half of it. Others may do the same, or have begun to.

        Raises
        ------
        UnwritableStore
            If it cannot be removed.
        """
