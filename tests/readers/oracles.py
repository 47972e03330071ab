"""Pixels of real files as other libraries read them, in the order of the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import zarr
from astropy.io import fits
from numpy.typing import NDArray


def pixels_of(path: Path, format_name: str, layer: str) -> NDArray[Any]:
    """All pixels of a layer; missing ones are NaN."""
    return _BY_FORMAT[format_name](path, layer)


def _fits(path: Path, layer: str) -> NDArray[Any]:
    with fits.open(path, memmap=False, ignore_missing_end=True, ignore_missing_simple=True) as hdus:
        if layer == "MOSAIC":
            return _assembled(hdus)
        if layer == "PRIMARY":
            return np.array(hdus[0].data)
        name, _, version = layer.partition(",")
        if name.isdigit():
            return np.array(hdus[int(name)].data)
        return np.array((hdus[name, int(version)] if version else hdus[name]).data)


def _assembled(hdus: fits.HDUList) -> NDArray[Any]:
    """Put the images of a raw mosaic where their DETSEC says, their DATASEC cut out and turned as that runs."""
    parts = [hdu for hdu in hdus if "DETSEC" in hdu.header]
    places = [_section(hdu.header["DETSEC"]) for hdu in parts]
    left, bottom = (min(min(place[axis]) for place in places) for axis in (0, 1))
    right, top = (max(max(place[axis]) for place in places) for axis in (0, 1))
    whole = np.zeros((top - bottom + 1, right - left + 1), parts[0].data.dtype)
    for hdu, (x, y) in zip(parts, places, strict=True):
        (x1, x2), (y1, y2) = _section(hdu.header["DATASEC"])
        part = hdu.data[y1 - 1 : y2, x1 - 1 : x2][:: 1 if y[0] < y[1] else -1, :: 1 if x[0] < x[1] else -1]
        whole[min(y) - bottom : max(y) - bottom + 1, min(x) - left : max(x) - left + 1] = part
    return whole


def _section(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    x1, x2, y1, y2 = map(int, re.findall(r"\d+", text))
    return (x1, x2), (y1, y2)


def _idia(path: Path, layer: str) -> NDArray[Any]:
    with h5py.File(path) as file:
        return np.array(file[f"0/{layer}"])


def _netcdf(path: Path, layer: str) -> NDArray[Any]:
    with netCDF4.Dataset(path) as dataset:
        return np.ma.filled(dataset[layer][:].astype(np.float64), np.nan)


def _zarr(path: Path, layer: str) -> NDArray[Any]:
    group = zarr.open_group(path, mode="r")
    # A pyramid of plain groups has its finest level under the highest number.
    array: Any = group[layer if layer in group else f"{max(group.group_keys())}/{layer}"]
    return np.asarray(array[:])


def _numpy(path: Path, _: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path)
    # One in Fortran order lies in the file with its axes the other way round.
    return array if array.flags.c_contiguous else array.T


def _envi(path: Path, _: str) -> NDArray[Any]:
    return np.fromfile(path, "<f4").reshape(189, 25, 10)


_BY_FORMAT = {
    "FITS": _fits,
    "HDF5": _idia,
    "NetCDF": _netcdf,
    "Zarr": _zarr,
    "NumPy": _numpy,
    "ENVI": _envi,
}
