"""What a header's WCS keywords give: a WCS of all axes, one of the plane, and complaints. Nothing here raises."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from astropy.coordinates import BaseCoordinateFrame
from astropy.io import fits
from astropy.wcs import WCS

from visiomatic_dask.cube.sky import celestial_frame
from visiomatic_dask.errors import VisiomaticError

_LOOKUP = ("CPDIS", "CPERR", "CQDIS", "DP", "DQ", "D2IMDIS", "D2IMERR", "D2IMARR", "AXISCORR")
_ALTERNATE = re.compile("(?:CTYPE|CRVAL|CRPIX|CDELT)[1-9][A-Z]|(?:CD|PC)[1-9]_[1-9][A-Z]")


@dataclass(frozen=True)
class WCSParts:
    """What was found in a header.

    Attributes
    ----------
    full : astropy.wcs.WCS or None
        Of all axes.
    celestial : astropy.wcs.WCS or None
        Of the plane, where its two axes are the celestial ones.
    warnings : tuple of str
        What is wrong with the keywords.
    plane : tuple of int
        Indices, from 0, of x and y in `full`.
    single : mapping of int to astropy.wcs.WCS
        WCS of single axes by FITS number, where there is none of all of them.
    """

    full: WCS | None
    celestial: WCS | None
    warnings: tuple[str, ...] = ()
    plane: tuple[int, int] = (0, 1)
    single: dict[int, WCS] = field(default_factory=dict)

    @cached_property
    def frame(self) -> BaseCoordinateFrame | None:
        """The celestial frame, where astropy knows it."""
        return None if self.celestial is None else celestial_frame(self.celestial)

    def axis(self, fits_axis: int) -> tuple[WCS, int] | None:
        """Return a WCS that has an axis, and the index of the axis in it."""
        if self.full is not None:
            return (self.full, fits_axis - 1) if 1 <= fits_axis <= self.full.naxis else None
        return (self.single[fits_axis], 0) if fits_axis in self.single else None


def parts_of(
    cards: fits.Header, x_axis: int, y_axis: int, tables: Callable[[], fits.HDUList | None] | None
) -> WCSParts:
    """Read the WCS keywords of a header.

    Parameters
    ----------
    cards : astropy.io.fits.Header
        Without commentary.
    x_axis, y_axis : int
        Numbers of the FITS axes that are shown as x and y.
    tables : callable or None
        Gives the HDUs that hold lookup tables.
    """
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        full, celestial, single = _read(cards, x_axis, y_axis, tables, found)
    # wcslib also tells what it put right by itself ("datfix made the change …"): nothing a user need act on.
    found += [text for one in caught if "made the change" not in (text := _one_line(one.message))]
    return WCSParts(full, celestial, tuple(dict.fromkeys(found)), (x_axis - 1, y_axis - 1), single)


def _read(
    cards: fits.Header,
    x_axis: int,
    y_axis: int,
    tables: Callable[[], fits.HDUList | None] | None,
    found: list[str],
) -> tuple[WCS | None, WCS | None, dict[int, WCS]]:
    lookup = None
    if any(_is_lookup(key) for key in cards) or any("-TAB" in str(cards.get(f"CTYPE{i}", "")) for i in range(1, 10)):
        lookup = _tables(tables, found)
        if lookup is None and any(_is_lookup(key) for key in cards):
            found.append("the distortion by lookup tables is left out: the tables cannot be read")
            cards = fits.Header([card for card in cards.cards if not _is_lookup(card.keyword)])
    single: dict[int, WCS] = {}
    if not any(f"CTYPE{i}" in cards for i in range(1, 10)) and any(_ALTERNATE.fullmatch(key) for key in cards):
        return None, None, single  # only alternate descriptions, of detectors and amplifiers: not of the sky
    try:
        full = WCS(cards, lookup)
    except Exception as error:  # noqa: BLE001 - wcslib raises many kinds on headers from the wild
        # A cube whose plane is distorted, or one axis of which is wrong: what can be used by itself is.
        plane = _attempt(cards, lookup, [x_axis, y_axis])
        celestial = None if plane is None else _celestial(plane, 1, 2, found)
        if celestial is None:
            found.append(f"the WCS cannot be used: {_one_line(error)}")
        others = [i for i in range(1, 10) if f"CTYPE{i}" in cards and i not in (x_axis, y_axis)]
        single = {i: one for i in others if (one := _attempt(cards, lookup, [i])) is not None}
        return None, celestial, single
    return full, _celestial(full, x_axis, y_axis, found), single


def _tables(tables: Callable[[], fits.HDUList | None] | None, found: list[str]) -> fits.HDUList | None:
    try:
        return tables() if tables is not None else None
    except VisiomaticError as error:  # the file may have changed since it was opened: pixels will say so
        found.append(f"the lookup tables of the WCS cannot be read: {error.message}")
        return None


def _attempt(cards: fits.Header, lookup: fits.HDUList | None, axes: list[int]) -> WCS | None:
    """WCS of some axes by themselves, or None; what is wrong has been told before."""
    try:
        distorted = len(axes) == 2
        core = cards if distorted else fits.Header([c for c in cards.cards if c.keyword not in ("A_ORDER", "B_ORDER")])
        wcs = WCS(core, lookup, naxis=axes)
        wcs.wcs_pix2world([wcs.wcs.crpix], 1)
    except Exception:  # noqa: BLE001 - as above
        return None
    return wcs


def _celestial(full: WCS, x_axis: int, y_axis: int, found: list[str]) -> WCS | None:
    """Return the celestial part, if x and y are the celestial axes."""
    try:
        if not full.has_celestial or {full.wcs.lng, full.wcs.lat} != {x_axis - 1, y_axis - 1}:
            return None
        celestial = full.sub([x_axis, y_axis])
        world = celestial.wcs_pix2world([celestial.wcs.crpix], 1)  # raises here, not at the first request
        if celestial.has_distortion:
            celestial.all_pix2world([celestial.wcs.crpix], 1)
    except Exception as error:  # noqa: BLE001 - as above
        found.append(f"the WCS cannot be used: {_one_line(error)}")
        return None
    return celestial if np.isfinite(world).all() else None


def _is_lookup(keyword: str) -> bool:
    return keyword.startswith(_LOOKUP)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
