"""Files in the IDIA schema for tests, written by h5py from what fits2idia is known to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

ROTATED = {3: ("ZYX", (2, 1, 0)), 4: ("ZYXW", (0, 3, 2, 1))}


def pixels(shape: tuple[int, ...], dtype: str = "<f4") -> NDArray[Any]:
    """Pixels that differ, with NaN and infinities where the type has them; all of the last plane is missing."""
    values = np.random.default_rng(7).normal(3, 40, shape).astype(dtype)
    if values.dtype.kind == "f":
        values.reshape(-1)[5::11] = np.nan
        values.reshape(-1)[3] = np.inf
        if len(shape) > 2:
            values.reshape(-1, *shape[-2:])[-1] = np.nan
    return values


def block_means(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Means of the finite pixels of side × side blocks that start at the first row."""
    height, width = values.shape[-2:]
    means = np.full((*values.shape[:-2], -(-height // side), -(-width // side)), np.nan, np.float32)
    for index in np.ndindex(means.shape):
        *plane, y, x = index
        block = values[(*plane, slice(y * side, (y + 1) * side), slice(x * side, (x + 1) * side))].astype(np.float64)
        block = block[np.isfinite(block)]
        if block.size:
            means[index] = block.mean()
    return means


def statistics(values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What fits2idia writes of every plane; where it has no finite pixel, what its search started from."""
    planes = values.reshape(-1, values.shape[-2] * values.shape[-1]).astype(np.float64)
    finite = [plane[np.isfinite(plane)] for plane in planes]
    largest = float(np.finfo(np.float32).max)
    found: dict[str, NDArray[Any]] = {
        "MIN": np.array([one.min(initial=largest) for one in finite], np.float32),
        "MAX": np.array([one.max(initial=-largest) for one in finite], np.float32),
        "SUM": np.array([one.sum() for one in finite], np.float64),
        "SUM_SQ": np.array([(one**2).sum() for one in finite], np.float64),
        "NAN_COUNT": np.array([planes.shape[1] - one.size for one in finite], np.int64),
    }
    return {key: array.reshape(values.shape[:-2]) for key, array in found.items()}


def write(
    path: Path,
    values: NDArray[Any],
    *,
    rotated: bool = False,
    mipmaps: tuple[int, ...] = (),
    with_statistics: bool = False,
    header: dict[str, Any] | None = None,
    **storage: Any,
) -> None:
    """Write a file of the schema; `storage` (chunks, compression …) is how DATA and the rotated dataset are stored."""
    with h5py.File(path, "w") as file:
        group = file.create_group("0")
        for key, value in {"SIMPLE": np.uint8(1), "SCHEMA_VERSION": np.bytes_("0.3"), **(header or {})}.items():
            group.attrs[key] = value
        group.create_dataset("DATA", data=values, **storage)
        if rotated:
            name, order = ROTATED[values.ndim]
            turned = dict(storage)
            if "chunks" in storage:
                turned["chunks"] = (*(1 for _ in order[3:]), 4, 4, values.shape[-3])  # whole spectra
            group.create_dataset(f"SwizzledData/{name}", data=values.transpose(order), **turned)
        for side in mipmaps:
            group.create_dataset(f"MipMaps/DATA/DATA_XY_{side}", data=block_means(values, side))
        if with_statistics:
            for key, array in statistics(values).items():
                group.create_dataset(f"Statistics/XY/{key}", data=array)
