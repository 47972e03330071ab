"""Metadata of new Zarr hierarchies, made in memory: to be written all at once."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import LayerWCS

if TYPE_CHECKING:  # workers need no zarr
    import zarr


def new_root(files: dict[str, Any]) -> zarr.Group:
    """Make a root group whose files go into a dictionary."""
    import zarr
    from zarr.storage import MemoryStore

    return zarr.create_group(MemoryStore(files), zarr_format=3)


def add_coordinate(group: zarr.Group, name: str, values: NDArray[Any], attributes: Mapping[str, Any]) -> None:
    """Add the coordinates along an axis, float64, as an array of the axis' name."""
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=values.shape,
        dtype="float64",
        dimension_names=(name,),
        attributes=dict(attributes),
    )
    array[:] = np.asarray(values, np.float64)


def documents(files: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, bytes]:
    """Return all files of a hierarchy by their paths; the root's own, with the metadata of all others, comes last.

    Parameters
    ----------
    files : mapping
        What `new_root` was given.
    attributes : mapping
        Of the root group.
    """
    found = {path: content.to_bytes() for path, content in files.items()}
    root = json.loads(found.pop("zarr.json"))
    inner = {path.removesuffix("/zarr.json"): json.loads(found[path]) for path in found if path.endswith("/zarr.json")}
    root |= {
        "attributes": attributes,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": inner},
    }
    return found | {"zarr.json": json.dumps(root, allow_nan=False).encode()}


def header_text(wcs: LayerWCS) -> str:
    """WCS as FITS cards: of pixels in FITS order, whatever the order of rows in an array."""
    full = wcs.full
    if full is None:
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a header cannot say: tables of distortions
        return str(full.to_header(relax=True).tostring())
