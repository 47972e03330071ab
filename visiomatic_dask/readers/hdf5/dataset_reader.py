"""Pixels of HDF5 datasets that are chunked, or otherwise not one run of bytes: chunk by chunk, decoded chunks kept.

HDF5 lets one thread in at a time. It is asked for chunks as they are stored, which takes microseconds, and they are
decoded out here, where other threads can do the same: shuffle and deflate, which nearly all files have. Chunks with any
other filter are read through HDF5.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import ByteSource, Reader, Window
from visiomatic_dask.readers.chunk_parts import chunk_parts
from visiomatic_dask.readers.hdf5.file import DEFLATE, SHUFFLE, filters_of, is_plain, open_file, reading
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling
from visiomatic_dask.readers.shared_cache import CHUNKS, SharedCache

_MOST_OPEN = 64


@dataclass(frozen=True)
class _OpenDataset:
    """A dataset that is open, and how its chunks are decoded.

    Attributes
    ----------
    dataset : h5py.Dataset
        It keeps its file open.
    filters : tuple of (int, int), or None
        Number and first parameter of every filter, in the order in which they were applied, where all are known here
        and the stored bytes are those of NumPy's dtype; None where HDF5 has to decode.
    """

    dataset: Any
    filters: tuple[tuple[int, int], ...] | None

    @classmethod
    def open(cls, source: ByteSource, path: str) -> _OpenDataset:
        """Open the file, and the dataset in it."""
        dataset = open_file(source)[path]
        filters = tuple((code, parameter) for code, parameter, _ in filters_of(dataset))
        known = is_plain(dataset) and all(code in (DEFLATE, SHUFFLE) for code, _ in filters)
        return cls(dataset, filters if known else None)


_OPEN: SharedCache[_OpenDataset] = SharedCache(_MOST_OPEN)
"""Opened datasets, by source (a version of a file) and path. What is let go of is closed once nobody reads from it."""


@dataclass(frozen=True)
class HDF5DatasetReader:
    """A dataset of an HDF5 file.

    Attributes
    ----------
    source : ByteSource
        The version of the file that was opened.
    path : str
        Path of the dataset in the file.
    shape : tuple of int
        Of the dataset.
    storage : tuple of int
        Shape of its chunks; empty where it has none (it is kept in its header, or was never written).
    scaling : Scaling
        How the stored values become physical ones.
    """

    source: ByteSource
    path: str
    shape: tuple[int, ...]
    storage: tuple[int, ...]
    scaling: Scaling

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of what `read` returns."""
        return self.scaling.dtype

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the file."""
        return self.source.fingerprint

    @cached_property
    def token(self) -> str:
        """Canonical text of file version, dataset and scaling."""
        return f"hdf5:{self.fingerprint}:{self.path}:{self.shape}:{self.scaling.text}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the file, before it is compressed."""
        return self.scaling.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the storage chunks."""
        return self.storage or (1,) * len(self.shape)

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        self.source.check()  # the cache would answer for a file that is gone
        stored = np.empty(window.shape, self._stored)
        if stored.size:
            with reading(self.source):
                self._fill(stored, window)
        return self.scaling.physical(stored)

    @property
    def _stored(self) -> np.dtype[Any]:
        return np.dtype(self.scaling.stored)

    def _fill(self, stored: NDArray[Any], window: Window) -> None:
        if not self.storage:
            # Booleans, and integers whose sign an attribute denies, are what they are stored as.
            stored[...] = self._opened().dataset[window.slices].view(self._stored)
            return
        for part in chunk_parts(self.storage, window):
            stored[part.target] = self._chunk(part.index)[part.within]

    def _opened(self) -> _OpenDataset:
        return _OPEN.get((self.source, self.path), lambda: _OpenDataset.open(self.source, self.path))

    def _chunk(self, index: tuple[int, ...]) -> NDArray[Any]:
        """Return a decoded chunk; at the array's far edges it may be cropped, or not."""

        def make() -> NDArray[Any]:
            chunk = self._decoded(index)
            chunk.flags.writeable = False
            return chunk

        return CHUNKS.get((self.token, index), make)

    def _decoded(self, index: tuple[int, ...]) -> NDArray[Any]:
        one = self._opened()
        first = tuple(number * size for number, size in zip(index, self.storage, strict=True))
        if one.filters is not None:
            try:
                mask, raw = one.dataset.id.read_direct_chunk(first)
            except RuntimeError:
                pass  # it was never written, and HDF5 knows what stands for it
            else:
                plain = _unfiltered(raw, one.filters, mask, math.prod(self.storage) * self.source_itemsize)
                return np.frombuffer(plain, self._stored).reshape(self.storage)
        box = tuple(slice(at, at + size) for at, size in zip(first, self.storage, strict=True))
        values: NDArray[Any] = one.dataset[box]
        return values.view(self._stored)


def dataset_reader(source: ByteSource, dataset: Any, scaling: Scaling) -> Reader:
    """Return the fastest reader of an opened dataset.

    Parameters
    ----------
    source : ByteSource
        Its file.
    dataset : h5py.Dataset
        One that `visiomatic_dask.readers.hdf5.file.why_no_pixels` has nothing against.
    scaling : Scaling
        How its stored values become physical ones.

    Returns
    -------
    RawReader or HDF5DatasetReader
        A contiguous dataset is read without HDF5: nothing but its place in the file is needed.
    """
    if dataset.chunks is None and is_plain(dataset) and (offset := dataset.id.get_offset()) is not None:
        return RawReader(source, offset, dataset.shape, scaling)
    return HDF5DatasetReader(source, dataset.name, dataset.shape, dataset.chunks or (), scaling)


def _unfiltered(raw: bytes, filters: tuple[tuple[int, int], ...], mask: int, size: int) -> bytes:
    """Undo the filters of a chunk, the last first; neither changes its size but for deflate.

    Parameters
    ----------
    raw : bytes
        The chunk as it is stored.
    filters : tuple of (int, int)
        See `_OpenDataset`.
    mask : int
        Bits that are set: filters that this chunk went without.
    size : int
        Bytes of the chunk when all is undone.
    """
    data = raw
    for position, (code, parameter) in reversed(list(enumerate(filters))):
        if not mask >> position & 1:
            data = _inflated(data, size) if code == DEFLATE else _unshuffled(data, parameter)
    if len(data) != size:
        raise ValueError(f"a chunk has {len(data):,} bytes, not {size:,}")
    return data


def _inflated(data: bytes, size: int) -> bytes:
    """Undo deflate, but never beyond the bytes that a chunk has."""
    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error as error:
        raise ValueError(f"a chunk cannot be decompressed: {error}") from error


def _unshuffled(data: bytes, itemsize: int) -> bytes:
    """Put the bytes of each number side by side again, of which shuffle keeps all first, then all second … together."""
    count = len(data) // itemsize
    planes = np.frombuffer(data, np.uint8, count * itemsize).reshape(itemsize, count)
    numbers = np.empty((count, itemsize), np.uint8)
    for index, plane in enumerate(planes):
        numbers[:, index] = plane
    return numbers.tobytes() + data[count * itemsize :]
