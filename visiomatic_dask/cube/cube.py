"""Cubes and their layers: what is known of a dataset before a pixel of it is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from visiomatic_dask.cube.axes import Axis
from visiomatic_dask.cube.reader import Reader
from visiomatic_dask.cube.source import Source
from visiomatic_dask.cube.wcs import LayerWCS
from visiomatic_dask.errors import CubeChanged, InvalidRequest


@dataclass(frozen=True, slots=True)
class LayerLevel:
    """A coarser version of a layer that its source holds: a mipmap, a level of an NGFF pyramid.

    Attributes
    ----------
    level : int
        Which: its pixels are the means of ``2**level`` × ``2**level`` pixels of the layer, in blocks that are aligned
        at the top of the picture, as the levels of the layer itself are.
    reader : Reader
        Gives its pixels; its planes have ``ceil(n / 2**level)`` pixels along y and x, all other axes are those of the
        layer.
    """

    level: int
    reader: Reader


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One of the images that a mosaic is put together from.

    Attributes
    ----------
    name : str
        The layer of the same cube that holds the image by itself.
    left, bottom, width, height : int
        Its box in the mosaic: the first pixel along x and y, from 0 and upwards, and how many there are.
    data, frame : tuple of (int, int, int)
        Which pixels of the image, and which of the mosaic, belong together: first, last and step along x, then y.
        FITS numbers, from 1; a range whose step is negative runs backwards.
    """

    name: str
    left: int
    bottom: int
    width: int
    height: int
    data: tuple[tuple[int, int, int], tuple[int, int, int]]
    frame: tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class PlaneStatistics:
    """What a source has written down of the finite pixels of every plane.

    Attributes
    ----------
    minimum, maximum, mean : tuple of float
        One of each for every channel; NaN where there is none.
    """

    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    mean: tuple[float, ...]


class _Warnings:
    """The field `Layer.warnings`: given those of the file, it tells those of the WCS too, which is read at that time.

    Reading a WCS takes milliseconds, and a mosaic has a hundred layers.
    """

    def __get__(self, layer: Layer | None, owner: type[Layer]) -> tuple[str, ...]:
        if layer is None:
            return ()
        return tuple(dict.fromkeys((*layer.__dict__["_warnings"], *layer.wcs.warnings)))

    def __set__(self, layer: Layer, value: tuple[str, ...] | _Warnings) -> None:
        layer.__dict__["_warnings"] = () if isinstance(value, _Warnings) else tuple(value)


@dataclass(frozen=True)
class Layer:
    """One array of a cube, with its description. The last two axes are y (upwards on the screen) and x.

    Attributes
    ----------
    name : str
        Unique within the cube: EXTNAME, PRIMARY or the number of the HDU, the path of an array or variable.
    reader : Reader
        Gives the pixels.
    axes : tuple of Axis
        In array order, one for every dimension.
    unit : str
        Unit of the pixels (BUNIT), or an empty string.
    header : mapping
        FITS keywords and values that can be written as JSON; commentary left out. Axes are numbered as the layer has
        them: 1 is x, 2 is y.
    header_text : str
        A header for the array in the order of the file, 80 characters a card: as it stands there, where it is FITS.
    wcs : LayerWCS
        World coordinates; degrades to pixels.
    warnings : tuple of str
        What is wrong with the file but did not keep it from opening; what is wrong with its WCS is added.
    levels : tuple of LayerLevel
        Coarser versions that the source holds, finest first; levels may be missing.
    statistics : PlaneStatistics or None
        What the source says of its planes.
    parts : tuple of LayerPart
        What a mosaic is put together from; later ones lie above earlier ones. Empty for any other layer.
    """

    name: str
    reader: Reader
    axes: tuple[Axis, ...]
    unit: str
    header: dict[str, Any] = field(hash=False)
    header_text: str = field(repr=False)
    wcs: LayerWCS = field(compare=False)
    warnings: tuple[str, ...] = field(default=cast("tuple[str, ...]", _Warnings()), compare=False, repr=False)
    levels: tuple[LayerLevel, ...] = ()
    statistics: PlaneStatistics | None = field(default=None, hash=False, repr=False)
    parts: tuple[LayerPart, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in array order."""
        return self.reader.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of the source."""
        return self.reader.dtype

    @property
    def width(self) -> int:
        """Pixels along x."""
        return self.shape[-1]

    @property
    def height(self) -> int:
        """Pixels along y."""
        return self.shape[-2]

    @property
    def channels(self) -> int:
        """Number of planes: all axes before y and x, flattened, the fastest (NAXIS3) varying first."""
        return math.prod(self.shape[:-2])

    def at(self, level: int) -> tuple[Reader, int]:
        """Return what a level is best made from: the coarsest version in the source, and how many levels it is below.

        The reader's planes, binned as many times as the number says, are the level.
        """
        fit = [one for one in self.levels if one.level <= level] if self.levels else None
        if not fit:
            return self.reader, level
        best = max(fit, key=lambda one: one.level)
        return best.reader, level - best.level

    @property
    def has_spectral_axis(self) -> bool:
        """Whether more than one channel lies along a spectral axis."""
        return any(axis.kind == "spectral" and axis.size > 1 for axis in self.axes)

    def channel_label(self, channel: int) -> str:
        """Say where a channel is: ``2.53 km/s``, ``115.271 GHz, Q``; degenerate axes are left out.

        The spectral coordinate comes first and Stokes last, in whatever order the axes are.
        """
        if not self.axes[:-2]:
            return str(self.header.get("FILTER", "")) or self.name
        position = np.unravel_index(channel, self.shape[:-2])
        rank = {"spectral": 0, "stokes": 2}
        parts = [
            (rank.get(axis.kind, 1), axis.label(int(index)))
            for axis, index in zip(self.axes[-3::-1], position[::-1], strict=True)
            if axis.size > 1 or axis.kind == "spectral"
        ]
        return ", ".join(label for _, label in sorted(parts, key=lambda one: one[0])) or self.name


@dataclass(frozen=True, slots=True)
class Cube:
    """One opened dataset.

    Attributes
    ----------
    name : str
        What the cube is called in requests and messages.
    format : str
        Name of the format it is in.
    source : Source
        The files behind it, in the version that was opened.
    layers : tuple of Layer
        Never empty. The first is shown where nobody asks for another; the rest are in the order of the file.
    """

    name: str
    format: str
    source: Source
    layers: tuple[Layer, ...]

    @property
    def fingerprint(self) -> str:
        """Tells this version of the cube's files from any other."""
        return self.source.fingerprint

    @property
    def is_current(self) -> bool:
        """Whether its files are still those that were opened; `UnreadableCube` where that cannot be found out."""
        try:
            self.source.check()
        except CubeChanged:
            return False
        return True

    def layer(self, name: str | None = None) -> Layer:
        """Return a layer by name; without one, the first.

        Raises
        ------
        InvalidRequest
            If there is no layer of that name; the message lists those there are.
        """
        if name is None:
            return self.layers[0]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InvalidRequest.value("layer", name, ", ".join(layer.name for layer in self.layers))
