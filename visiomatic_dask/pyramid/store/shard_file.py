"""Reading and writing the shard files of an array.

A file is replaced as a whole, so that whoever reads sees the old one or the new one. Chunks are encoded one by one on
their way into the file, and those that stay are copied as they are.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.errors import StoreError
from visiomatic_dask.pyramid.store.shard_format import Chunks, Content, Head, decode, encoded, wanted
from visiomatic_dask.pyramid.store.tree import is_url, name_of
from visiomatic_dask.pyramid.tiles import Box

Position = tuple[int, int, int]
"""Plane, row and column of a chunk in its shard."""


class OpenShard(Protocol):
    """A shard file that is open for reading: all that is read of it is of one version."""

    head: Head

    def read(self, ranges: Sequence[tuple[int, int]]) -> Iterator[Any]:
        """Read ranges (first byte, number of bytes) one by one; what is yielded is valid until the next is asked for.

        Raises
        ------
        ValueError
            If the file ends before.
        """
        ...


class DamagedShard(StoreError):
    """A shard file does not hold what it should."""


class ShardFiles(ABC):
    """The shard files of one array.

    Parameters
    ----------
    address : str
        Path or URL of the pyramid.
    array : str
        Path of the array below it.
    content : Content
        What it holds.
    chunks : Chunks
        How its shards are cut.
    """

    def __init__(self, address: str, array: str, content: Content, chunks: Chunks) -> None:
        self.address = address
        self.array = array
        self.content = content
        self.chunks = chunks

    @staticmethod
    def of(address: str, array: str, content: Content, chunks: Chunks) -> ShardFiles:
        """Return the files of an array; nothing is looked at."""
        if is_url(address):
            from visiomatic_dask.pyramid.store.url_shards import UrlShardFiles

            return UrlShardFiles(address, array, content, chunks)
        from visiomatic_dask.pyramid.store.local_shards import LocalShardFiles

        return LocalShardFiles(address, array, content, chunks)

    @abstractmethod
    def size(self, key: str) -> int:
        """Bytes of a file; 0 where there is none."""

    @abstractmethod
    def _open(self, key: str) -> contextlib.AbstractContextManager[OpenShard | None]:
        """Open a file; None where there is none."""

    @abstractmethod
    def _replace(self, key: str, head: Head, parts: Iterator[tuple[Position, Any]]) -> int:
        """Write a file with the chunks that come, and return its size; the index of the head is filled in."""

    def has_planes(self, key: str, planes: tuple[int, int]) -> bool:
        """Whether a shard is there and some planes of it were written."""
        with self._errors(), self._open(key) as shard:
            return shard is not None and bool(shard.head.planes[slice(*planes)].all())

    def read(self, key: str, planes: tuple[int, int], box: Box, out: NDArray[Any]) -> bool:
        """Read a rectangle of some planes of a shard.

        Parameters
        ----------
        key : str
            Path of the file below the array.
        planes : (int, int)
            First plane of the shard, and one past the last.
        box : Box
            Counted from the shard's corner.
        out : ndarray, (planes, box.rows, box.columns)
            Where the pixels go.

        Returns
        -------
        bool
            Whether all planes were written. Those that were not are filled with what pixels are without a chunk.

        Raises
        ------
        StoreError
            If the file cannot be read, or is damaged.
        """
        with self._errors(), self._open(key) as shard:
            if shard is None:
                out.fill(self.content.fill)
                return False
            found = wanted(shard.head, self.chunks, planes, box, self.content, out)
            scratch = np.empty((self.chunks.rows, self.chunks.columns), self.content.dtype)
            for one, data in zip(found, shard.read([(one.first, one.size) for one in found]), strict=True):
                decode(one, data, self.content, out, scratch)
            return bool(shard.head.planes[slice(*planes)].all())

    def write(self, key: str, first: int, values: NDArray[Any]) -> int:
        """Write some planes of a shard; others that are there stay. There is one writer at a time.

        Parameters
        ----------
        key : str
            Path of the file below the array.
        first : int
            First plane, counted from that of the shard.
        values : ndarray, (planes, rows, columns)
            From the corner of the shard; smaller than it at edges.

        Returns
        -------
        int
            Bytes of the file.

        Raises
        ------
        PyramidGone
            If the pyramid is no longer there.
        UnwritableStore
            If nothing can be written.
        StoreError
            If what is there cannot be read, or is damaged.
        """
        last = first + len(values)
        head = Head.empty(self.chunks)
        head.planes[first:last] = True
        whole = len(values) == self.chunks.planes  # nothing stays of what is there, damaged or not
        with self._errors(), contextlib.nullcontext() if whole else self._open(key) as old:

            def parts() -> Iterator[tuple[Position, Any]]:
                if old is not None:
                    yield from self._kept(old, first, last)
                for (plane, row, column), chunk in encoded(self.chunks, self.content, values):
                    yield (first + plane, row, column), chunk

            if old is not None:
                head.planes |= old.head.planes
            return self._replace(key, head, parts())

    def _kept(self, old: OpenShard, first: int, last: int) -> Iterator[tuple[Position, Any]]:
        """Chunks of the planes that are not written anew, as they are."""
        chunks = self.chunks
        positions = [
            (plane, row, column)
            for plane in range(chunks.planes)
            if not first <= plane < last
            for row in range(chunks.down)
            for column in range(chunks.across)
        ]
        places = [(position, place) for position in positions if (place := old.head.place(*position)) is not None]
        data = old.read([place for _, place in places])
        for (position, _), chunk in zip(places, data, strict=True):
            yield position, chunk

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what reading raises into our errors."""
        try:
            yield
        except (ValueError, RuntimeError) as error:
            raise DamagedShard(f"{name_of(self.address)}: a shard of {self.array} is damaged: {error}") from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StoreError(f"{name_of(self.address)}: a shard of {self.array} cannot be read: {reason}") from error
