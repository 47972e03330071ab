"""Which of the coarser arrays that lie beside one are its levels: mipmaps, levels of NGFF and GeoZarr pyramids."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from visiomatic_dask.cube import Layer, LayerLevel, Reader
from visiomatic_dask.readers.oriented_reader import OrientedReader, oriented
from visiomatic_dask.readers.zarr.edge_reader import EdgeReader


@dataclass(frozen=True)
class Coarser:
    """An array that may be a level.

    Attributes
    ----------
    name : str
        What notes call it.
    reader : Reader
        In the order of the file, as the layer's own.
    factor : float or None
        By how much coarser it says it is.
    """

    name: str
    reader: Reader
    factor: float | None = None


def with_levels(layer: Layer, candidates: Sequence[Coarser]) -> Layer:
    """Add the levels that fit, and warnings that say why others do not.

    A level fits if it bins 2^k × 2^k, in blocks that start at the top of the picture, and leaves all other axes alone.
    """
    order, y_down = _orientation(layer.reader)
    levels: dict[int, LayerLevel] = {}
    notes = []
    for one in candidates:
        reader = oriented(one.reader, order, y_down=y_down) if len(one.reader.shape) == len(order) else one.reader
        level, problem = _level(layer.shape, reader.shape, one.factor, y_down)
        if problem or level in levels:
            notes.append(f"{one.name} is not used as a level: {problem or 'there is another of its size'}")
            continue
        shape = (*layer.shape[:-2], *(_halved(size, level) for size in layer.shape[-2:]))
        if shape != reader.shape:
            notes.append(f"{one.name} lacks the last row or column, which its neighbour is shown for")
            back = [order.index(axis) for axis in range(len(order))]
            reader = oriented(EdgeReader(one.reader, tuple(shape[i] for i in back)), order, y_down=y_down)
        levels[level] = LayerLevel(level, reader)
    ordered = tuple(levels[level] for level in sorted(levels))
    return dataclasses.replace(layer, levels=ordered, warnings=(*layer.warnings, *notes))


def _orientation(reader: Reader) -> tuple[tuple[int, ...], bool]:
    """How a reader's axes come from those of the file."""
    if isinstance(reader, OrientedReader):
        return reader.order, reader.y_down
    return tuple(range(len(reader.shape))), False


def _halved(size: int, level: int) -> int:
    return -(-size // (1 << level))


def _fits(shape: tuple[int, ...], coarser: tuple[int, ...], level: int) -> bool:
    """Whether rows and columns have been halved that often, with or without what was left over."""
    pairs = zip(shape[-2:], coarser[-2:], strict=True)
    return all(small > 0 and small in (_halved(size, level), size >> level) for size, small in pairs)


def _level(shape: tuple[int, ...], coarser: tuple[int, ...], factor: float | None, y_down: bool) -> tuple[int, str]:
    """Which level an array is, or why it is none. Where its size fits several, the factor decides, else the finest."""
    if coarser[:-2] != shape[:-2] or len(coarser) != len(shape):
        return 0, f"its shape is {coarser}, that of the layer {shape}, and only y and x may differ"
    fitting = [level for level in range(1, max(shape[-2:]).bit_length() + 1) if _fits(shape, coarser, level)]
    if not fitting:
        return (
            0,
            f"{shape[-2]} × {shape[-1]} pixels become {coarser[-2]} × {coarser[-1]}, not a half, a quarter … of it",
        )
    wanted = math.log2(factor) if factor and factor > 0 else fitting[0]
    level = min(fitting, key=lambda one: abs(one - wanted))
    if not y_down and shape[-2] % (1 << level):
        return 0, f"its rows are binned from the bottom on, and {shape[-2]} are no multiple of {1 << level}"
    return level, ""
