"""What a pyramid says of itself to others: names, axes and coordinates, and OME-NGFF 0.5 multiscales."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Axis, Layer
from visiomatic_dask.cube.axes import STOKES_NAMES
from visiomatic_dask.pyramid.store.shards import LevelGrid, PyramidPlan

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = ("x", "y", "data", "missing", "statistics")


@dataclass(frozen=True, slots=True)
class ChannelAxis:
    """The axis of the channels of an image.

    Attributes
    ----------
    name : str
        Of the dimension: the layer's own where it can be used, else ``channel``.
    kind : str
        As the layer has it; ``other`` where planes of several axes are counted along it.
    unit : str
        Of the coordinates, in FITS spelling, or an empty string.
    coordinates : tuple of float or None
        One for every channel.
    """

    name: str
    kind: str
    unit: str = ""
    coordinates: tuple[float, ...] | None = None


def channel_axis(layer: Layer, plan: PyramidPlan) -> ChannelAxis | None:
    """Return the axis that the channels of an image lie along; None where there is one channel."""
    if plan.channels == 1:
        return None
    wide = _wide(layer)
    if wide[-1].size != plan.channels:
        return ChannelAxis("channel", "other")
    axis = wide[-1]
    usable = _NAME.fullmatch(axis.name) and axis.name not in (*_TAKEN, *image_names(layer, plan))
    return ChannelAxis(axis.name if usable else "channel", axis.kind, axis.unit, axis.coordinates)


def image_names(layer: Layer, plan: PyramidPlan) -> tuple[str, ...]:
    """Names of the groups of several images: letters of Stokes parameters, or numbers from 0; empty for one image."""
    if plan.images == 1:
        return ()
    *others, _ = _wide(layer)
    if len(others) == 1 and others[0].kind == "stokes" and others[0].coordinates is not None:
        names = tuple(STOKES_NAMES.get(round(one), "") for one in others[0].coordinates)
        if all(names) and len(set(names)) == len(names):
            return names
    return tuple(str(image) for image in range(plan.images))


def plane_coordinates(plan: PyramidPlan, grid: LevelGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of the pixels of a level along y and x: pixels of level 0, from 0, in FITS order; y descends."""
    factor, first = 2**grid.level, (2**grid.level - 1) / 2
    rows, columns = np.arange(grid.height, dtype=np.float64), np.arange(grid.width, dtype=np.float64)
    return plan.height - 1 - first - factor * rows, first + factor * columns


def multiscales(name: str, plan: PyramidPlan, channel: ChannelAxis | None) -> dict[str, Any]:
    """Describe the levels of an image by OME-NGFF 0.5 (https://ngff.openmicroscopy.org/0.5), as ``ome`` of its group.

    The unit of x and y is the pixel of level 0, which NGFF has no name for.
    """
    axes: list[dict[str, str]] = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    if channel is not None:
        axes.insert(0, {"name": channel.name, "type": "time" if channel.kind == "time" else "channel"})
    datasets = [_dataset(grid.level, channel) for grid in plan.levels]
    how = {"description": "mean of the finite pixels of 2^k × 2^k pixels of full resolution, which is not held"}
    return {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": datasets, "type": "mean", "metadata": how}],
    }


def _dataset(level: int, channel: ChannelAxis | None) -> dict[str, Any]:
    factor = 2.0**level
    before = [] if channel is None else [1.0]
    still = [] if channel is None else [0.0]
    return {
        "path": f"{level}/data",
        "coordinateTransformations": [
            {"type": "scale", "scale": [*before, factor, factor]},
            {"type": "translation", "translation": [*still, (factor - 1) / 2, (factor - 1) / 2]},
        ],
    }


def _wide(layer: Layer) -> Sequence[Axis]:
    return [axis for axis in layer.axes[:-2] if axis.size > 1]
