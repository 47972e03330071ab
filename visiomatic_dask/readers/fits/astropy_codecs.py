"""The codecs of compressed FITS tiles, which are astropy's: the one place that reaches into its private modules.

They are the C code of CFITSIO, and hold no GIL while they run; 4,096 pixels of RICE take 25 µs, and dithering 10 µs.
HCOMPRESS keeps its place in the stream in static variables, so that only one thread of a process may decode it; and it
does not look where its input ends, which is seen to here.
"""

from __future__ import annotations

import struct
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.errors import UnsupportedFormat

try:
    from astropy.io.fits.hdu.compressed._codecs import PLIO1, HCompress1, Rice1
    from astropy.io.fits.hdu.compressed._compression import CfitsioException
    from astropy.io.fits.hdu.compressed._quantization import DITHER_METHODS, Quantize
except ImportError as error:
    raise UnsupportedFormat(
        "tile-compressed FITS images need the codecs of astropy 7 or 8, which the astropy installed here does not have"
    ) from error

DITHERS = tuple(name for name, number in DITHER_METHODS.items() if number > 0)
_HCOMPRESS = struct.Struct(">2sii4x8x3B")
_one_hcompress_at_a_time = threading.Lock()

# The table of random numbers is made by the first call, and two threads that both were the first would not get on.
Quantize(row=1, dither_method=1, quantize_level=16, bitpix=-32).decode_quantized(np.zeros(1, np.int32), 1.0, 0.0)


def rice(data: bytes, pixels: int, bytepix: int, blocksize: int) -> NDArray[Any]:
    """Decode RICE_1 into integers of `bytepix` bytes; single bytes are unsigned. `ValueError` if it is damaged."""
    codec = Rice1(blocksize=blocksize, bytepix=bytepix, tilesize=pixels)
    values = _decoded(codec, data)
    return values.view(np.uint8) if bytepix == 1 else values


def plio(data: bytes, pixels: int) -> NDArray[np.int32]:
    """Decode PLIO_1, native-endian 16-bit words. `ValueError` if it is damaged."""
    words = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
    # Its length stands in word 3, or, where that is not positive, in words 4 and 5 (15 bits each).
    length = 0 if words.size < 5 else int(words[2]) if words[2] > 0 else (int(words[4]) << 15) + int(words[3])
    if not 0 < length <= words.size or words[1] < 0:
        raise ValueError("its line list does not end within it")
    return _decoded(PLIO1(tilesize=pixels), data)


def hcompress(data: bytes, pixels: int, smooth: bool) -> NDArray[np.int32]:
    """Decode HCOMPRESS_1. `ValueError` if it is damaged."""
    if len(data) < _HCOMPRESS.size:
        raise ValueError("it is too short for HCOMPRESS")
    magic, nx, ny, *planes = _HCOMPRESS.unpack_from(data)
    if magic != b"\xdd\x99" or min(nx, ny) < 1 or nx * ny != pixels or max(planes) > 64:
        raise ValueError(f"it holds no HCOMPRESS stream of {pixels:,} pixels")
    # At most 2 bits of each bit plane of a pixel: as far as the decoder can run where a stream has no end.
    room = bytes(pixels * (max(planes) + 2) // 4 + 64)
    codec = HCompress1(scale=0, smooth=smooth, bytepix=8, nx=nx, ny=ny)
    with _one_hcompress_at_a_time:
        return _decoded(codec, data + room)


def undithered(
    values: NDArray[Any], row: int, method: str, scale: float, zero: float, bitpix: int
) -> NDArray[np.floating[Any]]:
    """Turn quantised integers into floats, and take away the random numbers that were added to them.

    Parameters
    ----------
    values : ndarray of integers
        Of one tile.
    row : int
        Number of the tile, from 1, + ZDITHER0 - 1.
    method : str
        Of `DITHERS`.
    scale, zero : float
        ZSCALE and ZZERO.
    bitpix : int
        -32 or -64: what they become.
    """
    codec = Quantize(row=row, dither_method=DITHER_METHODS[method], quantize_level=16, bitpix=bitpix)
    return np.asarray(codec.decode_quantized(values, scale, zero))


def _decoded(codec: Any, data: bytes) -> NDArray[Any]:
    try:
        return np.asarray(codec.decode(np.frombuffer(data, np.uint8)))
    except CfitsioException as error:
        raise ValueError(str(error)) from error
