"""FITS: primary images, IMAGE extensions and tile-compressed images, each a layer."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from astropy.io import fits

from visiomatic_dask.cube import ByteSource, Cube, Reader
from visiomatic_dask.cube.axes import unique_names
from visiomatic_dask.cube.cube import Layer
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.fits.header import BUFFER, HDU, json_header, read_hdus
from visiomatic_dask.readers.fits.layer import fits_layer
from visiomatic_dask.readers.fits.layer_roles import default_first
from visiomatic_dask.readers.fits.lookup_tables import lookup_tables
from visiomatic_dask.readers.fits.mosaic import with_mosaic
from visiomatic_dask.readers.place import Place, opened
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling

_STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


class FITSFormat:
    """The FITS entry of the registry."""

    name = "FITS"
    description = "FITS images and cubes (2 to 5 axes, primary and IMAGE extensions, tile-compressed images)"

    def matches(self, place: Place) -> bool:
        """Whether it starts as FITS does."""
        return place.head.startswith(b"SIMPLE  =")

    def open(self, place: Place, name: str) -> Cube:
        """Open a FITS file from its headers alone.

        Raises
        ------
        UnsupportedFormat
            If it holds nothing but tables or random groups, or images compressed in a way that is not known here.
        UnreadableCube
            If its headers cannot be read, or announce more data than the file holds.
        """
        source = place.byte_source()
        with opened(source, BUFFER) as file:
            hdus = read_hdus(file, source.size, name)
        images = [hdu for hdu in hdus if hdu.is_image]
        if not images:
            raise UnsupportedFormat(f"{name}: {_why_no_image(hdus)}")
        names = unique_names([hdu.name for hdu in images])
        layers = tuple(_layer(hdu, source, layer, name, hdus) for hdu, layer in zip(images, names, strict=True))
        primary = {} if hdus[0].is_image else json_header(hdus[0].header)
        return Cube(name, self.name, source, with_mosaic(default_first(layers), primary))


def _why_no_image(hdus: list[HDU]) -> str:
    if any(hdu.is_random_groups for hdu in hdus):
        return "it holds random groups (UVFITS visibilities), not an image; image them first"
    images = [hdu for hdu in hdus if str(hdu.header.get("XTENSION", "IMAGE")).strip() == "IMAGE"]
    filled = [hdu for hdu in images if hdu.shape and math.prod(hdu.shape) > 0]
    if filled and all(len(hdu.shape) == 1 for hdu in filled):
        return f"it holds a spectrum or another array of one axis ({filled[-1].shape[0]} pixels); an image has 2 to 5"
    shapes = ", ".join(f"HDU {hdu.index} ({hdu.header.get('XTENSION', 'primary')}) {hdu.shape}" for hdu in hdus[:8])
    kinds = {str(hdu.header.get("XTENSION", "")).strip() for hdu in hdus if hdu.header.get("ZIMAGE") is not True}
    what = "tables" if kinds & {"TABLE", "BINTABLE"} else "no image of 2 to 5 axes"
    return f"it holds {what}; found: {shapes}"


def _layer(hdu: HDU, source: ByteSource, layer_name: str, cube_name: str, hdus: list[HDU]) -> Layer:
    header = hdu.header
    bitpix = int(header["BITPIX"])
    if bitpix not in _STORED:
        raise UnreadableCube(f"{cube_name}: BITPIX is {bitpix}; allowed: {', '.join(map(str, _STORED))}")
    if hdu.offset + hdu.size > source.size:
        raise UnreadableCube(
            f"{cube_name} is truncated: {layer_name} needs {hdu.size:,} bytes from byte {hdu.offset:,} on, "
            f"but the file ends at {source.size:,}"
        )
    notes = list(hdu.warnings)
    blank = header.get("BLANK")
    if blank is not None and (bitpix < 0 or not isinstance(blank, int) or isinstance(blank, bool)):
        if hdu.table is None or not isinstance(blank, int):  # of the integers that floats were compressed to
            notes.append(f"BLANK = {blank!r} is ignored: it is defined for integers only")
        blank = None
    scale, zero = _number(header, "BSCALE", 1, notes), _number(header, "BZERO", 0, notes)
    scaling = Scaling(_STORED[bitpix], scale, zero, blank)
    reader = _reader(hdu, source, scaling, cube_name)
    tables = partial(lookup_tables, hdus, source, header)
    return fits_layer(layer_name, reader, header, notes, cards=hdu.cards, tables=tables)


def _reader(hdu: HDU, source: ByteSource, scaling: Scaling, cube_name: str) -> Reader:
    if hdu.table is None:
        return RawReader(source, hdu.offset, hdu.shape, scaling)
    # Here, so that an astropy without those codecs does not keep other files from opening
    from visiomatic_dask.readers.fits.compressed_image import compressed_reader

    return compressed_reader(hdu, source, scaling, cube_name)


def _number(header: fits.Header, key: str, default: float, notes: list[str]) -> float:
    value: Any = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        notes.append(f"{key} = {value!r} is ignored: it is not a number")
        return default
    return value
