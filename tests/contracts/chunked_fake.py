"""A reader of an array in memory that is stored in chunks: it keeps account of the chunks that have to be decoded."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.cube import Window

Chunk = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ChunkedFake:
    """Pixels of `array`, stored in `chunks`, the first of which may have fewer rows; no chunk is kept.

    Attributes
    ----------
    array : ndarray
        In the order of a layer: y (upwards) and x last.
    chunks : tuple of int
        Shape of a chunk.
    first_chunk_rows : int
        Rows of the lowest chunk; 0 if it is complete.
    name : str
        Tells the reader from others.
    decoded : list of tuple of int
        Chunks that were decoded, by index along each axis.
    """

    array: NDArray[Any]
    chunks: tuple[int, ...]
    first_chunk_rows: int = 0
    name: str = "chunked"
    decoded: list[Chunk] = field(default_factory=list)

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Write it for hypothesis, which complains about the 40 kB that an array of many axes takes."""
        printer.text(f"ChunkedFake({self.array.dtype}, {self.shape}, {self.chunks}, {self.first_chunk_rows})")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def fingerprint(self) -> str:
        return "0123456789abcdef"

    @property
    def token(self) -> str:
        return f"{self.name}:{self.shape}:{self.chunks}"

    @property
    def source_itemsize(self) -> int:
        return self.array.itemsize

    def touched(self, window: Window) -> list[Chunk]:
        """Chunks that hold pixels of a window."""
        offsets = [0] * len(self.shape)
        offsets[-2] = -self.first_chunk_rows % self.chunks[-2]
        indices = [
            sorted({(i + offset) // chunk for i in indices})
            for indices, chunk, offset in zip(window.ranges, self.chunks, offsets, strict=True)
        ]
        return list(itertools.product(*indices))

    def pixels(self, chunk: Chunk) -> int:
        """Pixels of a chunk, edges cropped."""
        sizes = []
        for axis, (index, side, size) in enumerate(zip(chunk, self.chunks, self.shape, strict=True)):
            offset = -self.first_chunk_rows % side if axis == len(self.shape) - 2 else 0
            sizes.append(min((index + 1) * side - offset, size) - max(0, index * side - offset))
        return math.prod(sizes)

    @property
    def bytes_decoded(self) -> int:
        return sum(map(self.pixels, self.decoded)) * self.array.itemsize

    @property
    def most_often(self) -> int:
        """How often the chunk was decoded that was decoded most often."""
        return max(Counter(self.decoded).values(), default=0)

    def read(self, window: Window) -> NDArray[Any]:
        window.check_within(self.shape)
        self.decoded.extend(self.touched(window))
        return self.array[window.slices].copy()


@st.composite
def chunked_fakes(draw: st.DrawFn, *, most_side: int = 90, most_leading: int = 7) -> ChunkedFake:
    """Small cubes of integers with some NaN in chunks of any shape, deep and wide ones among them."""
    leading = draw(st.lists(st.integers(1, most_leading), max_size=2).map(tuple))
    sides = st.one_of(st.integers(1, 4), st.integers(1, most_side))
    shape = (*leading, draw(sides), draw(sides))
    chunks = tuple(draw(st.one_of(st.just(1), st.just(size), st.integers(1, size))) for size in shape)
    random = np.random.default_rng(draw(st.integers(0, 99)))
    array = random.integers(-999, 999, shape).astype(np.float32)
    array[random.random(shape) < 0.1] = np.nan
    from_top = draw(st.booleans())
    return ChunkedFake(array, chunks, shape[-2] % chunks[-2] if from_top else 0)
