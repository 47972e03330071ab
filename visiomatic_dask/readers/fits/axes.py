"""Which axes of a FITS array are the picture's x and y, and what the others are: found by WCS, not by position."""

from __future__ import annotations

from typing import Any

from astropy.io import fits

from visiomatic_dask.cube import Axis, LayerWCS
from visiomatic_dask.cube.axes import kind_and_name, unique_names
from visiomatic_dask.cube.times import time_reference


def plane_order(header: fits.Header, shape: tuple[int, ...], wcs: LayerWCS) -> tuple[int, ...]:
    """Order the axes of an array so that the last two are y and x.

    They are the celestial axes, the faster of the two x, wherever they are: an image whose first axis is declination
    is not transposed. A spectrum at one place, of which both have one pixel, has nothing to show there: where two other
    axes have more, these are taken. Without celestial axes x and y are NAXIS1 and NAXIS2, unless one of these two is
    spectral, Stokes or time by its CTYPE, and exactly two axes are none of these.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Of the image.
    shape : tuple of int
        NAXISn … NAXIS1.
    wcs : LayerWCS
        Made from the header.

    Returns
    -------
    tuple of int
        Array axis (0: NAXISn) that each axis of the layer is; the others stay in their order.
    """
    ndim = len(shape)
    if ndim == 2:  # whatever they are; and to read the WCS takes longer than all the rest of opening an image
        return (0, 1)
    sizes = shape[::-1]
    plane = _celestial(wcs, ndim)
    if plane is not None and all(sizes[axis] == 1 for axis in plane):
        plane = next((p for p in [tuple(i for i, n in enumerate(sizes) if n > 1)[:2]] if len(p) == 2), plane)
    elif plane is None:
        plane = _unrecognised(header, ndim)
    x, y = sorted(plane)
    others = [axis for axis in range(ndim) if axis not in (ndim - 1 - x, ndim - 1 - y)]
    return (*others, ndim - 1 - y, ndim - 1 - x)


def _celestial(wcs: LayerWCS, ndim: int) -> tuple[int, ...] | None:
    if wcs.full is None:
        return None
    lng, lat = wcs.full.wcs.lng, wcs.full.wcs.lat
    return (lng, lat) if 0 <= lng < ndim and 0 <= lat < ndim else None


def _unrecognised(header: fits.Header, ndim: int) -> tuple[int, ...]:
    # By CTYPE alone: a unit of length may well be that of an x axis.
    kinds = [kind_and_name(text(header, f"CTYPE{axis}"), "", axis)[0] for axis in range(1, ndim + 1)]
    others = tuple(axis for axis, kind in enumerate(kinds) if kind == "other")
    return others if ndim >= 3 and len(others) == 2 and len({0, 1} & set(others)) == 1 else (0, 1)


def describe_axes(header: fits.Header, shape: tuple[int, ...], wcs: LayerWCS) -> tuple[Axis, ...]:
    """Describe the axes of a layer, slowest first, from a header in which NAXIS1 and NAXIS2 are x and y."""
    ndim = len(shape)
    kinds: list[Any] = []
    names: list[str] = []
    for position in range(ndim, 2, -1):
        kind, name = kind_and_name(text(header, f"CTYPE{position}"), text(header, f"CUNIT{position}"), position)
        kinds.append(kind)
        names.append(name)
    axes: list[Axis] = []
    for index, (kind, name) in enumerate(zip([*kinds, "y", "x"], unique_names([*names, "y", "x"]), strict=True)):
        position = ndim - index
        world = wcs.axis_coordinates(position, shape[index]) if position > 2 else None
        coordinates, unit = world if world is not None else (None, text(header, f"CUNIT{position}"))
        ctype = text(header, f"CTYPE{position}")
        reference = time_reference(header, ctype) if kind == "time" else ""
        axes.append(Axis(name, kind, ctype, unit, shape[index], coordinates, reference))
    return tuple(axes)


def text(header: fits.Header, key: str) -> str:
    """Value of a keyword as text, without blanks around it."""
    return str(header.get(key, "")).strip()
