"""A spectral copy as a reader: the same pixels as the layer, with other chunks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Window
from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import CubeChanged, UnreadableCube
from visiomatic_dask.pyramid.store.shards import Shard
from visiomatic_dask.pyramid.store.spectral_copy import SpectralCopy
from visiomatic_dask.pyramid.store.spectral_shard import ENTRY, decode_chunk, read_entries
from visiomatic_dask.pyramid.store.tree import ROOT, file_system, is_url

ReadRange = Callable[[int, int], bytes]
"""Reads bytes of a file: offset and length."""


@dataclass(frozen=True)
class SpectralReader:
    """A layer, read from its spectral copy. What is not built yet cannot be read.

    Attributes
    ----------
    copy : SpectralCopy
        Which.
    stamp : (int, int) or None
        Size and time of its root document: a copy that was evicted is not taken for one that was built again. None at
        URLs.
    """

    copy: SpectralCopy
    stamp: tuple[int, int] | None

    @classmethod
    def of(cls, copy: SpectralCopy) -> SpectralReader:
        """Make the reader of a copy that is there.

        Raises
        ------
        CubeChanged
            If it is not.
        """
        return cls(copy, _stamp(copy))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer."""
        return self.copy.plan.shape

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The layer's."""
        return np.dtype(self.copy.dtype)

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the copy: of the source that it was made from, and when it was created."""
        return digest(f"{self.copy.fingerprint}:{self.stamp}")

    @cached_property
    def token(self) -> str:
        """Canonical text of the copy and of what it was made from."""
        return f"spectral:{self.fingerprint}:{self.copy.token}"

    @property
    def source_itemsize(self) -> int:
        """Bytes that a decoded pixel takes."""
        return self.copy.plan.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks of the copy."""
        return self.copy.plan.chunk

    @property
    def first_chunk_rows(self) -> int:
        """Rows below the first boundary between chunks, where those are counted from the top."""
        plan = self.copy.plan
        return 0 if plan.upwards else plan.height % plan.chunk[-2]

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`.

        Raises
        ------
        CubeChanged
            If the copy is gone, or another was built in its place.
        UnreadableCube
            If it is damaged, or not built there.
        """
        window.check_within(self.shape)
        plan = self.copy.plan
        out = np.empty(window.shape, self.dtype)
        if out.size:
            self._fill(out if plan.upwards else out[..., ::-1, :], plan.flipped(window).ranges)
        if _stamp(self.copy) != self.stamp:
            raise CubeChanged(f"{self.copy.name} was built again")
        return out

    def _fill(self, out: NDArray[Any], ranges: Sequence[range]) -> None:
        """Copy what is wanted out of every chunk, shard by shard. Ranges are of stored pixels."""
        plan = self.copy.plan
        for at in itertools.product(*(_along(size, part) for size, part in zip(plan.shard, ranges, strict=True))):
            index, within, place = zip(*at, strict=True)
            shard = plan.shard_at(index)
            self._fill_from(shard, out[place], within)

    def _fill_from(self, shard: Shard, out: NDArray[Any], ranges: Sequence[range]) -> None:
        """Copy what is wanted out of every chunk of a shard. Ranges are counted from its start."""
        plan = self.copy.plan
        name = f"{self.copy.name}/{self.copy.path(shard)}"
        high, wide = plan.chunks_within
        with self._opened(shard) as read:
            entries: list[tuple[int, int] | None] | None = None
            parts = list(
                itertools.product(*(_along(size, part) for size, part in zip(plan.chunk, ranges, strict=True)))
            )
            if len(parts) > 1:
                entries = read_entries(read(0, ENTRY * high * wide), name)
            for part in parts:
                index, within, place = zip(*part, strict=True)
                number = index[-2] * wide + index[-1]
                if entries is None:
                    (entry,) = read_entries(read(ENTRY * number, ENTRY), name)
                else:
                    entry = entries[number]
                if entry is None:
                    out[place] = self.copy.fill
                    continue
                pixels = decode_chunk(read(*entry), plan.chunk, self.dtype, name)
                out[place] = pixels[tuple(slice(one.start, one[-1] + 1, one.step) for one in within)]

    @contextmanager
    def _opened(self, shard: Shard) -> Iterator[ReadRange]:
        """Open the file of a shard."""
        copy, path = self.copy, self.copy.path(shard)
        try:
            if is_url(copy.address):
                fs, root = file_system(copy.address)
                yield lambda offset, size: _complete(fs.cat_file(f"{root}/{path}", offset, offset + size), size)
                return
            descriptor = os.open(f"{copy.address}/{path}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                yield lambda offset, size: _complete(os.pread(descriptor, size, offset), size)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError) as error:
            _stamp(copy)  # of what is gone, something else is to be said
            raise UnreadableCube(f"{copy.name}: {path} is not built") from error
        except OSError as error:
            raise UnreadableCube(f"{copy.name}: {path} cannot be read: {error.strerror or error}") from error
        except EOFError as error:
            raise UnreadableCube(f"{copy.name}: {path} is damaged: it ends too early") from error


def _along(size: int, indices: range) -> Iterator[tuple[int, range, slice]]:
    """Cut a range at multiples of a size: number of the part, indices from its start, and their place in the range."""
    taken = 0
    while taken < len(indices):
        number = indices[taken] // size
        count = min(-((indices[taken] - (number + 1) * size) // indices.step), len(indices) - taken)
        part = indices[taken : taken + count]
        yield (
            number,
            range(part.start - number * size, part[-1] + 1 - number * size, part.step),
            slice(taken, taken + count),
        )
        taken += count


def _complete(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise EOFError
    return content


def _stamp(copy: SpectralCopy) -> tuple[int, int] | None:
    """Look at the root document of a copy."""
    if is_url(copy.address):
        return None
    try:
        status = os.stat(f"{copy.address}/{ROOT}")  # noqa: PTH116 - one stat of a path that is already a string
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CubeChanged(f"{copy.name} is no longer there") from error
    except OSError as error:
        raise UnreadableCube(f"{copy.name} cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns
