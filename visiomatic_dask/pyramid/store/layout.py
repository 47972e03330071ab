"""A pyramid on disk: what it is called, how it is created, and how it is opened."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec
from zarr.codecs.sharding import ShardingCodecIndexLocation

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import InvalidRequest, PyramidGone, StoreError
from visiomatic_dask.pyramid.store import blosc
from visiomatic_dask.pyramid.store.histogram import BINS
from visiomatic_dask.pyramid.store.multiscales import (
    ChannelAxis,
    channel_axis,
    image_names,
    multiscales,
    plane_coordinates,
)
from visiomatic_dask.pyramid.store.plane_statistics import FIELDS, statistics_shapes
from visiomatic_dask.pyramid.store.pyramid import Pyramid
from visiomatic_dask.pyramid.store.shard_format import MISSING, PIXELS
from visiomatic_dask.pyramid.store.shards import LevelGrid, PyramidPlan
from visiomatic_dask.pyramid.store.statistics import Bins
from visiomatic_dask.pyramid.store.tree import address_in, name_of, read_root, readable_name, write_tree
from visiomatic_dask.pyramid.store.zarr_documents import add_coordinate, documents, header_text, new_root

VERSION = 1
"""Of the layout: pyramids of another are neither read nor written to."""
_COUNTS = ZstdCodec(level=1)
LARGEST_TILE = 256
"""Levels go up until a tile of this side holds a plane, lest those with larger tiles have pyramids of their own."""


def pyramid_name(layer_name: str, cube_name: str, token: str, mantissa: int, tile_size: int = LARGEST_TILE) -> str:
    """Return the name of a pyramid's folder: readable, and another one for every version of a layer.

    Parameters
    ----------
    layer_name, cube_name : str
        Shortened, and without what is special in paths.
    token : str
        Of the reader.
    mantissa : int
        Bits that are kept.
    tile_size : int, optional
        Side of a tile; all that are no smaller than the default share a pyramid.
    """
    tile = min(tile_size, LARGEST_TILE)
    return f"{readable_name(layer_name, cube_name)}-{digest(f'{VERSION}:{token}:{mantissa}:{tile}')}.zarr"


def pyramid_address(store: str, cube: Cube, layer: Layer, tile_size: int, mantissa: int) -> str:
    """Return where the pyramid of a layer is, if there is one; parameters as of `create_pyramid`."""
    return address_in(store, pyramid_name(layer.name, cube.name, layer.reader.token, mantissa, tile_size))


def create_pyramid(store: str, cube: Cube, layer: Layer, tile_size: int, bins: Bins, mantissa: int) -> Pyramid:
    """Create the pyramid of a layer, empty; or open it, if it is there.

    Several processes may do so at the same time: all get the one that was there first.

    Parameters
    ----------
    store : str
        Path or URL of the store.
    cube : Cube
        What the layer belongs to.
    layer : Layer
        Any of its layers.
    tile_size : int
        Side of a tile.
    bins : Bins
        Of the histograms; those of a pyramid that is there stay as they are.
    mantissa : int
        Bits of the mantissa that are kept, 23 for all.

    Raises
    ------
    InvalidRequest
        If the layer fits into one tile.
    StoreError
        If what is there cannot be read, or nothing can be written.
    """
    tile_size = min(tile_size, LARGEST_TILE)
    address = pyramid_address(store, cube, layer, tile_size, mantissa)
    try:
        return checked(open_pyramid(address), layer)
    except PyramidGone:
        plan = PyramidPlan.of(layer.reader, tile_size)
        if not plan.levels:
            raise InvalidRequest(f"{layer.name} of {cube.name} fits into one tile: it has no levels to store") from None
        pyramid = Pyramid(address, layer.reader.token, layer.reader.fingerprint, plan, bins, mantissa)
        write_tree(address, _documents(pyramid, cube, layer))
        return open_pyramid(address)


def open_pyramid(address: str) -> Pyramid:
    """Open a pyramid.

    Parameters
    ----------
    address : str
        Path or URL of its root group.

    Raises
    ------
    PyramidGone
        If there is none.
    StoreError
        If it is damaged, or of another version of the layout.
    """
    name = name_of(address)
    try:
        described = json.loads(read_root(address))["attributes"]["visiomatic"]
        if described["version"] != VERSION:
            raise StoreError(f"{name} is laid out by version {described['version']}; allowed: {VERSION}")
        return Pyramid(
            address,
            described["token"],
            described["fingerprint"],
            _checked_plan(described["plan"]),
            Bins(**described["bins"]),
            described["mantissa"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{name} is no pyramid of this program, or damaged ({error!r})") from error


def checked(pyramid: Pyramid, layer: Layer) -> Pyramid:
    """Return a pyramid, if it is of a layer: what says so was read from the store, where others may have written.

    Raises
    ------
    StoreError
        If it is not.
    """
    plan = PyramidPlan.of(layer.reader, pyramid.plan.tile_size)
    # How shards were cut may have been decided by another version; what they are cut from may not.
    same = (plan.width, plan.height, plan.channels, plan.images) == (
        pyramid.plan.width,
        pyramid.plan.height,
        pyramid.plan.channels,
        pyramid.plan.images,
    )
    if not same or (pyramid.token, pyramid.fingerprint) != (layer.reader.token, layer.reader.fingerprint):
        raise StoreError(
            f"{name_of(pyramid.address)} is damaged, or of something else: remove it, and it is built again"
        )
    return pyramid


def _checked_plan(fields: dict[str, Any]) -> PyramidPlan:
    """Return a plan whose numbers can be those of one."""
    plan = PyramidPlan(**fields)
    numbers = (plan.width, plan.height, plan.channels, plan.images, plan.tile_size, plan.deep, plan.shard_pixels)
    if not all(type(one) is int and 0 < one < 2**40 for one in numbers):
        raise ValueError(f"a plan of {fields}")
    return plan


def _documents(pyramid: Pyramid, cube: Cube, layer: Layer) -> dict[str, bytes]:
    """Make all files of an empty pyramid, by their paths; the root with the metadata of all others comes last."""
    plan = pyramid.plan
    images, channel = image_names(layer, plan), channel_axis(layer, plan)
    files: dict[str, Any] = {}
    root = new_root(files)
    described = {
        "version": VERSION,
        "cube": cube.name,
        "layer": layer.name,
        "format": cube.format,
        "token": pyramid.token,
        "fingerprint": pyramid.fingerprint,
        "plan": asdict(plan),
        "bins": asdict(pyramid.bins),
        "mantissa": pyramid.mantissa,
        "unit": layer.unit,
        "images": images,
        "header": layer.header_text,
    }
    attributes = {"visiomatic": described}
    if channel is not None and channel.coordinates is not None:
        add_coordinate(root, channel.name, np.asarray(channel.coordinates), _channel_attributes(channel))
    for image in images or ("",):
        group = root.create_group(image) if image else root
        ome = multiscales(f"{layer.name} {image}".strip(), plan, channel)
        if image:
            group.attrs["ome"] = ome
        else:
            attributes["ome"] = ome
        for grid in plan.levels:
            _level(group, plan, grid, channel, layer)
    _statistics(root, pyramid)
    return documents(files, attributes)


def _level(group: zarr.Group, plan: PyramidPlan, grid: LevelGrid, channel: ChannelAxis | None, layer: Layer) -> None:
    """Describe a level of an image."""
    inner = group.create_group(
        str(grid.level), attributes={"wcs": header_text(layer.wcs.at_level(grid.level, layer.height))}
    )
    shape: tuple[int, ...] = grid.height, grid.width
    chunks: tuple[int, ...] = grid.chunk
    shards: tuple[int, ...] = grid.rows, grid.columns
    dims: tuple[str, ...] = "y", "x"
    if channel is not None:
        shape, chunks, shards = (plan.channels, *shape), (1, *chunks), (grid.planes, *shards)
        dims = channel.name, *dims
    unit: dict[str, Any] = {"units": layer.unit} if layer.unit else {}
    about: dict[str, Any] = {"long_name": "pixels of full resolution behind this one that are not finite"}
    # As `visiomatic_dask.pyramid.store.shard_format` lays them down.
    for content, codec, attributes in ((PIXELS, blosc.zarr_codec(4), unit), (MISSING, _COUNTS, about)):
        inner.create_array(
            content.name,
            shape=shape,
            dtype=content.dtype,
            chunks=chunks,
            shards={"shape": shards, "index_location": ShardingCodecIndexLocation.start},
            compressors=codec,
            fill_value=content.fill,
            dimension_names=dims,
            attributes=attributes,
        )
    for name, values in zip("yx", plane_coordinates(plan, grid), strict=True):
        about = {"long_name": f"FITS pixel of full resolution along {name}, from 0", "units": "pixel"}
        add_coordinate(inner, name, values, about)


def _statistics(root: zarr.Group, pyramid: Pyramid) -> None:
    """Describe the statistics, as `visiomatic_dask.pyramid.store.plane_statistics` lays them down."""
    group = root.create_group("statistics")
    shape, chunk = statistics_shapes(pyramid)
    names: dict[str, Any] = {"fields": list(FIELDS)}
    edges: dict[str, Any] = {"center": pyramid.bins.center, "scale": pyramid.bins.scale}
    for name, last, dtype, fill, about in (
        ("fields", len(FIELDS), "<f8", np.nan, names),
        ("histogram", BINS, "<i8", 0, edges),
    ):
        group.create_array(
            name,
            shape=(*shape, last),
            chunks=(*chunk, last),
            dtype=dtype,
            fill_value=fill,
            compressors=_COUNTS,
            dimension_names=("level", "plane", "field" if name == "fields" else "bin"),
            attributes=about,
        )


def _channel_attributes(channel: ChannelAxis) -> dict[str, Any]:
    return {"units": channel.unit} if channel.unit else {}
