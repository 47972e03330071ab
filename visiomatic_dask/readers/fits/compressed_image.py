"""From the table of a tile-compressed image to the reader of its pixels (FITS standard 4.0, section 10)."""

from __future__ import annotations

import math
import re
from typing import Any

from visiomatic_dask.cube import ByteSource
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.fits.astropy_codecs import DITHERS
from visiomatic_dask.readers.fits.compressed_header import column_names
from visiomatic_dask.readers.fits.compressed_reader import CompressedReader, TileTable
from visiomatic_dask.readers.fits.header import HDU
from visiomatic_dask.readers.fits.tile_coding import ALGORITHMS, COMPRESSED, GZIPPED, PLAIN, TileCoding
from visiomatic_dask.readers.scaling import Scaling

_TFORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([BIJKED]?).*")
_SIZES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_DTYPES = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "P": ">u4", "Q": ">i8"}
_NOT_DITHERED = ("NO_DITHER", "NONE", "")
_MOST_PIXELS = 2**28
"""Of a tile, which is unpacked as a whole."""


def compressed_reader(hdu: HDU, source: ByteSource, scaling: Scaling, name: str) -> CompressedReader:
    """Make the reader of a tile-compressed image, from its headers alone.

    Parameters
    ----------
    hdu : HDU
        The image, with its table.
    source : ByteSource
        The file.
    scaling : Scaling
        Of the values that were compressed.
    name : str
        What messages call the cube.

    Raises
    ------
    UnsupportedFormat
        If it is compressed in a way that is not known here.
    UnreadableCube
        If its table is not what the standard says.
    """
    assert hdu.table is not None
    header = hdu.table.cards.values
    try:
        tile = _tile_shape(header, hdu.shape)
        table, codes = _table(hdu.table)
        coding = _coding(header, codes, hdu.cards.values.get("BLANK"))
    except (KeyError, ValueError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise UnreadableCube(f"{name}: the compressed image {hdu.name} cannot be read: {reason}") from error
    if coding.algorithm not in ALGORITHMS or coding.dither not in (None, *DITHERS):
        raise UnsupportedFormat(
            f"{name}: {hdu.name} is compressed by {coding.algorithm} with {coding.dither or 'NO_DITHER'}; "
            f"allowed: {', '.join(ALGORITHMS)} with NO_DITHER, {', '.join(DITHERS)}"
        )
    needed = math.prod(math.ceil(size / one) for size, one in zip(hdu.shape, tile, strict=True))
    if table.rows < needed:
        raise UnreadableCube(f"{name}: {hdu.name} has {needed:,} compressed tiles, but its table {table.rows:,} rows")
    return CompressedReader(source, table, hdu.shape, tile, coding, scaling)


def _tile_shape(header: dict[str, Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    """ZTILEn, slowest axis first; rows of the image where they are not given."""
    sizes = list(reversed(shape))
    tile = [header.get(f"ZTILE{i}", size if i == 1 else 1) for i, size in enumerate(sizes, 1)]
    if not all(isinstance(one, int) and one >= 1 for one in tile):
        raise ValueError(f"its tiles are {tile}; allowed: whole numbers from 1")
    clipped = tuple(min(one, size) for one, size in zip(reversed(tile), shape, strict=True))
    if math.prod(clipped) > _MOST_PIXELS:
        raise ValueError(f"its tiles are of {math.prod(clipped):,} pixels; allowed: up to {_MOST_PIXELS:,}")
    return clipped


def _table(hdu: HDU) -> tuple[TileTable, dict[str, str]]:
    """Describe the table; also return the element types of the columns of data."""
    header = hdu.cards.values
    row_size, rows = int(header["NAXIS1"]), int(header["NAXIS2"])
    columns: list[tuple[str, str, int, int]] = []
    codes: dict[str, str] = {}
    position = 0
    for number, name in enumerate(column_names(hdu.cards), 1):
        form = _TFORM.fullmatch(str(header[f"TFORM{number}"]).strip().upper())
        if form is None:
            raise ValueError(f"TFORM{number} is {header[f'TFORM{number}']!r}")
        repeat, code, element = int(form[1] or 1), form[2], form[3]
        if name in (COMPRESSED, GZIPPED, PLAIN):
            if code not in "PQ" or repeat != 1 or element not in ("BIJ" if name != PLAIN else "BIJKED") or not element:
                raise ValueError(f"TFORM{number} is {form[0]!r}, not of one array of variable length")
            columns.append((name, _DTYPES[code], position, _SIZES[element]))
            codes[name] = element
        elif name in ("ZSCALE", "ZZERO", "ZBLANK"):
            if repeat != 1 or code not in ("BIJK" if name == "ZBLANK" else "BIJKED"):
                raise ValueError(f"TFORM{number} is {form[0]!r}, not of one number")
            columns.append((name, _DTYPES[code], position, 0))
        position += -(-repeat // 8) if code == "X" else repeat * _SIZES[code]
    if position > row_size:
        raise ValueError(f"its columns take {position} bytes of rows of {row_size}")
    if not codes:
        raise ValueError(f"its table has no column {COMPRESSED}")
    start = int(header.get("THEAP", row_size * rows))
    if not row_size * rows <= start <= hdu.size:
        raise ValueError(f"THEAP is {start}")
    return TileTable(hdu.offset, rows, row_size, hdu.offset + start, hdu.size - start, tuple(columns)), codes


def _coding(header: dict[str, Any], codes: dict[str, str], blank: Any) -> TileCoding:
    algorithm = str(header["ZCMPTYPE"]).strip().upper()
    dither = str(header.get("ZQUANTIZ", "")).strip().upper()
    bitpix = int(header["ZBITPIX"])
    scale, zero = (_number(header, key) for key in ("ZSCALE", "ZZERO"))
    names = {str(value).strip().upper() for key, value in header.items() if re.fullmatch(r"TTYPE\d+", key)}
    quantised = bitpix < 0 and (scale is not None or "ZSCALE" in names)
    parameters = _parameters(header)
    bytepix, blocksize = parameters.get("BYTEPIX", 4), parameters.get("BLOCKSIZE", 32)
    if bytepix not in (1, 2, 4) or not 1 <= blocksize <= 2**16:
        raise ValueError(f"RICE with BYTEPIX {bytepix}, BLOCKSIZE {blocksize}; allowed: 1, 2, 4 and 1 to 65,536")
    seed = header.get("ZDITHER0", 1)
    if not isinstance(seed, int) or seed < 1:
        raise ValueError(f"ZDITHER0 is {seed!r}; allowed: 1 to 10000")
    blank = blank if isinstance(blank, int) else None
    null = header.get("ZBLANK", blank)
    return TileCoding(
        algorithm=algorithm,
        bitpix=bitpix,
        code=codes.get(COMPRESSED, "B"),
        plain_code=codes.get(PLAIN, "B"),
        bytepix=int(bytepix),
        blocksize=int(blocksize),
        smooth=bool(parameters.get("SMOOTH", 0)),
        quantised=quantised,
        dither=dither if quantised and dither not in _NOT_DITHERED else None,
        seed=seed,
        scale=scale,
        zero=zero,
        null=null if isinstance(null, int) else None,
        blank=blank,
    )


def _parameters(header: dict[str, Any]) -> dict[str, float]:
    """ZNAMEn and ZVALn."""
    found: dict[str, float] = {}
    for key, name in header.items():
        value = header.get(f"ZVAL{key[5:]}")
        if re.fullmatch(r"ZNAME\d+", key) and isinstance(value, int | float):
            found.setdefault(str(name).strip().upper(), value)
    return found


def _number(header: dict[str, Any], key: str) -> float | None:
    value = header.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
