"""Layers of a Zarr hierarchy: NGFF images and other pyramids with their levels, and all other arrays as they are."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from visiomatic_dask.cube import Layer
from visiomatic_dask.cube.axes import unique_names
from visiomatic_dask.readers.labelled import Dim, labelled_layer
from visiomatic_dask.readers.shared_cache import CHUNKS
from visiomatic_dask.readers.zarr.arrays import Coordinates, StoredArray
from visiomatic_dask.readers.zarr.hierarchy import Hierarchy, Node, joined
from visiomatic_dask.readers.zarr.ngff import Dataset, Multiscale, channel_names, multiscales
from visiomatic_dask.readers.zarr.source_levels import Coarser, with_levels

MOST_LAYERS = 100
_OURS = "visiomatic"
"""Attribute of the root of pyramids that this program has written (`visiomatic_dask.pyramid.store`)."""
_BOUNDS = ("bnds", "nbnds", "bounds", "nv", "nvertex")
"""What the second dimension of an array of cell bounds is called."""


@dataclass(frozen=True)
class Image:
    """One layer to be: the array of full resolution, and what lies beside it.

    Attributes
    ----------
    name : str
        Of the layer.
    finest : StoredArray
        Full resolution.
    coarser : tuple of (StoredArray, float or None)
        What may be levels of it, and by how much coarser it says it is.
    multiscale : Multiscale or None
        What NGFF says of it.
    channels : tuple of str
        Labels of its channels.
    """

    name: str
    finest: StoredArray
    coarser: tuple[tuple[StoredArray, float | None], ...] = ()
    multiscale: Multiscale | None = None
    channels: tuple[str, ...] = ()


def find_images(hierarchy: Hierarchy, arrays: dict[str, StoredArray]) -> list[Image]:
    """Tell images from coordinates, and levels from images: by path, labels last."""
    left = _without_coordinates(arrays)
    images: list[Image] = []
    for node in hierarchy.nodes.values():
        if not node.is_array:
            images.extend(_ngff_images(node, left))
    if _OURS in hierarchy.nodes[""].attributes:  # what lies beside the levels of our own pyramids is no image
        left.clear()
    for node in hierarchy.nodes.values():
        if not node.is_array:
            images.extend(_grouped_images(hierarchy, node, left))
    images.extend(Image(path or "data", array) for path, array in left.items())
    images.sort(key=lambda image: ("labels" in image.name.split("/"), image.name))
    names = unique_names([image.name for image in images])
    return [dataclasses.replace(image, name=name) for image, name in zip(images, names, strict=True)]


def _without_coordinates(arrays: dict[str, StoredArray]) -> dict[str, StoredArray]:
    """Arrays of 2 to 5 dimensions that are not empty, and neither coordinates nor bounds of some (CF, section 7.1)."""
    named: set[str] = set()
    for array in arrays.values():
        group = array.node.parent
        for key in ("coordinates", "bounds", "climatology", "grid_mapping"):
            text = array.attributes.get(key)
            named.update(f"{group}/{name}".lstrip("/") for name in (text.split() if isinstance(text, str) else ()))
    return {
        path: array
        for path, array in arrays.items()
        if 2 <= len(array.reader.shape) <= 5
        and min(array.reader.shape) > 0
        and path not in named
        and (array.dimension_names or ("",))[-1] not in _BOUNDS
        and not (len(array.reader.shape) == 2 and array.node.name in (array.dimension_names or ()))
    }


def _ngff_images(node: Node, left: dict[str, StoredArray]) -> list[Image]:
    """Images of an NGFF group; their arrays are taken from what is left."""
    images = []
    described = multiscales(node.attributes)
    for number, one in enumerate(described):
        found = [(dataset, array) for dataset in one.datasets if (array := left.get(joined(node.path, dataset.path)))]
        if not found:
            continue
        finest = max(found, key=lambda pair: math.prod(pair[1].reader.shape))
        others = tuple((array, _factor(finest[0], dataset)) for dataset, array in found if array is not finest[1])
        multiscale = dataclasses.replace(one, datasets=(finest[0],))
        name = joined(
            node.path, (one.name or str(number)) if len(described) > 1 or (not node.path and one.name) else ""
        )
        channels = tuple(channel_names(node.attributes))
        images.append(Image(name or "image", finest[1], others, multiscale, channels))
        for _, array in found:
            left.pop(array.path, None)
    return images


def _factor(finest: Dataset, dataset: Dataset) -> float | None:
    """By how much coarser than the finest a level says it is, along x."""
    if not finest.scale or not dataset.scale or finest.scale[-1] == 0:
        return None
    return dataset.scale[-1] / finest.scale[-1]


def _grouped_images(hierarchy: Hierarchy, node: Node, left: dict[str, StoredArray]) -> list[Image]:
    """Images of a group of groups that hold the same arrays at several resolutions (GeoZarr, ndpyramid).

    Where nothing says that they are a pyramid (``multiscales``), their names have to be numbers, and each has to be
    smaller than the one before along both y and x.
    """
    groups: dict[str, dict[str, StoredArray]] = {}
    for child in hierarchy.children[node.path]:
        inside = {one.name: left[one.path] for one in hierarchy.children[child.path] if one.path in left}
        if inside:
            groups[child.name] = inside
    variables = list(next(iter(groups.values()))) if groups else []
    if len(groups) < 2 or any(set(inside) != set(variables) for inside in groups.values()):
        return []
    images = []
    for variable in variables:
        sizes = sorted((inside[variable] for inside in groups.values()), key=lambda one: math.prod(one.reader.shape))
        shrinks = all(_is_smaller(small, large) for small, large in itertools.pairwise(sizes))
        if not ("multiscales" in node.attributes or (shrinks and all(name.isdigit() for name in groups))):
            return []
        *coarser, finest = sizes
        others = tuple((one, None) for one in reversed(coarser))
        images.append(Image(joined(node.path, variable), finest, others))
    for image in images:
        for array in (image.finest, *(one for one, _ in image.coarser)):
            left.pop(array.path)
    return images


def _is_smaller(one: StoredArray, other: StoredArray) -> bool:
    return all(a < b for a, b in zip(one.reader.shape[-2:], other.reader.shape[-2:], strict=True))


def make_layers(images: Sequence[Image], coordinates: Coordinates) -> list[Layer]:
    """Describe images as layers, at most `MOST_LAYERS`."""
    images = images[:MOST_LAYERS]
    coordinates.read_for(image.finest for image in images)
    return [_layer(image, coordinates) for image in images]


def _layer(image: Image, coordinates: Coordinates) -> Layer:
    finest = image.finest
    dims, y_down = _dims(image, coordinates)
    layer = labelled_layer(
        image.name,
        finest.reader,
        dims,
        unit=finest.unit,
        attributes=finest.attributes | {f"CHAN{i}": label for i, label in enumerate(image.channels[:999], 1) if label},
        y_down=y_down,
        warnings=(*finest.warnings, *_large_chunks(finest)),
    )
    return with_levels(layer, [Coarser(one.path, one.reader, factor) for one, factor in image.coarser])


def _dims(image: Image, coordinates: Coordinates) -> tuple[list[Dim], bool | None]:
    """Axes of an image, and whether its first row is the top; None where the coordinates are to say so."""
    finest, shape = image.finest, image.finest.reader.shape
    axes = image.multiscale.axes if image.multiscale is not None else ()
    if image.multiscale is not None and len(axes) == len(shape):
        if coordinates.are_for(finest):
            return coordinates.dims(finest), True
        (dataset,) = image.multiscale.datasets
        dims = []
        for position, axis in enumerate(axes):
            attributes = {"axis": axis.name.upper()} if axis.kind == "space" else {}
            values = _linear(dataset, position, shape[position]) if axis.kind in ("space", "time") else None
            dims.append(Dim(axis.name, shape[position], values, axis.unit if values is not None else "", attributes))
        return dims, True
    if finest.dimension_names is not None:
        return coordinates.dims(finest), None
    names = [f"axis{i}" for i in range(len(shape) - 2)]
    return [Dim(name, size) for name, size in zip([*names, "y", "x"], shape, strict=True)], True


def _linear(dataset: Dataset, position: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Coordinates of an axis from scale and translation; None where those say nothing."""
    scale = dataset.scale[position] if position < len(dataset.scale) else 1.0
    shift = dataset.translation[position] if position < len(dataset.translation) else 0.0
    if (scale, shift) == (1.0, 0.0) or scale == 0:
        return None
    return shift + scale * np.arange(size, dtype=np.float64)


def _large_chunks(array: StoredArray) -> Iterable[str]:
    size = math.prod(array.reader.chunks) * array.reader.source_itemsize
    if size > CHUNKS.limit:
        yield f"its chunks of {size / 2**20:.0f} MB are too large to be kept: reading it will be slow"
