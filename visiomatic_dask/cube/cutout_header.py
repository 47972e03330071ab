"""Headers of cut-outs: what a layer's header says of a part of it, at any level.

FITS standard 4.0 (2018), section 8; Papers I to IV; SIP after Shupe et al. (2005).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits

from visiomatic_dask.cube.axes import Axis
from visiomatic_dask.cube.cube import Layer

_LAYOUT = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|END|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|ZHECKSUM|"
    r"ZDATASUM|EXT(NAME|VER|LEVEL)|INHERIT|DATE|Z(IMAGE|SIMPLE|EXTEND|TENSION|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|BLANK)|"
    r"DATAM(IN|AX)|[A-Z]+SEC[A-Z]?|CCDSUM|[LADC]T[MV]\d+(_\d+)?"
)
"""Keywords of how the whole array is stored, of its extremes, or of places in its pixels."""
_TABLES = re.compile(r"(CPDIS|CQDIS|CPERR|CQERR|D2IMDIS|D2IMERR|DP|DQ|D2IM)\d.*|AXISCORR|D2IMARR")
_OF_AXIS = re.compile(r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME)(\d+)[A-Z]?|(CD|PC|PV|PS)(\d+)_\d+[A-Z]?")
_DESCRIBED = re.compile(r"(?:CTYPE|CRVAL|CRPIX|CDELT)(\d+)([A-Z]?)|CD(\d+)_\d+([A-Z]?)")
_SIP = re.compile(r"(A|B|AP|BP)_(\d+)_(\d+)")
_MATRIX = r"(?:{0}(\d+)_(\d+)([A-Z]?)|{0}(\d{{3}})(\d{{3}})())"
_TYPES = {"frequency": "FREQ", "wavelength": "WAVE", "velocity": "VELO", "energy": "ENER", "wavenumber": "WAVN"}
_COMMENTARY = ("COMMENT", "HISTORY")
_EVEN = 1e-6
"""Largest deviation of coordinates from even spacing, in pixels."""


@dataclass(frozen=True)
class Cut:
    """Which part of a layer is cut.

    Attributes
    ----------
    start, stop : tuple of int
        First index, and one past the last, of every axis in array order; of y (upwards) and x, too, in pixels of the
        level, y counted from the bottom of the level.
    level : int
        How many times y and x are binned.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    level: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))


def stored_type(dtype: np.dtype[Any], level: int) -> tuple[int, np.dtype[Any], int]:
    """Say how pixels are stored in FITS: BITPIX, their big-endian dtype, and BZERO.

    Levels are means, float32. Integers that FITS has none of are stored with the first bit inverted (section 5.2.5).
    """
    if level or dtype.kind == "f":
        size = 4 if level or dtype.itemsize <= 4 else 8
        return -8 * size, np.dtype(f">f{size}"), 0
    if dtype.kind not in "iub":
        raise TypeError(f"FITS has no pixels of {dtype}")
    size = dtype.itemsize
    if size == 1:
        return 8, np.dtype("u1"), -128 if dtype.kind == "i" else 0
    return 8 * size, np.dtype(f">i{size}"), 2 ** (8 * size - 1) if dtype.kind == "u" else 0


def cutout_header(layer: Layer, cut: Cut, history: Sequence[str]) -> fits.Header:
    """Write the header of a cut-out.

    Parameters
    ----------
    layer : Layer
        What it is cut from.
    cut : Cut
        Which part.
    history : sequence of str
        What is told of how it came about.
    """
    bitpix, _, zero = stored_type(layer.dtype, cut.level)
    header = fits.Header([("SIMPLE", True, "conforms to FITS standard"), ("BITPIX", bitpix), ("NAXIS", len(cut.shape))])
    for number, size in enumerate(reversed(cut.shape), 1):
        header[f"NAXIS{number}"] = size
    if zero:
        header["BSCALE"], header["BZERO"] = 1, zero
    original = fits.Header.fromstring(layer.header_text)
    notes = list(history)
    for key, value in _described(layer, cut, notes).items():
        _add(header, key, value, original)
    for keyword in _COMMENTARY:
        for text in original.get(keyword, ()):
            header.add_comment(text) if keyword == "COMMENT" else header.add_history(text)
    for note in notes:
        header.add_history(note)
    return header


def _described(layer: Layer, cut: Cut, notes: list[str]) -> dict[str, Any]:
    """Keywords of the layer, as they hold for the cut-out."""
    found = {key: value for key, value in layer.header.items() if not _LAYOUT.fullmatch(key)}
    tables = [key for key in found if _TABLES.fullmatch(key)]
    if tables:
        notes.append("The distortion by lookup tables is left out.")
    looked_up = {key[5] for key, value in found.items() if key.startswith("CTYPE") and "-TAB" in str(value)}
    notes += [f"The coordinates of axis {number} are in a table, and left out." for number in sorted(looked_up)]
    found = {key: value for key, value in found.items() if key not in tables and _axis(key) not in looked_up}
    _describe_others(layer.axes, found, looked_up, notes)
    if cut.level:
        _bin(found, cut.level)
    _shift(found, cut, layer.height)
    return found


def _axis(key: str) -> str:
    match = _OF_AXIS.fullmatch(key)
    return (match[2] or match[4]) if match else ""


def _describe_others(axes: Sequence[Axis], found: dict[str, Any], without: set[str], notes: list[str]) -> None:
    """Write the coordinates of axes before y and x that have some, though no keywords."""
    for number, axis in enumerate(reversed(axes), 1):
        if number < 3 or f"CTYPE{number}" in found or str(number) in without or axis.coordinates is None:
            continue
        values = np.asarray(axis.coordinates)
        step = float(values[-1] - values[0]) / max(1, axis.size - 1) or 1.0
        if np.abs(values - values[0] - step * np.arange(axis.size)).max() > _EVEN * abs(step):
            notes.append(f"The coordinates of axis {number} ({axis.name}) are not evenly spaced, and left out.")
            continue
        kind = "STOKES" if axis.kind == "stokes" else _TYPES.get(axis.name, axis.name.upper()[:8])
        keys = {"CTYPE": axis.ctype or kind, "CUNIT": axis.unit, "CRPIX": 1.0, "CRVAL": float(values[0]), "CDELT": step}
        found |= {f"{key}{number}": value for key, value in keys.items() if value != ""}


def _bin(found: dict[str, Any], level: int) -> None:
    """Scale what is in pixels along x and y; CRPIX comes after it."""
    factor = 2.0**level
    for suffix in {match[2] or match[4] or "" for key in found if (match := _DESCRIBED.fullmatch(key))}:
        _bin_matrix(found, suffix, factor)
    for key in [key for key in found if re.fullmatch("(A|B|AP|BP)_DMAX", key)]:
        found[key] = found[key] / factor
    for key, value in found.items():
        if match := _SIP.fullmatch(key):
            found[key] = value * factor ** (int(match[2]) + int(match[3]) - 1)


def _bin_matrix(found: dict[str, Any], suffix: str, factor: float) -> None:
    def entries(letters: str) -> dict[str, tuple[int, int]]:
        pattern = re.compile(_MATRIX.format(letters))
        pairs = ((key, pattern.fullmatch(key)) for key in found)
        return {key: (int(m[1] or m[4]), int(m[2] or m[5])) for key, m in pairs if m and (m[3] or m[6] or "") == suffix}

    linear = entries("CD")
    if not linear:
        linear = entries("PC")
        if not any(found[key] for key, (i, j) in linear.items() if (i < 3) != (j < 3)):
            for axis in (1, 2):
                found[f"CDELT{axis}{suffix}"] = found.get(f"CDELT{axis}{suffix}", 1.0) * factor
            return
        # x or y goes into the coordinate of another axis: its column is scaled, with a 1 on the diagonal by default.
        for axis in (1, 2):
            if (axis, axis) not in linear.values():
                found[f"PC{axis}_{axis}{suffix}"] = 1.0
        linear = entries("PC")
    for key, (_, j) in linear.items():
        if j < 3:
            found[key] = found[key] * factor


def _shift(found: dict[str, Any], cut: Cut, height: int) -> None:
    """Move the reference pixels of all descriptions, the alternate ones too, into the cut-out."""
    described = {match.groups() for key in found if (match := _DESCRIBED.fullmatch(key))}
    suffixes = {two or four or "" for _, two, _, four in described}
    for suffix in suffixes:
        for number, start in enumerate(reversed(cut.start), 1):
            key = f"CRPIX{number}{suffix}"
            at = float(found.get(key, 0.0))
            if number < 3 and cut.level:
                # Levels begin at the top: see `visiomatic_dask.cube.wcs_levels.binned`.
                factor = 2.0**-cut.level
                at = (at - 0.5) * factor + 0.5
                if number == 2:
                    at += math.ceil(height * factor) - height * factor
            found[key] = at - start


def _add(header: fits.Header, key: str, value: Any, original: Mapping[str, Any]) -> None:
    """Add a card, with the comment it had; one that astropy cannot write is left out."""
    comment = original.comments[key] if isinstance(original, fits.Header) and key in original else ""
    name = key if len(key) <= 8 and re.fullmatch("[A-Z0-9_-]+", key) else f"HIERARCH {key}"
    for one in (comment, ""):
        card = fits.Card(name, value, one)
        try:
            text = str(card)
        except ValueError:  # too long, or not of printable ASCII
            continue
        if len(text) == fits.Card.length or isinstance(value, str):
            header.append(card, end=True)
            return
