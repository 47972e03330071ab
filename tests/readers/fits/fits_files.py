"""FITS files written byte by byte, so that no library has its say in what stands in them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

BLOCK = 2880
STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
Cards = Mapping[str, Any]


def header_bytes(cards: Cards) -> bytes:
    """A header, padded to a block."""
    return fits.Header([*cards.items()]).tostring().encode("ascii")


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def image_cards(shape: Sequence[int], bitpix: int, cards: Cards, *, extension: bool = False) -> Cards:
    first: dict[str, Any] = {"XTENSION": "IMAGE"} if extension else {"SIMPLE": True}
    axes = {f"NAXIS{i}": size for i, size in enumerate(reversed(shape), 1)}
    groups = {"PCOUNT": 0, "GCOUNT": 1} if extension else {"EXTEND": True}
    return first | {"BITPIX": bitpix, "NAXIS": len(shape)} | axes | groups | dict(cards)


def image(stored: NDArray[Any], bitpix: int, cards: Cards, *, extension: bool = False) -> bytes:
    """An HDU of stored values."""
    head = header_bytes(image_cards(stored.shape, bitpix, cards, extension=extension))
    return head + padded(stored.astype(STORED[bitpix]).tobytes())


def empty_primary() -> bytes:
    return header_bytes({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True})


def table() -> bytes:
    """A binary table with a variable-length column: its heap is counted by PCOUNT."""
    rows = np.array([np.arange(3), np.arange(500)], dtype=object)
    columns = [fits.Column("x", "D", array=[1.0, 2.0]), fits.Column("many", "PJ()", array=rows)]
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="ROWS")]).writeto(buffer)
    return buffer.getvalue()[BLOCK:]


Place = Literal["primary", "extension", "after a table", "named"]


@dataclass(frozen=True)
class FITSCase:
    """One row of the table: what one layer of a file is."""

    id: str
    bitpix: int
    shape: tuple[int, ...] = (5, 7)
    cards: Cards = field(default_factory=dict)
    place: Place = "primary"

    @property
    def stored(self) -> NDArray[Any]:
        """Stored values: the extremes, BLANK, NaN and infinities among them."""
        random = np.random.default_rng(sum(map(ord, self.id)))
        dtype = np.dtype(STORED[self.bitpix]).newbyteorder("=")
        special: list[float]
        if dtype.kind == "f":
            values = random.normal(0, 100, self.shape).astype(dtype)
            special = [np.nan, np.inf, -np.inf, 0.0]
        else:
            limits = np.iinfo(dtype)
            values = random.integers(limits.min, limits.max, self.shape, dtype=dtype, endpoint=True)
            blank = max(int(self.cards.get("BLANK", 0)), int(limits.min))
            special = [limits.max, limits.min, blank, blank, 0, 1]
        flat = values.reshape(-1)
        if flat.size >= 30:
            flat[5 : 5 + 2 * len(special) : 2] = special
        return values

    @property
    def layer(self) -> str:
        return {"primary": "PRIMARY", "extension": "1", "after a table": "2", "named": "SCI,3"}[self.place]

    def write(self, path: Path) -> int:
        """Write the file; return the index of the HDU."""
        extension = self.place != "primary"
        cards = dict(self.cards) | ({"EXTNAME": "SCI", "EXTVER": 3} if self.place == "named" else {})
        ours = image(self.stored, self.bitpix, cards, extension=extension)
        before = [empty_primary()] * extension + [table()] * (self.place == "after a table")
        path.write_bytes(b"".join([*before, ours]))
        return len(before)


def _table() -> list[FITSCase]:
    plain = [FITSCase(f"BITPIX {bitpix}", bitpix) for bitpix in STORED]
    scaled = [FITSCase(f"BITPIX {bitpix}, scaled", bitpix, cards={"BSCALE": 0.3, "BZERO": -3.5}) for bitpix in STORED]
    offset = [FITSCase(f"BITPIX {bitpix}, offset", bitpix, cards={"BZERO": 1000.0}) for bitpix in STORED]
    blanks = {8: 255, 16: -32768, 32: 7, 64: -(2**63)}
    blank = [FITSCase(f"BITPIX {bitpix}, BLANK", bitpix, cards={"BLANK": one}) for bitpix, one in blanks.items()]
    both = [
        FITSCase(f"BITPIX {bitpix}, scaled, BLANK", bitpix, cards={"BSCALE": 2.0, "BZERO": 0.5, "BLANK": one})
        for bitpix, one in blanks.items()
    ]
    unsigned = [
        FITSCase(f"unsigned {bitpix}", bitpix, cards={"BSCALE": 1, "BZERO": 2 ** (bitpix - 1)})
        for bitpix in (16, 32, 64)
    ]
    shapes = [(1, 1), (1, 9), (9, 1), (3, 4, 5), (2, 3, 4, 5), (2, 1, 3, 4, 5), (1, 6, 1, 7), (1, 1, 1, 1, 1)]
    return [
        *plain,
        *scaled,
        *offset,
        *blank,
        *both,
        *unsigned,
        FITSCase("signed bytes", 8, cards={"BSCALE": 1, "BZERO": -128}),
        FITSCase("unsigned 16 with BLANK", 16, cards={"BZERO": 32768, "BLANK": -32768}),
        *(FITSCase(f"BITPIX {bitpix}, BLANK 0", bitpix, cards={"BLANK": 0}) for bitpix in blanks),
        FITSCase("BLANK that no pixel can have", 8, cards={"BLANK": -1}),
        *(FITSCase(f"shape {shape}", -32, shape) for shape in shapes),
        FITSCase("shape (4, 3, 70, 300)", 16, (4, 3, 70, 300)),
        FITSCase("extension", 16, (3, 5, 7), place="extension"),
        FITSCase("extension after a table", -64, (3, 5, 7), place="after a table"),
        FITSCase("extension with name and version", 32, place="named"),
    ]


CASES = _table()
