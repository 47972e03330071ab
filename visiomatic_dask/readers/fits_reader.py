"""Pixels of an uncompressed FITS image, by positioned reads into our own buffers.

No memory maps: their clean pages count as a worker's own memory, and its nanny has killed workers for them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import SourceFile, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.byte_ranges import byte_ranges, contiguous_window

_STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MOST_RANGES_ANNOUNCED = 4096


@dataclass(frozen=True)
class FITSReader:
    """One image HDU of a FITS file. Scaling and dtypes are those of astropy.

    Attributes
    ----------
    file : SourceFile
        The version of the file that was opened.
    offset : int
        Byte at which the pixels start.
    shape : tuple of int
        NAXISn … NAXIS1.
    bitpix : int
        8, 16, 32, 64, -32 or -64.
    bscale, bzero : float
        Physical value = bscale × stored value + bzero (FITS standard, equation 3).
    blank : int or None
        Stored integer that means a missing value.
    """

    file: SourceFile
    offset: int
    shape: tuple[int, ...]
    bitpix: int
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of what `read` returns.

        Floats stay what they are. Integers stay integers when nothing but the unsigned (or signed byte) convention
        applies; else 8 and 16 bits become float32, 32 and 64 bits float64.
        """
        if self.bitpix < 0 or not (self._is_scaled or self.blank is not None):
            return np.dtype(_STORED[self.bitpix]).newbyteorder("=")
        return self._offset_convention or np.dtype(np.float32 if self.bitpix <= 16 else np.float64)

    @property
    def _is_scaled(self) -> bool:
        return self.bscale != 1 or self.bzero != 0

    @property
    def _offset_convention(self) -> np.dtype[Any] | None:
        """Return the unsigned (for 8 bits: signed) dtype that BZERO stands for, if it does.

        FITS standard, table 11.
        """
        if self.bscale != 1 or self.blank is not None:
            return None
        if self.bitpix == 8 and self.bzero == -128:
            return np.dtype(np.int8)
        if self.bitpix in (16, 32, 64) and self.bzero == 1 << (self.bitpix - 1):
            return np.dtype(f"u{self.bitpix // 8}")
        return None

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the file."""
        return self.file.fingerprint

    @cached_property
    def token(self) -> str:
        """Canonical text of file version, place and scaling."""
        scaling = f"{self.bitpix}:{self.bscale!r}:{self.bzero!r}:{self.blank}"
        return f"fits:{self.fingerprint}:{self.offset}:{self.shape}:{scaling}"

    @property
    def source_itemsize(self) -> int:
        """Bytes a pixel takes in the file."""
        return abs(self.bitpix) // 8

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window; see `visiomatic_dask.cube.Reader.read`."""
        window.check_within(self.shape)
        stored = self._read_stored(contiguous_window(window))
        if window.step[-1] != 1:
            stored = np.ascontiguousarray(stored[..., :: window.step[-1]])
        return self._physical(stored)

    def _read_stored(self, window: Window) -> NDArray[Any]:
        """Read the stored values, big-endian, announcing all ranges to the kernel before reading any."""
        stored = np.empty(window.shape, np.dtype(_STORED[self.bitpix]))
        if stored.size == 0:
            return stored
        buffer = stored.reshape(-1).view(np.uint8).data
        ranges = byte_ranges(self.shape, self.source_itemsize, window)
        descriptor = self.file.open()
        try:
            if 1 < len(ranges.offsets) <= _MOST_RANGES_ANNOUNCED and hasattr(os, "posix_fadvise"):
                for offset in ranges.offsets:
                    os.posix_fadvise(descriptor, self.offset + offset, ranges.size, os.POSIX_FADV_WILLNEED)
            for done, offset in zip(range(0, len(buffer), ranges.size), ranges.offsets, strict=True):
                self._fill(descriptor, buffer[done : done + ranges.size], self.offset + offset)
        except OSError as error:
            raise UnreadableCube(f"{self.file.name}: reading its pixels failed: {error.strerror}") from error
        finally:
            os.close(descriptor)
        return stored

    def _fill(self, descriptor: int, buffer: memoryview, offset: int) -> None:
        """Read until the buffer is full: one call may give at most 2 GiB, and less over a network."""
        done = 0
        while done < len(buffer):
            count = os.preadv(descriptor, [buffer[done:]], offset + done)
            if count == 0:
                raise UnreadableCube(f"{self.file.name} ends at byte {offset + done}, before its data do")
            done += count

    def _physical(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Turn stored values into physical ones, as astropy does."""
        unsigned = self._offset_convention
        if unsigned is not None and self._is_scaled:
            # The conventions differ from the stored integers by their top bit alone.
            bits = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(f"u{self.source_itemsize}")
            bits = bits ^ bits.dtype.type(1 << (8 * self.source_itemsize - 1))
            return bits.view(unsigned)
        values = stored.astype(self.dtype)
        if self._is_scaled:
            values *= self.bscale
            values += self.bzero
        if self.blank is not None:
            values[stored == self.blank] = np.nan
        return values
