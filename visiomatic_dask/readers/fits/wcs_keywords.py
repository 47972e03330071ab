"""World coordinates as FITS keywords, in other pixels than they were written for: axes in another order, another frame.

Keywords are those of the FITS standard 4.0 (2018), table 22, and the older forms of Papers I to IV.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from astropy.io import fits

from visiomatic_dask.cube import cd_matrix

_OF_AXIS = r"NAXIS|WCSAX|CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER|CZPHS|CPERI|CPDIS|CQDIS"
_NUMBERED = re.compile(rf"({_OF_AXIS})(\d+)([A-Z]?)")
_MATRIX = re.compile(r"(CD|PC)(\d+)_(\d+)([A-Z]?)")
_OLD_MATRIX = re.compile(r"(CD|PC)(\d{3})(\d{3})()")
_PARAMETER = re.compile(r"(PV|PS)(\d+)_(\d+[A-Z]?)")
_SIP = re.compile(r"(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)")
_TABLE = re.compile(r"(CPDIS|CQDIS|CPERR|CQERR|D2IMDIS|D2IMERR|DP|DQ|D2IM)\d+.*|AXISCORR|D2IMARR")
_OF_WHOLE = re.compile(
    r"WCSAXES|WCSNAME|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|SPECSYS|SSYS(OBS|SRC)|REST(FRQ|FREQ|WAV)|VELREF"
)


def renumbered(header: fits.Header, axes: Sequence[int]) -> fits.Header:
    """Write a header for an image whose axes are in another order.

    Parameters
    ----------
    header : astropy.io.fits.Header
        As it stands in the file.
    axes : sequence of int
        The FITS axis (from 1) that each axis of the new order is, NAXIS1 first.
    """
    number = {old: new for new, old in enumerate(axes, 1)}

    def moved(axis: str) -> str:
        return str(number.get(int(axis), int(axis))).zfill(len(axis) if axis.startswith("0") else 0)

    found = fits.Header()
    for card in header.cards:
        keyword = card.keyword
        if match := _NUMBERED.fullmatch(keyword) or _PARAMETER.fullmatch(keyword):
            separator = "_" if keyword[:2] in ("PV", "PS") else ""
            keyword = f"{match[1]}{moved(match[2])}{separator}{match[3]}"
        elif match := _MATRIX.fullmatch(keyword):
            keyword = f"{match[1]}{moved(match[2])}_{moved(match[3])}{match[4]}"
        elif match := _OLD_MATRIX.fullmatch(keyword):
            keyword = f"{match[1]}{moved(match[2])}{moved(match[3])}"
        found.append(card if keyword == card.keyword else fits.Card(keyword, card.value, card.comment), end=True)
    return found


def is_wcs(keyword: str) -> bool:
    """Whether a keyword belongs to world coordinates, primary or alternate; NAXISn does not."""
    if keyword.startswith("NAXIS"):
        return False
    patterns = (_NUMBERED, _MATRIX, _OLD_MATRIX, _PARAMETER, _SIP, _TABLE, _OF_WHOLE)
    return any(pattern.fullmatch(keyword) for pattern in patterns) or bool(_OF_WHOLE.fullmatch(keyword[:-1]))


def moved_wcs(
    header: Mapping[str, Any], x: tuple[float, float], y: tuple[float, float]
) -> tuple[dict[str, Any], list[str]]:
    """Write the primary WCS of a header for a frame in which its image lies.

    Parameters
    ----------
    header : mapping
        FITS keywords of the image.
    x, y : (float, float)
        Scale and shift: a pixel coordinate p of the image is scale × p + shift in the frame.

    Returns
    -------
    (keywords, warnings)
        CRPIX1/2 are moved; CDi_j, or PCi_j, are divided by the scale along j (Paper I, equation 1). Distortions in
        intermediate coordinates (TPV, ZPN: PVi_m) stay as they are; those in pixels (SIP, tables) only if the scale is
        1 along both axes.
    """
    found = {key: value for key, value in header.items() if is_wcs(key) and not _is_alternate(key)}
    for axis, (scale, shift) in enumerate((x, y), 1):
        found[f"CRPIX{axis}"] = scale * _number(header, f"CRPIX{axis}", 0.0) + shift
    scales = {"1": x[0], "2": y[0]}
    if set(scales.values()) == {1.0}:
        return found, []
    if not any(_MATRIX.fullmatch(key) and key.startswith("CD") for key in found):
        # Rotations, older forms, and none at all, as the one form that goes with CDELT.
        matrix = cd_matrix(dict(header))
        found = {key: value for key, value in found.items() if not key.startswith("CROTA")}
        found = {key: value for key, value in found.items() if not _OLD_MATRIX.fullmatch(key)}
        for i in (1, 2):
            delta = _number(header, f"CDELT{i}", 1.0) or 1.0
            found |= {f"PC{i}_{j}": matrix[f"CD{i}_{j}"] / delta for j in (1, 2)}
    for key, value in found.items():
        match = _MATRIX.fullmatch(key)
        if match and match[3] in scales and isinstance(value, int | float):
            found[key] = value / scales[match[3]]
    lost = [key for key in found if _SIP.fullmatch(key) or _TABLE.fullmatch(key)]
    if not lost:
        return found, []
    kept = {
        key: value.removesuffix("-SIP") if key.startswith("CTYPE") and isinstance(value, str) else value
        for key, value in found.items()
        if key not in lost
    }
    return kept, ["the distortion of its WCS is left out: it is in the pixels of an image that is flipped or binned"]


def _is_alternate(key: str) -> bool:
    match = _NUMBERED.fullmatch(key) or _MATRIX.fullmatch(key)
    if match:
        return bool(match[match.lastindex or 0])
    if _PARAMETER.fullmatch(key):
        return key[-1].isalpha()
    return not (_OF_WHOLE.fullmatch(key) or _OLD_MATRIX.fullmatch(key) or _SIP.fullmatch(key) or _TABLE.fullmatch(key))


def _number(header: Mapping[str, Any], key: str, default: float) -> float:
    value = header.get(key, default)
    return float(value) if isinstance(value, int | float) else default
