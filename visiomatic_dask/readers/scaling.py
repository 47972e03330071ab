"""From stored values to physical ones: BSCALE, BZERO and BLANK, and what other formats call by other names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scaling:
    """How stored values become physical ones. Dtypes are those of astropy.

    Attributes
    ----------
    stored : str
        Dtype of the stored values, with its byte order: ``>i2``, ``<f4``.
    scale, zero : float
        Physical value = scale × stored value + zero (FITS standard, equation 3).
    blank : int, float or None
        Stored value that means a missing one. It is masked before anything is scaled.
    missing : tuple of float
        More such values: NetCDF allows several.
    """

    stored: str
    scale: float = 1.0
    zero: float = 0.0
    blank: float | None = None
    missing: tuple[float, ...] = ()

    @property
    def itemsize(self) -> int:
        """Bytes of a stored value."""
        return np.dtype(self.stored).itemsize

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native-endian dtype of physical values.

        Floats stay what they are. Integers stay integers when nothing but the unsigned (or signed byte) convention
        applies; else 8 and 16 bits become float32, 32 and 64 bits float64.
        """
        stored = np.dtype(self.stored)
        if stored.kind == "f" or not (self._is_scaled or self._blanks):
            return stored.newbyteorder("=")
        return self._offset_convention or np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.stored}:{self.scale!r}:{self.zero!r}:" + ":".join(map(repr, self._blanks or (None,)))

    @property
    def _blanks(self) -> tuple[float, ...]:
        return self.missing if self.blank is None else (self.blank, *self.missing)

    @property
    def _is_scaled(self) -> bool:
        return self.scale != 1 or self.zero != 0

    @property
    def _offset_convention(self) -> np.dtype[Any] | None:
        """Return the unsigned (for 8 bits: signed) dtype that BZERO stands for, if it does.

        FITS standard, table 11.
        """
        if self.scale != 1 or self._blanks:
            return None
        stored = np.dtype(self.stored)
        if stored.kind == "u" and stored.itemsize == 1 and self.zero == -128:
            return np.dtype(np.int8)
        if stored.kind == "i" and self.zero == 1 << (8 * stored.itemsize - 1):
            return np.dtype(f"u{stored.itemsize}")
        return None

    def physical(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Turn stored values (of dtype `stored`, in either byte order) into physical ones, in an array of their own."""
        unsigned = self._offset_convention
        if unsigned is not None and self._is_scaled:
            # The conventions differ from the stored integers by their top bit alone.
            bits = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(f"u{stored.dtype.itemsize}")
            bits = bits ^ bits.dtype.type(1 << (8 * stored.dtype.itemsize - 1))
            return bits.view(unsigned)
        values = stored.astype(self.dtype)
        if self._is_scaled:
            values *= self.scale
            values += self.zero
        for blank in self._blanks:
            values[stored == blank] = np.nan
        return values
