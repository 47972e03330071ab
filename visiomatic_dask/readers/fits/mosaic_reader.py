"""Pixels of a mosaic, put together from those of its parts as they are asked for."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.cube.source import digest
from visiomatic_dask.readers.fits.detector_sections import Frame, Placed


@dataclass(frozen=True)
class MosaicPart:
    """One image of a mosaic.

    Attributes
    ----------
    reader : Reader
        Gives its pixels.
    x, y : Placed
        Which of them go where.
    """

    reader: Reader
    x: Placed
    y: Placed


@dataclass(frozen=True)
class MosaicReader:
    """Images side by side in one frame; where they overlap, the later one is seen.

    Attributes
    ----------
    parts : tuple of MosaicPart
        The images; all of them have the same axes before y and x.
    shape : tuple of int
        Of the mosaic.
    type_name : str
        Dtype of what `read` returns; one that has NaN, if there are gaps.
    """

    parts: tuple[MosaicPart, ...]
    shape: tuple[int, ...]
    type_name: str

    @classmethod
    def of(cls, readers: Sequence[Reader], frame: Frame) -> MosaicReader:
        """Put the images of some readers where a frame says.

        Integers stay what they are if all images have the same and there are no gaps; else 8 and 16 bits become
        float32, 32 and 64 bits float64, as they do for missing values.
        """
        parts = tuple(MosaicPart(reader, x, y) for reader, (x, y) in zip(readers, frame.placed, strict=True))
        dtypes = {reader.dtype for reader in readers}
        if len(dtypes) > 1 or frame.has_gaps:
            dtypes = {np.result_type(*map(_with_nan, dtypes))}
        shape = (*readers[0].shape[:-2], frame.height, frame.width)
        return cls(parts, shape, str(dtypes.pop()))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of what `read` returns."""
        return np.dtype(self.type_name)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the file, which is the same for all parts."""
        return self.parts[0].reader.fingerprint

    @cached_property
    def token(self) -> str:
        """File version, and a digest of all parts and places."""
        parts = "\0".join(f"{part.reader.token}:{part.x}:{part.y}" for part in self.parts)
        return f"mosaic:{self.fingerprint}:{self.shape}:{self.type_name}:{digest(parts)}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the source, in the part where it takes most."""
        return max(part.reader.source_itemsize for part in self.parts)

    @property
    def chunks(self) -> tuple[int, ...]:
        """The largest chunk of any part along every axis; those of a mosaic need not start at its corner."""
        sizes = zip(*(part.reader.chunks for part in self.parts), self.shape, strict=True)
        return tuple(min(max(chunks), size) for *chunks, size in sizes)

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window, from the parts that it overlaps alone; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        pixels = np.zeros(window.shape, self.dtype)
        if self.dtype.kind == "f":
            pixels[...] = np.nan
        rows, columns = window.ranges[-2:]
        for part in self.parts:
            y, x = _cut(part.y, rows), _cut(part.x, columns)
            if y is None or x is None or not pixels.size:
                continue
            inner = Window(
                (*window.start[:-2], y.source.start, x.source.start),
                (*window.stop[:-2], y.source.stop, x.source.stop),
                (*window.step[:-2], y.source.step, x.source.step),
            )
            found = part.reader.read(inner)
            pixels[..., y.into, x.into] = found[..., y.take, :][..., x.take]
        return pixels

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self._packed,)

    @cached_property
    def _packed(self) -> bytes:
        """Parts of a mosaic differ in a few numbers: packed, 60 of them take what one takes."""
        return zlib.compress(pickle.dumps((self.parts, self.shape, self.type_name)))


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a window takes of a part along one axis: pixels of the source, in which order, and where they go."""

    source: range
    take: slice | NDArray[np.int64]
    into: slice


@lru_cache(maxsize=64)
def _unpacked(packed: bytes) -> MosaicReader:
    """Make the reader anew; every tile of a mosaic brings the same bytes."""
    return MosaicReader(*pickle.loads(zlib.decompress(packed)))


def _with_nan(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "f":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def _cut(placed: Placed, wanted: range) -> _Cut | None:
    """Take of one axis of a part what lies at some pixels of the mosaic; None where nothing does."""
    first = max(0, -(-(placed.start - wanted.start) // wanted.step))
    last = min(len(wanted), -(-(placed.stop - wanted.start) // wanted.step))
    if first >= last:
        return None
    into = slice(first, last)
    inside = wanted[into]
    if inside.step % placed.repeat == 0 or len(inside) == 1:
        # Evenly spaced in the source too, which so is read by steps, from its lesser end on.
        ends = placed.indices(np.array([inside[0], inside[-1]]) - placed.start)
        low, high = int(ends.min()), int(ends.max())
        step = max(1, inside.step // placed.repeat)
        return _Cut(range(low, high + 1, step), slice(None, None, -1 if placed.flipped else 1), into)
    indices = placed.indices(np.asarray(inside) - placed.start)
    low = int(indices.min())
    return _Cut(range(low, int(indices.max()) + 1), indices - low, into)
