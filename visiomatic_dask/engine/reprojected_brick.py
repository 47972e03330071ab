"""Reprojected bricks: planes of one layer on the pixel grid of another."""

from __future__ import annotations

import hashlib
import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader
from visiomatic_dask.cube.sky import celestial_frame
from visiomatic_dask.engine.bricks import BrickRecipe
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.errors import Unavailable
from visiomatic_dask.pyramid import Box

Order = Literal["nearest", "bilinear", "bicubic"]
ORDERS: tuple[Order, ...] = get_args(Order)
MARGINS: dict[Order, int] = {"nearest": 1, "bilinear": 2, "bicubic": 12}
"""Pixels of the source around those that are interpolated between. A spline's coefficients depend on all pixels, but
on those twelve away by less than 10^-6."""
_REPROJECT_ORDERS = {"nearest": "nearest-neighbor", "bilinear": "bilinear", "bicubic": "bicubic"}


@dataclass(frozen=True, slots=True)
class Sky:
    """A celestial WCS of a level, as it travels.

    Attributes
    ----------
    packed : bytes
        A FITS file of its keywords and lookup tables, compressed.
    height : int
        Pixels of the level along y.
    """

    packed: bytes
    height: int

    @classmethod
    def of(cls, wcs: WCS, height: int) -> Sky:
        """Pack a WCS."""
        buffer = io.BytesIO()
        wcs.to_fits(relax=True).writeto(buffer)
        return cls(zlib.compress(buffer.getvalue()), height)

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{hashlib.blake2b(self.packed, digest_size=16).hexdigest()} {self.height}"

    def window(self, box: Box) -> WCS:
        """Unpack the WCS of a rectangle, in raster orientation; its rows count upwards, as in a FITS image."""
        from astropy.wcs.wcsapi import HighLevelWCSWrapper, SlicedLowLevelWCS

        with warnings.catch_warnings(), fits.open(io.BytesIO(zlib.decompress(self.packed))) as file:
            warnings.simplefilter("ignore")  # they have been told when the layer was opened
            wcs = WCS(file[0].header, file)
        rows = slice(self.height - box.bottom, self.height - box.top)
        return HighLevelWCSWrapper(SlicedLowLevelWCS(wcs, (rows, slice(box.left, box.right))))


@dataclass(frozen=True, slots=True)
class ReprojectedBrick:
    """What is shown of one layer, over one rectangle of the pixel grid of another.

    Sums and ranges of channels are made first, and then reprojected.

    Attributes
    ----------
    source : BrickRecipe
        What is interpolated: the pixels of the layer that are needed.
    source_sky, sky : Sky
        Of the level that those are of, and of the level of the other layer.
    box : Box
        Rectangle of the other layer's level.
    order : {"nearest", "bilinear", "bicubic"}
        How it is interpolated.
    overlaps : bool
        Whether there are any such pixels; else all are NaN, and nothing is read.
    """

    source: BrickRecipe
    source_sky: Sky
    sky: Sky
    box: Box
    order: Order
    overlaps: bool = True

    prefix = "reproject-brick"
    is_deep = False
    assembly = None

    @property
    def reader(self) -> Reader:
        """The layer whose pixels it is made of."""
        return self.source.reader

    @property
    def text(self) -> str:
        """Canonical text."""
        if not self.overlaps:  # one brick will do for all tiles of a size
            return f"{self.reader.token}|nothing: {self.planes} of {self.box.rows} {self.box.columns}"
        return f"{self.source.text}|{self.source_sky.text}|{self.sky.text}|{self.box}|{self.order}"

    @property
    def planes(self) -> int:
        """Number of planes: those of what is shown."""
        return self.source.nbytes // (4 * self.source.box.rows * self.source.box.columns)

    @property
    def is_long(self) -> bool:
        """Whether it is more than every tile can carry along."""
        return self.source.is_long

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return 4 * self.planes * self.box.rows * self.box.columns

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return Placement(f"{self.reader.token}|{self.sky.text}", self.box.top // 256 + self.box.left // 256)

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        return self.source.read_cost if self.overlaps else 0

    def part(self, box: Box, plane: int) -> ReprojectedBrick:  # noqa: ARG002 - a plane, or a mix
        """Recipe of a rectangle."""
        return replace(self, box=box)

    def load(self) -> NDArray[np.float32]:
        """Interpolate; NaN where the layer has no pixels."""
        if not self.overlaps:
            return np.full((self.planes, self.box.rows, self.box.columns), np.nan, np.float32)
        pixels = self.source.load()[:, ::-1]
        pixels[~np.isfinite(pixels)] = np.nan
        return reprojected(
            pixels, self.source_sky.window(self.source.box), self.sky.window(self.box), self.box, self.order
        )


def reprojected(pixels: NDArray[np.float32], source: WCS, target: WCS, box: Box, order: Order) -> NDArray[np.float32]:
    """Interpolate planes between the pixels of one WCS at those of another.

    Parameters
    ----------
    pixels : ndarray of float32, (planes, rows, columns)
        Rows upwards; NaN where there is none.
    source, target : WCS of the APE 14 interface
        Of the pixels, and of the result, both celestial.
    box : Box
        Gives the size of the result.
    order : {"nearest", "bilinear", "bicubic"}
        How.

    Returns
    -------
    ndarray of float32, (planes, box.rows, box.columns)
        In raster orientation.

    Raises
    ------
    Unavailable
        If reproject is not installed (extra ``composite``).
    """
    try:
        from reproject import reproject_interp  # 0.6 s, of which workers that make none need not know
    except ImportError as error:
        raise Unavailable(
            "a cube on another one's grid needs reproject on the workers: install the extra `composite`", 3600
        ) from error

    missing = np.isnan(pixels)
    shape = (len(pixels), box.rows, box.columns)
    with _all_frames(), np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = _REPROJECT_ORDERS[order]
        patched = _patched(pixels, missing) if order == "bicubic" and missing.any() else pixels
        found = reproject_interp((patched, source), target, shape, order=name, return_footprint=False)
        if patched is not pixels:
            holes = reproject_interp(
                (missing.astype(np.float32), source), target, shape, order="bilinear", return_footprint=False
            )
            found[~(holes == 0)] = np.nan
    return np.ascontiguousarray(found[:, ::-1], np.float32)


def _patched(pixels: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Put the nearest value wherever there is none: a spline that meets a single NaN is NaN all over."""
    from scipy.ndimage import distance_transform_edt

    patched = pixels.copy()
    for plane, gone in zip(patched, missing, strict=True):
        if gone.all():
            plane[:] = 0
            continue
        rows, columns = distance_transform_edt(gone, return_distances=False, return_indices=True)
        plane[:] = plane[rows, columns]
    return patched


@contextmanager
def _all_frames() -> Iterator[None]:
    """Have astropy know the ecliptic and supergalactic frames of FITS, too."""
    from astropy.wcs.utils import custom_wcs_to_frame_mappings

    def named(wcs: WCS) -> object:
        kinds = {ctype[:4].upper() for ctype in wcs.wcs.ctype}
        return celestial_frame(wcs) if kinds in ({"SLON", "SLAT"}, {"ELON", "ELAT"}) else None

    with custom_wcs_to_frame_mappings([named]):
        yield
