"""Compressed files, as many makers write them."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable

import numpy as np

from tests.readers.fits.fits_files import image


def gzip_members(data: bytes) -> bytes:
    """Three members, the second of them empty, with the zeros of a tape between and after them."""
    middle = len(data) // 3
    return (
        gzip.compress(data[:middle]) + gzip.compress(b"") + bytes(700) + gzip.compress(data[middle:], 1) + bytes(1000)
    )


def bzip2_streams(data: bytes) -> bytes:
    """Two streams, as parallel compressors write them."""
    middle = len(data) // 2
    return bz2.compress(data[:middle], 1) + bz2.compress(data[middle:])


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, several members": gzip_members,
    "bzip2": bz2.compress,
    "bzip2, several streams": bzip2_streams,
}


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(0, 10, shape).astype(np.float32)


def plain(*shape: int) -> bytes:
    """A FITS file of noise."""
    return image(noise(*shape), -32, {"OBJECT": "Noise"})


def bomb(size: int) -> bytes:
    """A FITS file of zeros that are never all there, compressed a thousand times over."""
    side = 4096
    head = image(np.zeros((0, side), np.float32), -32, {})
    head = head.replace(b"NAXIS2  =                    0", b"NAXIS2  = %20d" % (size // (4 * side)))
    member = gzip.compress(bytes(2**24))
    return gzip.compress(head) + member * (size // 2**24)
