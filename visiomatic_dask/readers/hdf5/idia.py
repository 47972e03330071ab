"""The IDIA schema: cubes that CARTA's fits2idia makes of FITS files, https://github.com/CARTAvis/fits2idia.

Each group with a number for a name is an image: ``DATA`` has the shape of the FITS array, the attributes of the group
are the keywords of its header. ``MipMaps/DATA/DATA_XY_n`` are the means of the finite pixels of n × n blocks that are
aligned at the first row, the bottom of the picture. ``SwizzledData/ZYX`` (``ZYXW`` of four axes; ``PermutedData`` in
older files) is the same array with its axes in the opposite order, so that spectra lie in one piece. ``Statistics/XY``
has an array for each quantity, with an element for each plane.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.cube import ByteSource, Layer, LayerLevel, PlaneStatistics, Reader
from visiomatic_dask.errors import UnsupportedFormat
from visiomatic_dask.readers.fits.layer import fits_layer
from visiomatic_dask.readers.hdf5.dataset_reader import dataset_reader
from visiomatic_dask.readers.hdf5.file import attributes, is_dataset, member, stored_dtype, why_no_pixels
from visiomatic_dask.readers.hdf5.idia_reader import IdiaReader
from visiomatic_dask.readers.oriented_reader import OrientedReader
from visiomatic_dask.readers.scaling import Scaling

_STATISTICS = 2**20
"""Bytes of statistics that are read when a file is opened."""
_ROTATED = ("SwizzledData", "PermutedData")
_LEFT_OUT = ("SIMPLE", "BITPIX", "NAXIS", "COMMENT", "HISTORY", "END")


def idia_groups(file: Any) -> list[Any]:
    """Return the groups of an HDF5 file that are images of the IDIA schema."""
    numbers = sorted((name for name in file if name.isdecimal()), key=int)
    return [file[name] for name in numbers if is_dataset(member(file, f"{name}/DATA"))]


def idia_layer(group: Any, source: ByteSource, name: str) -> Layer:
    """Describe an image of the IDIA schema as a layer.

    Parameters
    ----------
    group : h5py.Group
        One of `idia_groups`.
    source : ByteSource
        Its file.
    name : str
        What messages call the file.

    Raises
    ------
    UnsupportedFormat
        If its pixels cannot be read; the message says why.
    """
    data = group["DATA"]
    problem = why_no_pixels(data)
    if not 2 <= data.ndim <= 5 or math.prod(data.shape) == 0:
        problem = f"has shape {data.shape}, not 2 to 5 axes with pixels"
    if problem is not None:
        raise UnsupportedFormat(f"{name}: {data.name[1:]} {problem}")
    notes: list[str] = []
    header = _header(group, data, notes)
    reader, levels = _reader(group, data, source, notes), _levels(group, data, source, notes)
    statistics = _statistics(group, data, notes)
    layer_name = "DATA" if group.name == "/0" else data.name[1:]
    return fits_layer(layer_name, reader, header, notes, levels=levels, statistics=statistics)


def _plain_reader(source: ByteSource, dataset: Any) -> Reader:
    stored = stored_dtype(dataset)
    assert stored is not None
    return dataset_reader(source, dataset, Scaling(stored.str))  # fits2idia has applied BSCALE and BZERO


def _header(group: Any, data: Any, notes: list[str]) -> fits.Header:
    """Write the attributes of a group as FITS cards."""
    stored, values = stored_dtype(data), attributes(group)
    assert stored is not None
    header = fits.Header()
    header["SIMPLE"] = True
    header["BITPIX"] = 8 * stored.itemsize * (-1 if stored.kind == "f" else 1)
    header["NAXIS"] = data.ndim
    for number, size in enumerate(reversed(data.shape), 1):
        header[f"NAXIS{number}"] = size
        if values.pop(f"NAXIS{number}", size) != size:
            notes.append(f"NAXIS{number} is not the size of DATA, {size}, which counts")
    for key, value in values.items():
        plain = _card_value(value)
        if plain is None or key in _LEFT_OUT:
            continue
        try:
            header[key if len(key) <= 8 else f"HIERARCH {key}"] = plain
        except (ValueError, fits.VerifyError) as error:
            notes.append(f"{key} is left out: {' '.join(str(error).split())}")
    return header


def _card_value(value: Any) -> bool | int | float | str | None:
    """Turn an attribute into the value of a card; fits2idia writes logical values as bytes."""
    if isinstance(value, np.bool_ | np.uint8 | np.int8):
        return bool(value)
    if isinstance(value, np.generic) and not isinstance(value, str):
        number: int | float = value.item()
        return number if math.isfinite(number) else None
    return value.rstrip() if isinstance(value, str) and value.isascii() and value.isprintable() else None


def _reader(group: Any, data: Any, source: ByteSource, notes: list[str]) -> Reader:
    """Return the reader of the data, with that of the rotated dataset where there is one that can be used."""
    main = _plain_reader(source, data)
    if data.ndim not in (3, 4):
        return main
    order = (2, 1, 0) if data.ndim == 3 else (0, 3, 2, 1)
    name = "ZYX" if data.ndim == 3 else "ZYXW"
    for folder in _ROTATED:
        rotated = member(group, f"{folder}/{name}")
        if not is_dataset(rotated):
            continue
        same = rotated.shape == tuple(data.shape[axis] for axis in order) and rotated.dtype == data.dtype
        if same and why_no_pixels(rotated) is None:
            return IdiaReader(main, OrientedReader(_plain_reader(source, rotated), order))
        notes.append(f"the rotated dataset {folder}/{name} is not used: it has other axes or another type than DATA")
    return main


def _levels(group: Any, data: Any, source: ByteSource, notes: list[str]) -> list[LayerLevel]:
    """List the mipmaps whose blocks are those of a level of ours, which are aligned at the top."""
    mipmaps, levels, skewed = member(group, "MipMaps/DATA"), [], []
    height, width = data.shape[-2:]
    for level in range(1, 31):
        side = 1 << level
        mipmap = None if mipmaps is None else member(mipmaps, f"DATA_XY_{side}")
        if not is_dataset(mipmap):
            continue
        expected = (*data.shape[:-2], -(-height // side), -(-width // side))
        if mipmap.shape != expected or mipmap.dtype.kind != "f" or why_no_pixels(mipmap) is not None:
            notes.append(f"the mipmap DATA_XY_{side} is not used: it is not an array of {expected} floats")
        elif height % side:
            skewed.append(f"DATA_XY_{side}")
        else:
            levels.append(LayerLevel(level, _plain_reader(source, mipmap)))
    if skewed:
        notes.append(
            f"the mipmaps {', '.join(skewed)} are not used: their blocks start at the bottom, those of levels at the "
            f"top, which is the same only where {height} rows are a multiple"
        )
    return levels


def _statistics(group: Any, data: Any, notes: list[str]) -> PlaneStatistics | None:
    """Read the statistics of all planes, unless they are many; the mean is in no file of fits2idia, but the sum is."""
    found: dict[str, NDArray[np.float64]] = {}
    planes = data.shape[:-2]
    if math.prod(planes) * 8 * 4 > _STATISTICS:
        return None
    for key in ("MIN", "MAX", "MEAN", "SUM", "NAN_COUNT"):
        dataset = member(group, f"Statistics/XY/{key}")
        if is_dataset(dataset) and dataset.shape == planes and stored_dtype(dataset) is not None:
            found[key] = np.asarray(dataset[()], np.float64).reshape(-1)
    if "MEAN" not in found and "SUM" in found and "NAN_COUNT" in found:
        finite = math.prod(data.shape[-2:]) - found["NAN_COUNT"]
        found["MEAN"] = np.divide(found["SUM"], finite, out=np.full(finite.shape, np.nan), where=finite > 0)
    if not {"MIN", "MAX", "MEAN"} <= set(found):
        if member(group, "Statistics/XY") is not None:
            notes.append("the statistics of planes are not used: some are missing, or have other axes than DATA")
        return None
    low, high = found["MIN"], found["MAX"]
    empty = ~(low <= high)  # a plane without a finite pixel: what was written is where the search for a minimum began
    columns = [np.where(empty, np.nan, found[key]) for key in ("MIN", "MAX", "MEAN")]
    return PlaneStatistics(*(tuple(one.tolist()) for one in columns))
