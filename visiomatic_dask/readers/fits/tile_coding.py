"""How the tiles of a compressed FITS image are coded, and their decoding (FITS standard 4.0, section 10)."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.readers.fits import astropy_codecs

ALGORITHMS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS")
COMPRESSED, GZIPPED, PLAIN = "COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA"
_STORED = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}
_GZIP_OR_ZLIB = 47


@dataclass(frozen=True, slots=True)
class TileRow:
    """What the table says of one tile.

    Attributes
    ----------
    number : int
        Its row, from 0.
    column : str
        Which of the columns holds it: COMPRESSED_DATA, GZIP_COMPRESSED_DATA, UNCOMPRESSED_DATA.
    scale, zero : float or None
        Of the columns ZSCALE and ZZERO.
    null : int or None
        Of the column ZBLANK.
    """

    number: int
    column: str
    scale: float | None
    zero: float | None
    null: int | None


@dataclass(frozen=True, slots=True)
class TileCoding:
    """How the tiles of one image are coded.

    Attributes
    ----------
    algorithm : str
        ZCMPTYPE, of `ALGORITHMS`.
    bitpix : int
        ZBITPIX.
    code : str
        Letter of the type of the elements of COMPRESSED_DATA: B, I or J.
    plain_code : str
        The same of UNCOMPRESSED_DATA.
    bytepix, blocksize : int
        Parameters of RICE.
    smooth : bool
        Parameter of HCOMPRESS.
    quantised : bool
        Whether the tiles are of integers that stand for floats.
    dither : str or None
        ZQUANTIZ, where random numbers were added.
    seed : int
        ZDITHER0.
    scale, zero : float or None
        ZSCALE and ZZERO, where they are keywords.
    null : int or None
        Integer that stands for NaN, where it is a keyword.
    blank : int or None
        BLANK of the image.
    """

    algorithm: str
    bitpix: int
    code: str = "B"
    plain_code: str = "B"
    bytepix: int = 4
    blocksize: int = 32
    smooth: bool = False
    quantised: bool = False
    dither: str | None = None
    seed: int = 1
    scale: float | None = None
    zero: float | None = None
    null: int | None = None
    blank: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of the image before it is scaled."""
        return np.dtype(_STORED[self.bitpix])

    def decode(self, data: bytes, row: TileRow, shape: tuple[int, ...]) -> NDArray[Any]:
        """Decode a tile.

        Parameters
        ----------
        data : bytes
            What the file holds of it.
        row : TileRow
            What the table says of it.
        shape : tuple of int
            Its own shape, which is smaller at the ends of the image.

        Returns
        -------
        ndarray of `dtype`, of that shape
            Read-only. Floats that are missing are NaN, integers are BLANK.

        Raises
        ------
        ValueError
            If it is damaged; the message says how.
        """
        pixels = math.prod(shape)
        if row.column == PLAIN:
            values = _exactly(_numbers(data, self.plain_code), pixels)
        elif row.column == GZIPPED:
            values = self._from_bytes(_gunzip(data, pixels), pixels, lossless=True)
        elif self.quantised:
            values = self._physical(self._integers(data, pixels), row)
        else:
            values = self._blanked(self._integers(data, pixels), row)
        tile = values.astype(self.dtype, copy=False).reshape(shape)
        tile.flags.writeable = False
        return tile

    def _integers(self, data: bytes, pixels: int) -> NDArray[Any]:
        """Undo the compression; floats where they were not quantised."""
        match self.algorithm:
            case "GZIP_1":
                return self._from_bytes(_gunzip(data, pixels), pixels, lossless=not self.quantised)
            case "GZIP_2":
                shuffled = np.frombuffer(_gunzip(data, pixels), np.uint8)
                plain = shuffled.reshape(max(1, shuffled.size // pixels), -1).T.tobytes()
                return self._from_bytes(plain, pixels, lossless=not self.quantised)
            case "NOCOMPRESS":
                return self._from_bytes(data, pixels, lossless=not self.quantised)
        if self.code != "B":  # the codecs take native words
            data = _numbers(data, self.code).tobytes()
        match self.algorithm:
            case "PLIO_1":
                return astropy_codecs.plio(data, pixels)
            case "HCOMPRESS_1":
                return astropy_codecs.hcompress(data, pixels, self.smooth)
        return astropy_codecs.rice(data, pixels, self.bytepix, self.blocksize)

    def _from_bytes(self, data: bytes, pixels: int, *, lossless: bool) -> NDArray[Any]:
        """Big-endian pixels, whose size is told from their number, as CFITSIO does."""
        size, rest = divmod(len(data), pixels)
        floats = lossless and self.bitpix < 0
        if rest or size not in ((4, 8) if floats else (1, 2, 4, 8)):
            raise ValueError(f"it unpacks to {len(data):,} bytes for {pixels:,} pixels")
        return np.frombuffer(data, f">{'f' if floats else 'u' if size == 1 else 'i'}{size}")

    def _physical(self, values: NDArray[Any], row: TileRow) -> NDArray[Any]:
        scale = self.scale if row.scale is None else row.scale
        zero = self.zero if row.zero is None else row.zero
        null = self.null if row.null is None else row.null
        if scale is None or zero is None:
            raise ValueError("it has no ZSCALE or ZZERO")
        if self.dither is None:
            floats = (values * np.float64(scale) + np.float64(zero)).astype(self.dtype)
        elif values.dtype.itemsize == 8:
            raise ValueError("it is dithered, but of 64-bit integers")
        else:
            floats = astropy_codecs.undithered(values, row.number + self.seed, self.dither, scale, zero, self.bitpix)
        if null is not None and (missing := values == null).any():
            floats = np.where(missing, floats.dtype.type(np.nan), floats)
        return floats

    def _blanked(self, values: NDArray[Any], row: TileRow) -> NDArray[Any]:
        """Missing integers are marked alike in all tiles."""
        if row.null is None or self.blank is None or row.null == self.blank or self.bitpix < 0:
            return values
        return np.where(values == row.null, np.asarray(self.blank, self.dtype), values.astype(self.dtype))


def _numbers(data: bytes, code: str) -> NDArray[Any]:
    """Native-endian elements of a table column."""
    stored = np.dtype({"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}[code])
    if len(data) % stored.itemsize:
        raise ValueError(f"its {len(data):,} bytes are no whole number of values")
    return np.frombuffer(data, stored).astype(stored.newbyteorder("="), copy=False)


def _exactly(values: NDArray[Any], pixels: int) -> NDArray[Any]:
    if values.size != pixels:
        raise ValueError(f"it holds {values.size:,} values for {pixels:,} pixels")
    return values


def _gunzip(data: bytes, pixels: int) -> bytes:
    """Unpack at most 8 bytes a pixel, whatever a stream would unpack to."""
    most = 8 * pixels
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        unpacked = unpacking.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f"gzip: {error}") from error
    if len(unpacked) > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes for {pixels:,} pixels")
    if not unpacking.eof:
        raise ValueError("its gzip stream is cut off")
    return unpacked
