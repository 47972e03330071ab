"""The arrays of a Zarr hierarchy that could be images, with a reader each, and the coordinates along their axes."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.cf import cf_scaling, unit_of
from visiomatic_dask.readers.labelled import Dim
from visiomatic_dask.readers.zarr.array_reader import ZarrReader
from visiomatic_dask.readers.zarr.hierarchy import Node
from visiomatic_dask.readers.zarr.store import MetadataStore, open_store

logger = logging.getLogger(__name__)

_DIMENSIONS_2 = "_ARRAY_DIMENSIONS"
_MOST_COORDINATE_BYTES = 2**20
_MOST_CHUNK_PIXELS = 2**28
"""Of a chunk, which is decoded as a whole; as of a tile of compressed FITS."""
_AT_A_TIME = 8


class NotAnImage(Exception):
    """Why an array can be none, in a few words; it never leaves the readers."""


@dataclass(frozen=True)
class StoredArray:
    """An array of numbers."""

    node: Node
    reader: ZarrReader
    warnings: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it is, below the root."""
        return self.node.path

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes."""
        return self.node.attributes

    @cached_property
    def dimension_names(self) -> tuple[str, ...] | None:
        """Names of its dimensions: ``dimension_names`` (Zarr 3), else the attribute that xarray writes into Zarr 2."""
        return dimension_names(self.node, len(self.reader.shape))

    @property
    def unit(self) -> str:
        """Unit of its pixels."""
        return unit_of(self.attributes) if isinstance(self.attributes.get("units"), str) else ""


def dimension_names(node: Node, count: int) -> tuple[str, ...] | None:
    """Names of an array's dimensions, where it has as many as it has dimensions; unnamed ones get a number."""
    names = node.document.get("dimension_names") or node.attributes.get(_DIMENSIONS_2)
    if not isinstance(names, list | tuple) or len(names) != count:
        return None
    return tuple(name if isinstance(name, str) and name else f"axis{i}" for i, name in enumerate(names))


def stored_array(store: MetadataStore, node: Node) -> StoredArray:
    """Make a reader of an array's metadata, having zarr check them; nothing is read.

    Raises
    ------
    NotAnImage
        If it holds something else than numbers.
    UnreadableCube
        If its metadata are damaged, or need a codec that is not installed; or its chunks are too large.
    """
    import zarr
    from zarr.storage import StorePath

    _check_kind(node)
    try:
        array = zarr.Array.from_dict(StorePath(open_store(store.address), node.path), dict(node.document))
        shape, chunks, dtype = tuple(array.shape), tuple(array.chunks), np.dtype(array.dtype)
        fill_value = array.fill_value
    except Exception as error:  # of zarr and of whatever codecs are installed
        codec = _missing_codec(node.document)
        where = f"{store.name}: array {node.path or '/'}"
        if codec is not None:
            raise UnreadableCube(f"{where} needs the codec {codec!r}, which is not installed here") from error
        logger.info("%s", where, exc_info=error)
        raise UnreadableCube(f"{where} has metadata that zarr cannot use ({type(error).__name__})") from error
    if math.prod(chunks) > _MOST_CHUNK_PIXELS:
        raise UnreadableCube(
            f"{store.name}: array {node.path or '/'} has chunks of {math.prod(chunks):,} pixels;"
            f" allowed: up to {_MOST_CHUNK_PIXELS:,}"
        )
    attributes = node.attributes
    if "chunks" in node.document and _DIMENSIONS_2 in attributes and "_FillValue" not in attributes:
        # What xarray writes into Zarr 2 as fill value is the _FillValue, and there alone.
        attributes = attributes | ({} if fill_value is None else {"_FillValue": fill_value})
    scaling, warnings = cf_scaling(dtype.newbyteorder("="), attributes)
    # "c" is where chunks of Zarr 3 lie. Folders within it are not looked at: there can be millions.
    source = store.source(node.files, (node.path, f"{node.path}/c".lstrip("/")))
    return StoredArray(node, ZarrReader(source, store.address, node.path, shape, chunks, scaling), tuple(warnings))


def _check_kind(node: Node) -> None:
    """Keep from zarr what is none of our business: it warns of some dtypes, and stumbles over others."""
    found = node.document.get("dtype" if "chunks" in node.document else "data_type")
    name = found if isinstance(found, str) else ""
    if "chunks" in node.document:
        plain = _is_plain_2(name)
    else:
        plain = name == "bool" or name.rstrip("0123456789") in ("int", "uint", "float")
    if not plain:
        shown = found if isinstance(found, str) else "structures"
        raise NotAnImage(f"{shown}, no real numbers")


def _is_plain_2(name: str) -> bool:
    try:
        return np.dtype(name).kind in "buif" if name else False
    except TypeError:
        return False


def _missing_codec(document: dict[str, Any]) -> str | None:
    """Name of the first codec of an array that is not installed."""
    import numcodecs
    from zarr.registry import get_codec_class

    filters = document.get("filters")
    for one in (document.get("compressor"), *(filters if isinstance(filters, list) else ())):
        name = one.get("id") if isinstance(one, dict) else None
        if isinstance(name, str):
            try:
                numcodecs.get_codec({"id": name})
            except ValueError:  # it is not known
                return name
            except TypeError:
                continue  # it is, and cannot do without settings
    codecs = _dicts(document.get("codecs"))
    while codecs:
        one = codecs.pop(0)
        configuration = one.get("configuration")
        codecs.extend(_dicts(configuration.get("codecs")) if isinstance(configuration, dict) else ())
        try:
            get_codec_class(str(one.get("name")))
        except KeyError:
            return str(one.get("name"))
    return None


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class Coordinates:
    """Coordinates along the axes of arrays, each read once.

    Parameters
    ----------
    arrays : mapping
        All arrays of numbers, by path.
    """

    def __init__(self, arrays: dict[str, StoredArray]) -> None:
        self._arrays = arrays
        self._values: dict[str, NDArray[np.float64] | None] = {}

    def read_for(self, images: Iterable[StoredArray]) -> None:
        """Read what some arrays need, several at a time: of a URL, each takes two requests at least."""
        found = [self._find(image, name) for image in images for name in image.dimension_names or ()]
        wanted = {one.path: one for one in found if one is not None and one.path not in self._values}
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            self._values.update(zip(wanted, pool.map(self._read, wanted.values()), strict=True))

    @property
    def nodes(self) -> list[Node]:
        """Nodes that were read."""
        return [self._arrays[path].node for path in self._values]

    def dims(self, image: StoredArray) -> list[Dim]:
        """Describe the axes of an array whose dimensions have names."""
        dims = []
        for name, size in zip(image.dimension_names or (), image.reader.shape, strict=True):
            one = self._find(image, name)
            values = self._values.get(one.path) if one is not None else None
            if one is None or values is None or values.size != size:
                dims.append(Dim(name, size))
            else:
                dims.append(Dim(name, size, values, one.unit, one.attributes))
        return dims

    def are_for(self, image: StoredArray) -> bool:
        """Whether there are coordinates along any of an array's axes."""
        return any(self._find(image, name) is not None for name in image.dimension_names or ())

    def _find(self, image: StoredArray, name: str) -> StoredArray | None:
        """Find the coordinates of a dimension: in the array's group, or in one that holds this group."""
        group = image.node.parent
        while True:
            one = self._arrays.get(f"{group}/{name}" if group else name)
            if one is not None and len(one.reader.shape) == 1:
                return one
            if not group:
                return None
            group = group.rpartition("/")[0]

    def _read(self, one: StoredArray) -> NDArray[np.float64] | None:
        """Read coordinates; where that fails, there are none, as the pixels can be shown without."""
        shape = one.reader.shape
        if not 0 < math.prod(shape) * 8 <= _MOST_COORDINATE_BYTES:
            return None
        try:
            return one.reader.read(Window.whole(shape)).astype(np.float64)
        except UnreadableCube as error:
            logger.warning("%s", error)
            return None
