"""Tile-compressed FITS files: written by astropy, or taken apart and put together anew where astropy writes no such."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from tests.readers.fits.fits_files import padded


@dataclass(frozen=True)
class CompressedCase:
    """One row of the table: how an image is compressed.

    `cards` are put into the header of the table after it has been written, so that BSCALE and BLANK mean what is there.
    """

    id: str
    dtype: str
    shape: tuple[int, ...] = (37, 53)
    tile: tuple[int, ...] | None = None
    algorithm: str = "RICE_1"
    options: dict[str, Any] = field(default_factory=dict)
    cards: dict[str, Any] = field(default_factory=dict)
    change: Callable[[Table], Table] | None = None

    @property
    def pixels(self) -> NDArray[Any]:
        random = np.random.default_rng(sum(map(ord, self.id)))
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            values = random.normal(100, 20, self.shape).astype(dtype)
            if self.algorithm != "HCOMPRESS_1":
                values.reshape(-1)[5:60:3] = np.nan
            values.reshape(-1)[61:90:2] = 0
            values[..., -2:, :] = 7 if self.algorithm != "HCOMPRESS_1" else values[..., -2:, :]  # no noise to quantise
            return values
        low, high = (0, 200) if self.algorithm == "PLIO_1" else (np.iinfo(dtype).min // 3, np.iinfo(dtype).max // 3)
        values = random.integers(low, high, self.shape, dtype)
        values.reshape(-1)[3:50:4] = 77
        return values

    def write(self, path: Path) -> None:
        """Write the file; the image is HDU 1."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = fits.CompImageHDU(
                self.pixels, compression_type=self.algorithm, tile_shape=self.tile, name="SCI", **self.options
            )
            buffer = io.BytesIO()
            fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer)
        table = Table.read(buffer.getvalue())
        table.header.update(self.cards)
        (self.change(table) if self.change else table).write(path)


@dataclass(frozen=True)
class Table:
    """The table of a compressed image, taken apart: columns of bytes, (rows, width), by name; and the heap."""

    header: fits.Header
    columns: dict[str, tuple[str, NDArray[np.uint8]]]
    heap: bytes

    @classmethod
    def read(cls, content: bytes) -> Table:
        with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
            header = hdus[1].header.copy()
            start = hdus[1].fileinfo()["datLoc"]
        rows, width = header["NAXIS2"], header["NAXIS1"]
        heap = start + rows * width
        whole = np.frombuffer(content[start:heap], np.uint8).reshape(rows, width)
        columns: dict[str, tuple[str, NDArray[np.uint8]]] = {}
        position = 0
        for i in range(1, header["TFIELDS"] + 1):
            form = header[f"TFORM{i}"]
            size = 8 if "P" in form else 16 if "Q" in form else {"D": 8, "E": 4, "J": 4}[form.strip("1")]
            columns[header[f"TTYPE{i}"]] = form, whole[:, position : position + size]
            position += size
        return cls(header, columns, content[heap : heap + header["PCOUNT"]])

    def column(self, name: str, dtype: str) -> NDArray[Any]:
        """A column as numbers, (rows, numbers)."""
        return np.ascontiguousarray(self.columns[name][1]).view(dtype)

    def having(self, **columns: tuple[str, NDArray[Any]] | None) -> Table:
        """Replace columns, add them, or (None) leave them out."""
        kept = dict(self.columns)
        for name, column in columns.items():
            kept.pop(name, None)
            if column is not None:
                form, values = column
                rows = values.shape[0]
                kept[name] = form, np.ascontiguousarray(values).view(np.uint8).reshape(rows, -1)
        return replace(self, columns=kept)

    def write(self, path: Path, gap: int = 0) -> None:
        """Write the file, with so many bytes between the rows and the heap."""
        header = self.header.copy()
        for key in [key for key in header if key.startswith(("TTYPE", "TFORM"))]:
            del header[key]
        whole = np.concatenate([values for _, values in self.columns.values()], axis=1)
        header["NAXIS1"], header["TFIELDS"], header["PCOUNT"] = whole.shape[1], len(self.columns), gap + len(self.heap)
        if gap:
            header["THEAP"] = whole.size + gap
        for i, (name, (form, _)) in enumerate(self.columns.items(), 1):
            header[f"TTYPE{i}"], header[f"TFORM{i}"] = name, form
        text = header.tostring().encode()
        path.write_bytes(fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0)]).tostring().encode() + text)
        with path.open("ab") as file:
            file.write(padded(whole.tobytes() + b"\xaa" * gap + self.heap))


def with_wide_descriptors(table: Table) -> Table:
    """Descriptors of 64 bits."""
    wide = {
        name: (form.replace("P", "Q"), table.column(name, ">i4").astype(">i8"))
        for name, (form, _) in table.columns.items()
        if "P" in form
    }
    return table.having(**wide)


def with_null_column(table: Table) -> Table:
    """ZBLANK as a column, and another in every tile: the integer that stands for a missing value is 77 or 78."""
    nulls = np.full((len(table.columns["COMPRESSED_DATA"][1]), 1), 77, ">i4")
    nulls[1::2] = 78
    return table.having(ZBLANK=("1J", nulls))


def with_blank_floats(table: Table) -> Table:
    """ZBLANK as a column, not as a keyword."""
    blank = table.header["ZBLANK"]
    del table.header["ZBLANK"]
    return table.having(ZBLANK=("1J", np.full((len(table.columns["COMPRESSED_DATA"][1]), 1), blank, ">i4")))


def with_image_blank(table: Table) -> Table:
    """BLANK in place of ZBLANK: it is of the integers that the floats were quantised to."""
    table.header["BLANK"] = table.header.pop("ZBLANK")
    return table


def unpacked_rows(table: Table) -> Table:
    """Every other tile is not compressed at all, but a row of UNCOMPRESSED_DATA."""
    packed = table.column("COMPRESSED_DATA", ">i4").copy()
    plain = np.zeros_like(packed)
    heap = table.heap
    width = table.header["ZNAXIS1"]
    for row in (row for row in range(len(packed)) if row % 2 == 0 or packed[row, 0] == 0):
        plain[row] = width, len(heap)
        heap += np.linspace(row, row + 1, width).astype(">f4").tobytes()
        packed[row] = 0
    form = table.columns["COMPRESSED_DATA"][0]
    columns = {"COMPRESSED_DATA": (form, packed), "UNCOMPRESSED_DATA": ("1PE", plain), "GZIP_COMPRESSED_DATA": None}
    return replace(table, heap=heap).having(**columns)


def backwards(table: Table) -> Table:
    """The tiles lie in the heap in the reverse order."""
    packed = table.column("COMPRESSED_DATA", ">i4").copy()
    pieces = [table.heap[offset : offset + size] for size, offset in packed]
    heap = b""
    for row in range(len(packed) - 1, -1, -1):
        packed[row] = len(pieces[row]), len(heap)
        heap += pieces[row]
    return replace(table, heap=heap).having(COMPRESSED_DATA=(table.columns["COMPRESSED_DATA"][0], packed))


def _table() -> Sequence[CompressedCase]:
    def case(id_: str, dtype: str, **options: Any) -> CompressedCase:
        return CompressedCase(id_, dtype, **options)

    every = ("u1", "i1", "i2", "u2", "i4", "u4")
    whole = [case(f"{one} {dtype}", dtype, algorithm=one) for one in ("RICE_1", "GZIP_2") for dtype in every]
    whole += [
        case(f"{one} {dtype}", dtype, algorithm=one) for one in ("GZIP_1", "NOCOMPRESS") for dtype in ("u1", "i2")
    ]
    whole += [case(f"{one} {dtype}", dtype, algorithm=one) for one in ("GZIP_1", "GZIP_2") for dtype in ("i8", "u8")]
    whole += [case(f"PLIO_1 {dtype}", dtype, algorithm="PLIO_1", tile=(10, 20)) for dtype in ("u1", "i2", "i4")]
    whole += [case(f"HCOMPRESS_1 {dtype}", dtype, algorithm="HCOMPRESS_1", tile=(16, 20)) for dtype in ("i2", "i4")]
    plain = [
        case(f"{one} {dtype} lossless", dtype, algorithm=one, options={"quantize_level": 0})
        for one in ("GZIP_1", "GZIP_2", "NOCOMPRESS")
        for dtype in ("f4", "f8")
    ]
    floats = [
        case(f"{one} {dtype} dithered by {method}", dtype, algorithm=one, tile=tile, options=options)
        for one, tile in (("RICE_1", None), ("GZIP_2", (10, 20)), ("HCOMPRESS_1", (16, 20)))
        for dtype in ("f4", "f8")
        for method in (-1, 1, 2)
        for options in [{"quantize_method": method, "dither_seed": 9990}]
        if one == "RICE_1" or dtype == "f4"
    ]
    dither = {"quantize_method": 1, "dither_seed": 42}
    shapes = [
        case("tiles that do not divide the axes", "i2", tile=(10, 20)),
        case("one tile", "f4", tile=(37, 53), options=dither),
        case("three axes", "f4", shape=(5, 17, 23), tile=(2, 8, 10), options=dither),
        case("three axes, whole rows", "i4", shape=(3, 17, 23)),
        case("four axes", "f4", shape=(2, 3, 19, 11), tile=(1, 2, 4, 11), options=dither),
        case("five axes", "u2", shape=(2, 1, 3, 5, 7), tile=(1, 1, 2, 5, 3)),
        case("planes by HCOMPRESS", "i2", shape=(3, 12, 14), tile=(1, 12, 14), algorithm="HCOMPRESS_1"),
        case("smoothed", "f4", tile=(16, 20), algorithm="HCOMPRESS_1", options={"hcomp_scale": 3, "hcomp_smooth": 1}),
    ]
    special = [
        case("scaled", "i2", cards={"BSCALE": 0.3, "BZERO": -3.5}),
        case("scaled floats", "f4", cards={"BSCALE": 2.0, "BZERO": 1.0}, options=dither),
        case("BLANK", "i2", cards={"BLANK": 77}),
        case("scaled BLANK", "i4", cards={"BSCALE": 0.3, "BLANK": 77}),
        case("ZBLANK of integers", "i2", cards={"ZBLANK": 77}),
        case("ZBLANK column of integers", "i2", cards={"BLANK": -5}, change=with_null_column),
        case("ZBLANK column of floats", "f4", options=dither, change=with_blank_floats),
        case("BLANK of floats", "f4", options=dither, change=with_image_blank),
        case("wide descriptors", "f4", options=dither, change=with_wide_descriptors),
        case("rows that are not compressed", "f4", options=dither, change=unpacked_rows),
        case("heap backwards", "i2", tile=(10, 20), change=backwards),
    ]
    return [*whole, *plain, *floats, *shapes, *special]


CASES = _table()


def tiles_of(shape: Sequence[int], tile: Sequence[int]) -> int:
    return math.prod(-(-size // one) for size, one in zip(shape, tile, strict=True))
