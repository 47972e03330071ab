"""Pixels of a pyramid: written piece by piece, read window by window.

The files are those of Zarr arrays, but zarr is not used: it takes twice the CPU and three times the memory, and does
not wait until a shard is on the disk (docs/decisions/0010-compression-of-the-store.md).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.errors import PyramidGone, StoreError
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.plane_statistics import read_statistics, write_statistics
from visiomatic_dask.pyramid.store.pyramid import Piece, Pyramid
from visiomatic_dask.pyramid.store.shard_file import DamagedShard, ShardFiles
from visiomatic_dask.pyramid.store.shard_format import MISSING, PIXELS, Chunks, Content
from visiomatic_dask.pyramid.store.shards import LevelGrid, Shard
from visiomatic_dask.pyramid.store.tree import name_of, read_root
from visiomatic_dask.pyramid.tiles import Box

__all__ = [
    "is_sound",
    "read_missing",
    "read_pixels",
    "read_pixels_into",
    "read_statistics",
    "remove_shard",
    "write_piece",
    "write_statistics",
]


_IMAGE = re.compile("[A-Za-z0-9+-]{1,32}")
"""Names of images are folders: others may have written there, and lead nowhere else."""


def write_piece(pyramid: Pyramid, piece: Piece, pixels: NDArray[np.float32], missing: NDArray[np.uint32] | None) -> int:
    """Write a piece, durably. Planes of its shard that are in the store already stay there.

    A shard has one writer at a time. What is missing is written before the pixels, so that these are never there
    without it.

    Parameters
    ----------
    pyramid : Pyramid
        What it belongs to.
    piece : Piece
        Which planes of which shard.
    pixels : ndarray of float32, (planes, rows, columns)
        Of the shard's box, which is cropped at the edges; in raster orientation.
    missing : ndarray of uint32, the same shape, or None
        How many pixels of full resolution behind each are not finite; None where all are.

    Returns
    -------
    int
        Bytes of the shard's files.

    Raises
    ------
    PyramidGone
        If the pyramid is no longer there.
    UnwritableStore
        If nothing can be written.
    StoreError
        If what is there is damaged.
    """
    shard = piece.shard
    first, last = (plane - pyramid.plan.planes(shard)[0] for plane in piece.planes)
    key = _key(pyramid, shard)
    counts, data = (_files(pyramid, shard, content) for content in (MISSING, PIXELS))
    if missing is not None and missing.any():
        size = counts.write(key, first, missing)
    else:
        size = counts.size(key)
        if size and counts.has_planes(key, (first, last)):  # somebody had it otherwise
            size = counts.write(key, first, np.zeros(pixels.shape, np.uint32))
    return size + data.write(key, first, pixels)


def read_pixels(pyramid: Pyramid, level: int, planes: tuple[int, int], box: Box) -> NDArray[np.float32]:
    """Read a rectangle of some planes of a level.

    Parameters
    ----------
    pyramid : Pyramid
        What to read of.
    level : int
        From 1.
    planes : (int, int)
        First plane and one past the last.
    box : Box
        Rectangle of that level, in raster orientation.

    Returns
    -------
    ndarray of float32, (planes, box.rows, box.columns)

    Raises
    ------
    PyramidGone
        If it is not in the store, or not any more.
    StoreError
        If it cannot be read, or is damaged.
    """
    out = np.empty((planes[1] - planes[0], box.rows, box.columns), np.float32)
    read_pixels_into(pyramid, level, planes, box, out)
    return out


def read_pixels_into(pyramid: Pyramid, level: int, planes: tuple[int, int], box: Box, out: NDArray[np.float32]) -> None:
    """Read a rectangle of some planes of a level into an array; see `read_pixels`."""
    if not _read(pyramid, level, planes, box, PIXELS, out):
        name = name_of(pyramid.address)
        raise PyramidGone(f"{name}: planes {planes[0]} to {planes[1] - 1} of level {level} are not in the store")


def read_missing(pyramid: Pyramid, level: int, planes: tuple[int, int], box: Box) -> NDArray[np.uint32] | None:
    """Read how many pixels of full resolution behind each pixel are not finite.

    Parameters and errors are those of `read_pixels`.

    Returns
    -------
    ndarray of uint32, (planes, box.rows, box.columns), or None
        None where all are finite.
    """
    out = np.empty((planes[1] - planes[0], box.rows, box.columns), np.uint32)
    _read(pyramid, level, planes, box, MISSING, out)
    # It is there if the pixels are, as it came before them: asked last, lest both have been evicted in between.
    for shard in pyramid.plan.covering(level, planes, box):
        first = pyramid.plan.planes(shard)[0]
        low, high = pyramid.plan.common(shard, planes)
        if not _files(pyramid, shard, PIXELS).has_planes(_key(pyramid, shard), (low - first, high - first)):
            name = name_of(pyramid.address)
            raise PyramidGone(f"{name}: planes {low} to {high - 1} of level {level} are not in the store")
    return out if out.any() else None


def is_sound(pyramid: Pyramid, shard: Shard, runs: Iterable[tuple[int, int]]) -> bool:
    """Whether some planes of a shard can be read: all of them are, run by run."""
    box = pyramid.plan.box(shard)
    try:
        for planes in runs:
            read_pixels(pyramid, shard.level, planes, box)
            read_missing(pyramid, shard.level, planes, box)
    except (DamagedShard, PyramidGone):  # not whatever else keeps it from being read at the moment
        return False
    return True


def remove_shard(pyramid: Pyramid, shard: Shard) -> None:
    """Remove the files of a shard, damaged or not, so that it can be written anew plane by plane.

    Raises
    ------
    StoreError
        If that is not allowed.
    """
    folder, key = StoreFolder.of(pyramid.address), _key(pyramid, shard)
    for content in (PIXELS, MISSING):
        folder.delete(f"{_files(pyramid, shard, content).array}/{key}")


def _read(pyramid: Pyramid, level: int, planes: tuple[int, int], box: Box, content: Content, out: NDArray[Any]) -> bool:
    """Read from all shards that hold something of it; whether all of it was written."""
    complete = True
    for shard in pyramid.plan.covering(level, planes, box):
        whole, (first, _) = pyramid.plan.box(shard), pyramid.plan.planes(shard)
        low, high = pyramid.plan.common(shard, planes)
        part = Box(
            max(box.top, whole.top),
            max(box.left, whole.left),
            min(box.bottom, whole.bottom),
            min(box.right, whole.right),
        )
        there = part.within(box)
        target = out[low - planes[0] : high - planes[0], there.top : there.bottom, there.left : there.right]
        files = _files(pyramid, shard, content)
        complete &= files.read(_key(pyramid, shard), (low - first, high - first), part.within(whole), target)
    return complete


def chunks_of(grid: LevelGrid) -> Chunks:
    """Chunks of a shard of a level."""
    rows, columns = grid.chunk
    return Chunks(grid.planes, grid.rows // rows, grid.columns // columns, rows, columns)


def _key(pyramid: Pyramid, shard: Shard) -> str:
    """Path of a shard's file below its array."""
    place = f"{shard.row}/{shard.column}"
    block = shard.block % pyramid.plan.blocks(shard.level)
    return f"c/{place}" if pyramid.plan.channels == 1 else f"c/{block}/{place}"


def _files(pyramid: Pyramid, shard: Shard, content: Content) -> ShardFiles:
    image = shard.block // pyramid.plan.blocks(shard.level)
    folder = f"{_image_names(pyramid.address)[image]}/" if pyramid.plan.images > 1 else ""
    chunks = chunks_of(pyramid.plan.grid(shard.level))
    return ShardFiles.of(pyramid.address, f"{folder}{shard.level}/{content.name}", content, chunks)


@functools.lru_cache(maxsize=64)
def _image_names(address: str) -> tuple[str, ...]:
    """Folders of the images of a pyramid. An address is that of one version of a layer: they never change."""
    try:
        names = json.loads(read_root(address))["attributes"]["visiomatic"]["images"]
        if len(set(names)) == len(names) and all(_IMAGE.fullmatch(name) for name in names):
            return tuple(names)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{name_of(address)} is damaged: its images have no names ({error!r})") from error
    raise StoreError(f"{name_of(address)} is damaged: {names!r} are no names of images")
