"""ENVI: a raw array, and a text beside it that says how it is laid out (NV5, ENVI Header Files)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Cube, SourceFile
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.labelled import Dim, labelled_layer
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.raw.envi_header import ENVIHeader, read_header
from visiomatic_dask.readers.raw.paired_file import PairedFile
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling

_MOST_HEADER = 16 * 2**20
_STORED = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = (6, 9)
_LEAST_NANOMETERS = 100
_LAYOUTS = {"bsq": ("band", "y", "x"), "bil": ("y", "band", "x"), "bip": ("y", "x", "band")}
_UNITS = {"nanometers": "nm", "micrometers": "um", "millimeters": "mm", "centimeters": "cm", "meters": "m"} | {
    "wavenumber": "cm-1",
    "angstroms": "Angstrom",
    "ghz": "GHz",
    "mhz": "MHz",
}


class ENVIFormat:
    """The ENVI entry of the registry."""

    name = "ENVI"
    description = "ENVI images with their .hdr beside them (BSQ, BIL and BIP)"

    def matches(self, place: Place) -> bool:
        """Whether an ENVI header lies beside it."""
        return not place.is_remote and not place.is_folder and _header_of(place.path) is not None

    def open(self, place: Place, name: str) -> Cube:
        """Open an ENVI file from its header alone.

        Raises
        ------
        UnsupportedFormat
            If it holds complex numbers or is compressed.
        UnreadableCube
            If the header says too little, or more than the file holds.
        """
        path = _header_of(place.path)
        if path is None:
            raise UnreadableCube(f"{name}: its ENVI header is gone")
        source = PairedFile(SourceFile.of(place.path), SourceFile.of(path))
        if source.companion.size > _MOST_HEADER:
            raise UnreadableCube(
                f"{name}: its ENVI header has {source.companion.size:,} bytes, far too many for a text"
            )
        header = read_header(path.read_text("utf-8", errors="replace"), name)
        layout = _Layout.of(header, name)
        end = layout.offset + math.prod(layout.shape) * np.dtype(layout.stored).itemsize
        if end > source.size:
            raise UnreadableCube(f"{name} is truncated: it needs {end:,} bytes, but ends at {source.size:,}")
        scaling = Scaling(layout.stored, blank=layout.ignored)
        reader = RawReader(source, layout.offset, layout.shape, scaling)
        description = " ".join(header.get("description", "").split())
        layer = labelled_layer(
            "image",
            reader,
            layout.dims,
            attributes={"DESCR": description, "SENSOR": header.get("sensor type", "")},
            y_down=True,
            warnings=layout.notes,
        )
        return Cube(name, self.name, source, (layer,))


def data_file_of(path: Path) -> Path | None:
    """Return the data file that an ENVI header describes, by its name; None where there is none."""
    names = (path.with_suffix(""), *(path.with_suffix(s) for s in (".img", ".dat", ".bsq", ".bil", ".bip", ".raw")))
    return next((one for one in names if one != path and one.is_file()), None)


def _header_of(path: Path) -> Path | None:
    """Header beside a data file: ``cube.hdr`` or ``cube.img.hdr`` for ``cube.img``."""
    if path.suffix.lower() == ".hdr":
        return None
    for one in (path.with_name(path.name + ".hdr"), path.with_suffix(".hdr")):
        try:
            if not one.is_file() or one.resolve().parent != path.parent:  # a pipe, or a link to somewhere else
                continue
            with one.open("rb") as file:
                if file.read(4) == b"ENVI":
                    return one
        except OSError:  # there is none, or it may not be read: not an ENVI file for us
            continue
    return None


@dataclass(frozen=True)
class _Layout:
    """How the array lies in the file."""

    stored: str
    offset: int
    shape: tuple[int, ...]
    dims: tuple[Dim, ...]
    ignored: float | None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, header: ENVIHeader, name: str) -> _Layout:
        columns, rows, bands = (header.integer(key) for key in ("samples", "lines", "bands"))
        kind, order = header.integer("data type"), header.integer("byte order", 0)
        interleave = header.get("interleave", "bsq").lower()
        if kind in _COMPLEX:
            raise UnsupportedFormat(f"{name}: it holds complex numbers (data type {kind}), which cannot be shown")
        if header.integer("file compression", 0):
            raise UnsupportedFormat(f"{name}: it is compressed (file compression = 1); write it without")
        if kind not in _STORED or order not in (0, 1) or interleave not in _LAYOUTS or min(columns, rows, bands) < 1:
            raise UnreadableCube(
                f"{name}: data type {kind}, byte order {order}, interleave {interleave}, {columns} samples, {rows} "
                f"lines, {bands} bands; allowed: {', '.join(map(str, _STORED))}; 0, 1; {', '.join(_LAYOUTS)}; 1 or more"
            )
        notes: list[str] = []
        x, y = _map_coordinates(header, columns, rows, notes)
        made = {"x": x, "y": y, "band": _band_dim(header, bands, notes)}
        dims = tuple(made[one] for one in _LAYOUTS[interleave] if one != "band" or bands > 1)
        stored = _STORED[kind] if kind == 1 else "<>"[order] + _STORED[kind]
        ignored = header.number("data ignore value")
        shape = tuple(dim.size for dim in dims)
        return cls(stored, header.integer("header offset", 0), shape, dims, ignored, notes)


def _band_dim(header: ENVIHeader, bands: int, notes: list[str]) -> Dim:
    wavelengths = header.numbers("wavelength")
    unit = header.get("wavelength units", "").strip().lower()
    if wavelengths is None:
        return Dim("band", bands)
    if len(wavelengths) != bands:
        notes.append(f"{len(wavelengths)} wavelengths are given for {bands} bands: they are left out")
        return Dim("band", bands)
    if unit in ("", "unknown") and min(wavelengths) > 0:
        # Sensors see from 0.2 to 20 µm, so the numbers themselves say which of the two usual units they are in.
        unit = "nanometers" if min(wavelengths) > _LEAST_NANOMETERS else "micrometers"
        notes.append(f"no unit is given for the wavelengths {wavelengths[0]:g} …: they are taken for {unit}")
    return Dim("wavelength", bands, np.asarray(wavelengths), _UNITS.get(unit, ""))


def _map_coordinates(header: ENVIHeader, columns: int, rows: int, notes: list[str]) -> tuple[Dim, Dim]:
    """Coordinates of pixel centres by ``map info``: projection, reference pixel, its coordinates, sizes of a pixel.

    The reference pixel is counted from 1, and 1.0 is the upper left corner of the first.
    """
    plain = Dim("x", columns), Dim("y", rows)
    words = header.words("map info")
    if words is None:
        return plain
    try:
        x_pixel, y_pixel, east, north, width, height = (float(word) for word in words[1:7])
    except ValueError:
        notes.append("map info cannot be read: allowed are a projection and six numbers after it")
        return plain
    options = dict(word.split("=", 1) for word in words[7:] if "=" in word)
    if any(float(value) for key, value in options.items() if key.strip().lower() == "rotation"):
        notes.append("map info has a rotation: its coordinates are left out")
        return plain

    def along(reference: float, pixel: float, step: float, count: int) -> NDArray[np.float64]:
        return np.asarray(reference + (np.arange(count) + 1.5 - pixel) * step, np.float64)

    geographic = words[0].strip().lower().startswith("geographic")
    names, units = (("lon", "lat"), ("degrees_east", "degrees_north")) if geographic else (("x", "y"), ("m", "m"))
    return (
        Dim(names[0], columns, along(east, x_pixel, width, columns), units[0]),
        Dim(names[1], rows, along(north, y_pixel, -height, rows), units[1]),
    )
