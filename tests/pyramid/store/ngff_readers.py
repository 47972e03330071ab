"""Open a pyramid with ome-zarr-py and ngff-zarr, in an environment that has them; prints JSON. See `test_others.py`."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np


def by_ome_zarr(address: str) -> list[dict[str, Any]]:
    from ome_zarr.io import parse_url  # type: ignore[import-not-found]
    from ome_zarr.reader import Multiscales, Reader  # type: ignore[import-not-found]

    location = parse_url(address)
    assert location is not None
    assert location.fmt.version == "0.5"
    (node,) = (node for node in Reader(location)() if any(isinstance(spec, Multiscales) for spec in node.specs))
    transforms = node.metadata["coordinateTransformations"]
    return [
        {
            "axes": [axis["name"] for axis in node.metadata["axes"]],
            "types": [axis["type"] for axis in node.metadata["axes"]],
            "scale": steps[0]["scale"],
            "translation": steps[1]["translation"],
            **digest(np.asarray(data)),
        }
        for data, steps in zip(node.data, transforms, strict=True)
    ]


def by_ngff_zarr(address: str) -> list[dict[str, Any]]:
    from ngff_zarr import from_ngff_zarr  # type: ignore[import-not-found]

    found = from_ngff_zarr(address, version="0.5", validate=False)
    assert found.metadata is not None
    return [
        {
            "axes": list(image.dims),
            "types": [axis.type for axis in found.metadata.axes],
            "scale": [image.scale.get(dim, 1.0) for dim in image.dims],
            "translation": [image.translation.get(dim, 0.0) for dim in image.dims],
            **digest(np.asarray(image.data)),
        }
        for image in found.images
    ]


def digest(pixels: Any) -> dict[str, Any]:
    """What tells pixels apart: JSON has no NaN."""
    rows = np.arange(pixels.shape[-2])[:, None] * 3 + np.arange(pixels.shape[-1])
    return {
        "shape": list(pixels.shape),
        "dtype": str(pixels.dtype),
        "nan": int(np.isnan(pixels).sum()),
        "sum": float(np.nansum(pixels.astype(np.float64) * rows)),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of their own: what counts is what they make of it
    print(json.dumps({"ome-zarr": by_ome_zarr(sys.argv[1]), "ngff-zarr": by_ngff_zarr(sys.argv[1])}))
