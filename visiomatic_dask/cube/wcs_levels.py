"""WCS of binned levels, and the CD matrix of a header."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from astropy.wcs import WCS, DistortionLookupTable, Sip
from numpy.typing import NDArray


def binned(wcs: WCS, axes: tuple[int, int], level: int, height: int) -> WCS:
    """Make the WCS of a level from that of level 0.

    A pixel p of level 0 lies at ``(p − 0.5) / 2^level + 0.5``, and along y, because levels are aligned at the top of
    the picture, further by ``ceil(height / 2^level) − height / 2^level``. Distortions are scaled with it: they are
    functions of level-0 pixels that give level-0 pixels.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Of level 0.
    axes : tuple of int
        Indices of x and y in it, from 0.
    level : int
        From 0.
    height : int
        Pixels of level 0 along y.
    """
    factor = 2.0**-level
    shift = (0.0, math.ceil(height * factor) - height * factor)
    new = wcs.deepcopy()
    crpix = np.array(wcs.wcs.crpix)
    for axis, further in zip(axes, shift, strict=True):
        crpix[axis] = (crpix[axis] - 0.5) * factor + 0.5 + further
    new.wcs.crpix = crpix
    _scale_matrix(wcs, new, axes, factor)
    if wcs.sip is not None:
        new.sip = _binned_sip(wcs.sip, factor, crpix)
    for name in ("cpdis1", "cpdis2", "det2im1", "det2im2"):
        table = getattr(wcs, name)
        if table is not None:
            setattr(new, name, _binned_table(table, factor, shift))
    new.wcs.set()
    return new


def _scale_matrix(wcs: WCS, new: WCS, axes: tuple[int, int], factor: float) -> None:
    if wcs.wcs.has_cd():
        matrix = np.array(wcs.wcs.cd)
        matrix[:, axes] /= factor
        new.wcs.cd = matrix
        return
    matrix = np.array(wcs.wcs.get_pc())
    others = [axis for axis in range(len(matrix)) if axis not in axes]
    if not (matrix[np.ix_(axes, others)].any() or matrix[np.ix_(others, axes)].any()):
        cdelt = np.array(wcs.wcs.cdelt)
        cdelt[list(axes)] /= factor
        new.wcs.cdelt = cdelt
        return
    matrix[:, axes] /= factor
    new.wcs.pc = matrix


def _binned_sip(sip: Sip, factor: float, crpix: NDArray[np.float64]) -> Sip:
    def scaled(coefficients: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        if coefficients is None:
            return None
        p, q = np.indices(coefficients.shape)
        return np.asarray(coefficients * factor ** (1.0 - p - q))

    return Sip(*(scaled(one) for one in (sip.a, sip.b, sip.ap, sip.bp)), crpix[:2])


def _binned_table(table: DistortionLookupTable, factor: float, shift: tuple[float, float]) -> DistortionLookupTable:
    """Scale a table, which is indexed by pixels and holds pixels."""
    at = [(value - 0.5) * factor + 0.5 + further for value, further in zip(table.crval, shift, strict=True)]
    cdelt = [value * factor for value in table.cdelt]
    return DistortionLookupTable(np.asarray(table.data * np.float32(factor)), tuple(table.crpix), at, cdelt)


def cd_matrix(header: dict[str, Any]) -> dict[str, float]:
    """Derive the CD matrix of the first two axes (FITS Paper I, section 2 and 6).

    Parameters
    ----------
    header : mapping
        FITS keywords. CDi_j is taken where it stands; else PCi_j (or the older PC00i00j) times CDELTi; else the
        rotation CROTA2.

    Returns
    -------
    dict
        CD1_1, CD1_2, CD2_1 and CD2_2, in degrees a pixel (or whatever CDELT is in).
    """

    def number(key: str, default: float) -> float:
        value = header.get(key, default)
        return float(value) if isinstance(value, int | float) else default

    if any(f"CD{i}_{j}" in header for i in (1, 2) for j in (1, 2)):
        return {f"CD{i}_{j}": number(f"CD{i}_{j}", 0.0) for i in (1, 2) for j in (1, 2)}
    cdelt = {i: number(f"CDELT{i}", 1.0) for i in (1, 2)}
    for pattern in ("PC{0}_{1}", "PC{0:03d}{1:03d}"):
        if any(pattern.format(i, j) in header for i in (1, 2) for j in (1, 2)):
            return {
                f"CD{i}_{j}": cdelt[i] * number(pattern.format(i, j), float(i == j)) for i in (1, 2) for j in (1, 2)
            }
    angle = math.radians(number("CROTA2", number("CROTA1", 0.0)))
    return {
        "CD1_1": cdelt[1] * math.cos(angle),
        "CD1_2": -cdelt[2] * math.sin(angle),
        "CD2_1": cdelt[1] * math.sin(angle),
        "CD2_2": cdelt[2] * math.cos(angle),
    }
