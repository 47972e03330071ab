"""Zarr stores of many kinds, written by zarr itself, and what zarr reads of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import GZip, Shuffle, Zlib
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec

SHAPE = (3, 23, 31)
CHUNKS = (2, 8, 16)


@dataclass(frozen=True)
class ZarrCase:
    """One kind of array.

    Attributes
    ----------
    id : str
        What the test is called.
    dtype : str
        Of the stored values.
    options : mapping
        Of `zarr.create_array`.
    attributes : mapping
        Of the array.
    dims : tuple of str
        Names of its dimensions.
    """

    id: str
    dtype: str
    options: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dims: tuple[str, ...] = ("band", "y", "x")
    shape: tuple[int, ...] = SHAPE
    chunks: tuple[int, ...] = CHUNKS

    @property
    def stored(self) -> NDArray[Any]:
        """Values with all that is special of the dtype."""
        dtype = np.dtype(self.dtype)
        rng = np.random.default_rng(len(self.id))
        if dtype.kind == "f":
            values = rng.normal(0, 100, self.shape).astype(dtype)
            values.flat[:3] = np.nan, np.inf, -np.inf
        elif dtype.kind == "b":
            values = rng.integers(0, 2, self.shape).astype(dtype)
        else:
            info = np.iinfo(dtype)
            values = rng.integers(info.min, info.max, self.shape, dtype.newbyteorder("="), endpoint=True).astype(dtype)
            values.flat[:3] = info.min, info.max, 0
        if "_FillValue" in self.attributes:
            values.flat[5:9] = self.attributes["_FillValue"]
        values[:, 16:, 16:] = self.options.get("fill_value", 0)  # chunks that zarr does not write
        return values

    def write(self, folder: Path) -> None:
        """Write a group that holds the array ``data`` and coordinates."""
        version = self.options["zarr_format"]
        group = zarr.create_group(folder, zarr_format=version)
        options = {"attributes": dict(self.attributes), **self.options}
        self._create(group, "data", self.stored, self.dims, options, self.chunks)
        for name, size in zip(self.dims, self.shape, strict=True):
            if name in "xy":
                values = 10.0 + np.arange(size) * 0.5
                self._create(group, name, values, (name,), {"zarr_format": version, "attributes": {"units": "m"}}, None)

    @staticmethod
    def _create(
        group: Any, name: str, values: NDArray[Any], dims: tuple[str, ...], options: dict[str, Any], chunks: Any
    ) -> None:
        options = dict(options)
        if options.pop("zarr_format") == 2:
            options["attributes"] = {**options["attributes"], "_ARRAY_DIMENSIONS": list(dims)}
        else:
            options["dimension_names"] = dims
        options.setdefault("fill_value", np.nan if values.dtype.kind == "f" else 0)
        array = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=chunks or values.shape, config={}, **options
        )
        array[...] = values


def by_zarr(folder: Path, case: ZarrCase) -> NDArray[Any]:
    """Physical values of an array as zarr reads it, by the formula of the CF conventions."""
    stored: NDArray[Any] = np.asarray(zarr.open_array(folder, path="data", mode="r")[...])
    stored = stored.astype(np.dtype(case.dtype).newbyteorder("="))
    attributes = case.attributes
    blank = attributes.get("_FillValue")
    if case.options["zarr_format"] == 2 and case.dtype[1] != "b":
        blank = case.options.get("fill_value", np.nan if stored.dtype.kind == "f" else 0)
    if stored.dtype.kind == "f" or stored.dtype.kind == "b":
        return stored
    if blank is None and "scale_factor" not in attributes:
        return stored
    physical: NDArray[Any] = stored.astype(np.float32 if stored.itemsize <= 2 else np.float64)
    physical = physical * attributes.get("scale_factor", 1.0) + attributes.get("add_offset", 0.0)
    if blank is not None:
        physical[stored == blank] = np.nan
    return physical


CASES = (
    ZarrCase("v2-blosc", "<f4", {"zarr_format": 2, "compressors": "auto"}),
    ZarrCase("v2-uncompressed-big-endian", ">i2", {"zarr_format": 2, "compressors": None, "fill_value": 7}),
    ZarrCase(
        "v2-packed-fortran",
        "<i2",
        {"zarr_format": 2, "order": "F", "fill_value": -99},
        {"scale_factor": 0.01, "add_offset": 273.15, "units": "K"},
    ),
    ZarrCase("v2-gzip-filtered", ">f4", {"zarr_format": 2, "compressors": GZip(), "filters": [Shuffle(4)]}),
    ZarrCase("v2-zlib", "<u2", {"zarr_format": 2, "compressors": Zlib(), "fill_value": 3}),
    ZarrCase("v3-gzip", "<f8", {"zarr_format": 3, "compressors": GzipCodec()}),
    ZarrCase("v3-gzip-sharded", "<i2", {"zarr_format": 3, "compressors": GzipCodec(), "shards": (2, 16, 32)}),
    ZarrCase("v2-boolean", "|b1", {"zarr_format": 2, "fill_value": False}),
    ZarrCase("v3-zstd", "<f4", {"zarr_format": 3}),
    ZarrCase("v3-blosc", "<i8", {"zarr_format": 3, "compressors": BloscCodec()}),
    ZarrCase("v3-half", "<f2", {"zarr_format": 3}),
    ZarrCase("v3-sharded", "<f8", {"zarr_format": 3, "shards": (2, 16, 32)}),
    ZarrCase("v3-uncompressed", "<u4", {"zarr_format": 3, "compressors": None}),
    ZarrCase(
        "v3-packed",
        "<i2",
        {"zarr_format": 3, "fill_value": 0},
        {"scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -32768},
    ),
    ZarrCase(
        "v3-big-endian",
        "<i4",
        {"zarr_format": 3, "serializer": BytesCodec(endian="big"), "chunk_key_encoding": {"name": "v2"}},
        {"_FillValue": -1},
    ),
    ZarrCase("v3-plane-last", "<u2", {"zarr_format": 3}, dims=("y", "x", "band"), shape=(23, 31, 3), chunks=(8, 16, 2)),
)
