"""FITS headers: which HDUs a file has, where their data lie, what they are. Nothing of the data is read.

The layout is that of the FITS standard 4.0 (2018), sections 3 and 4: blocks of 2,880 bytes, headers of 80-character
cards.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

from astropy.io import fits

from visiomatic_dask.errors import UnreadableCube

BLOCK = 2880
_CARD = 80
_LONGEST_HEADER = 8192 * BLOCK
"""Where the search for an END card ends (300,000 cards): astropy searches a file without one to its last byte."""
_HEADER_KEYWORDS_LEFT_OUT = ("COMMENT", "HISTORY", "")


@dataclass(frozen=True)
class HDU:
    """One header and data unit.

    Attributes
    ----------
    index : int
        Position in the file, from 0.
    header : astropy.io.fits.Header
        Its header.
    offset : int
        Byte at which its data start.
    size : int
        Bytes of its data, without padding.
    warnings : tuple of str
        What the header gets wrong.
    """

    index: int
    header: fits.Header
    offset: int
    size: int
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """EXTNAME (with EXTVER where that is not 1), else PRIMARY or the number of the HDU."""
        name = str(self.header.get("EXTNAME", "")).strip()
        if not name:
            return "PRIMARY" if self.index == 0 else str(self.index)
        version = self.header.get("EXTVER", 1)
        return name if version == 1 else f"{name},{version}"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data array: NAXISn … NAXIS1."""
        return tuple(int(self.header[f"NAXIS{i}"]) for i in range(int(self.header.get("NAXIS", 0)), 0, -1))

    @property
    def is_image(self) -> bool:
        """Whether it holds an uncompressed image of two to five axes that has pixels.

        Axes of one pixel do not count beyond five.
        """
        kind = str(self.header.get("XTENSION", "IMAGE")).strip()
        plain = kind in ("IMAGE", "IUEIMAGE") and not self.is_random_groups
        return plain and len(self.shape) >= 2 and sum(n > 1 for n in self.shape) <= 5 and math.prod(self.shape) > 0

    @property
    def is_random_groups(self) -> bool:
        """Whether it holds random groups (UVFITS)."""
        return self.header.get("GROUPS") is True and self.header.get("NAXIS1") == 0

    @property
    def is_compressed_image(self) -> bool:
        """Whether it holds a tile-compressed image."""
        return self.header.get("ZIMAGE") is True


def read_hdus(file: BinaryIO, end: int, name: str) -> list[HDU]:
    """Read all headers of a FITS file, seeking over the data.

    Parameters
    ----------
    file : binary file
        Open for reading.
    end : int
        Its size in bytes.
    name : str
        What messages call it.

    Raises
    ------
    UnreadableCube
        If the first header cannot be read. A later one that cannot ends the list, with a warning on the HDU before it.
    """
    found: list[HDU] = []
    position = 0
    while position < end:
        file.seek(position)
        try:
            header, complaints = _read_header(file)
            size = _data_size(header)
        except (OSError, EOFError, ValueError, KeyError, TypeError, fits.VerifyError) as error:
            if not found:
                raise UnreadableCube(f"{name}: its FITS header cannot be read: {error}") from error
            if not _is_padding(file, position, end):
                last = found.pop()
                note = f"what follows HDU {last.index} is no FITS header and is left out"
                found.append(HDU(last.index, last.header, last.offset, last.size, (*last.warnings, note)))
            break
        offset = file.tell()
        found.append(HDU(len(found), header, offset, size, complaints))
        position = offset + math.ceil(size / BLOCK) * BLOCK
    if not found:
        raise UnreadableCube(f"{name} is empty")
    return found


def json_header(header: fits.Header) -> dict[str, Any]:
    """Turn a header into keywords and values that JSON can hold; commentary and undefined values are left out."""
    values: dict[str, Any] = {}
    for card in header.cards:
        value = card.value
        if card.keyword in _HEADER_KEYWORDS_LEFT_OUT or isinstance(value, fits.card.Undefined):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        values[card.keyword] = value if isinstance(value, bool | int | float | str) else str(value)
    return values


def _read_header(file: Any) -> tuple[fits.Header, tuple[str, ...]]:
    _check_ends(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header = fits.Header.fromfile(file, padding=False)
        for card in header.cards:
            card.verify("silentfix")
    return header, tuple(" ".join(str(one.message).split()) for one in caught)


def _check_ends(file: Any) -> None:
    """Raise `ValueError` unless a header starts here and ends within `_LONGEST_HEADER`; leave the file where it is."""
    start = file.tell()
    block = file.read(BLOCK)
    if block[:8] not in (b"SIMPLE  ", b"XTENSION"):
        raise ValueError("it starts neither with SIMPLE nor with XTENSION")
    while not any(
        block[i : i + 3] == b"END" and not block[i + 3 : i + 8].strip(b" \0") for i in range(0, len(block), _CARD)
    ):
        block = file.read(BLOCK)
        if not block or file.tell() - start > _LONGEST_HEADER:
            raise ValueError("it has no END card")
    file.seek(start)


def _data_size(header: fits.Header) -> int:
    """Bytes of data that a header announces (FITS standard, equations 1, 2 and 4)."""
    naxis = int(header["NAXIS"])
    if naxis == 0:
        return 0
    sizes = [int(header[f"NAXIS{i}"]) for i in range(1, naxis + 1)]
    if min(sizes) < 0:
        raise ValueError("an axis has a negative size")
    if header.get("GROUPS") is True and sizes[0] == 0:
        sizes = sizes[1:]
    elements = int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + math.prod(sizes))
    return abs(int(header["BITPIX"])) // 8 * elements


def _is_padding(file: Any, start: int, end: int) -> bool:
    """Whether the rest of the file is nothing but zeros or blanks (at most one look of 1 MiB)."""
    file.seek(start)
    return not file.read(min(end - start, 2**20)).strip(b"\0 ")
