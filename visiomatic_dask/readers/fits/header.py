"""FITS headers: which HDUs a file has, where their data lie, what they are. Nothing of the data is read.

The layout is that of the FITS standard 4.0 (2018), sections 3 and 4: blocks of 2,880 bytes, headers of 80-character
cards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, BinaryIO

from astropy.io import fits

from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.fits.cards import CARD, COMMENTARY, Cards, json_value, read_cards
from visiomatic_dask.readers.fits.compressed_header import image_cards, is_compressed_image

BLOCK = 2880
BUFFER = 2 * BLOCK
"""What is best read at once where only headers are wanted: most fit, and little of the data comes with them."""
_LONGEST_HEADER = 8192 * BLOCK
"""Where the search for an END card ends (300,000 cards): astropy searches a file without one to its last byte."""
_LONGEST_READ = 256 * BLOCK


@dataclass(frozen=True)
class HDU:
    """One header and data unit.

    Attributes
    ----------
    index : int
        Position in the file, from 0.
    header : astropy.io.fits.Header
        Its header without the commentary; of a tile-compressed image, the header of the image.
    offset : int
        Byte at which its data start.
    size : int
        Bytes of its data, without padding.
    warnings : tuple of str
        What the header gets wrong.
    cards : Cards
        Its header with the commentary, as text, and its values.
    table : HDU or None
        The binary table that a tile-compressed image lies in.
    """

    index: int
    header: fits.Header
    offset: int
    size: int
    warnings: tuple[str, ...]
    cards: Cards = field(repr=False)
    table: HDU | None = None

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
        """Whether it holds an image of two to five axes that has pixels; axes of one pixel do not count beyond five."""
        kind = str(self.header.get("XTENSION", "IMAGE")).strip()
        plain = kind in ("IMAGE", "IUEIMAGE") and not self.is_random_groups
        return plain and len(self.shape) >= 2 and sum(n > 1 for n in self.shape) <= 5 and math.prod(self.shape) > 0

    @property
    def is_random_groups(self) -> bool:
        """Whether it holds random groups (UVFITS)."""
        return self.header.get("GROUPS") is True and self.header.get("NAXIS1") == 0


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
        try:
            hdu = _read_hdu(file, position, len(found))
        except (OSError, EOFError, ValueError, KeyError, TypeError, fits.VerifyError) as error:
            if not found:
                raise UnreadableCube(f"{name}: its FITS header cannot be read: {error}") from error
            if not _is_padding(file, position, end):
                last = found.pop()
                note = f"what follows HDU {last.index} is no FITS header and is left out"
                found.append(replace(last, warnings=(*last.warnings, note)))
            break
        found.append(hdu)
        position = hdu.offset + math.ceil(hdu.size / BLOCK) * BLOCK
    if not found:
        raise UnreadableCube(f"{name} is empty")
    return found


def json_header(header: fits.Header) -> dict[str, Any]:
    """Turn a header into keywords and values that JSON can hold; commentary and undefined values are left out."""
    pairs = ((card.keyword, json_value(card.value)) for card in header.cards if card.keyword not in COMMENTARY)
    return {keyword: value for keyword, value in pairs if value is not None}


def _read_hdu(file: BinaryIO, start: int, index: int) -> HDU:
    raw = _read_cards_until_end(file, start)
    cards = read_cards(raw)
    header = cards.header
    offset = start + math.ceil((len(raw) + CARD) / BLOCK) * BLOCK
    hdu = HDU(index, header, offset, _data_size(header), cards.warnings, cards)
    return _compressed_image(hdu) if is_compressed_image(cards) else hdu


def _compressed_image(table: HDU) -> HDU:
    """Take a table for the image in it, or tell why not."""
    try:
        cards = image_cards(table.cards)
    except ValueError as error:
        note = f"HDU {table.index} is no compressed image: {error}"
        return replace(table, warnings=(*table.warnings, note))
    return replace(table, header=cards.header, cards=cards, table=table)


def _read_cards_until_end(file: BinaryIO, start: int) -> bytes:
    """Read the cards before END, more at a time the longer it takes.

    Raises
    ------
    ValueError
        Unless a header starts here and ends within `_LONGEST_HEADER`.
    """
    file.seek(start)
    raw = bytearray(file.read(BLOCK))
    if not raw.startswith((b"SIMPLE  ", b"XTENSION")):
        raise ValueError("it starts neither with SIMPLE nor with XTENSION")
    searched = 0
    while (end := _find_end(raw, searched)) is None:
        searched = len(raw)
        more = file.read(min(searched, _LONGEST_READ))
        if not more or searched > _LONGEST_HEADER:
            raise ValueError("it has no END card")
        raw += more
    return bytes(raw[:end])


def _find_end(raw: bytearray, start: int) -> int | None:
    """Position of the END card, searched for from a card on."""
    position = raw.find(b"END", start)
    while position >= 0:
        if position % CARD == 0 and not raw[position + 3 : position + 8].strip(b" \0"):
            return position
        position = raw.find(b"END", position + 1)
    return None


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
