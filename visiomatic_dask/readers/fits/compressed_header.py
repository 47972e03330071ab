"""The header of a tile-compressed image, out of that of the table that holds it (FITS standard 4.0, section 10.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from astropy.io import fits

from visiomatic_dask.readers.fits.cards import Cards, read_cards

_NEEDED = ("ZBITPIX", "ZNAXIS", "ZCMPTYPE")
_FIRST = re.compile(r"Z(?:SIMPLE|TENSION|BITPIX|NAXIS[0-9]*|PCOUNT|GCOUNT)")
_MOVED = {"ZTENSION": "XTENSION", "ZEXTEND": "EXTEND", "ZBLOCKED": "BLOCKED"}
_MOVED |= {"ZHECKSUM": "CHECKSUM", "ZDATASUM": "DATASUM"}
_OF_THE_TABLE = re.compile(
    r"XTENSION|SIMPLE|BITPIX|NAXIS[0-9]*|PCOUNT|GCOUNT|CHECKSUM|DATASUM|TFIELDS|THEAP"
    r"|T(?:TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|BCOL|DIM|CTYP|CUNI|CRPX|CRVL|CDLT|RPOS)[0-9]+"
    r"|ZIMAGE|ZCMPTYPE|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZBLANK|ZSCALE|ZZERO|Z(?:TILE|NAME|VAL)[0-9]+"
)
_UNNAMED = "COMPRESSED_IMAGE"


def is_compressed_image(cards: Cards) -> bool:
    """Whether a header is of a table that holds a tile-compressed image."""
    return cards.values.get("ZIMAGE") is True and cards.values.get("XTENSION") in ("BINTABLE", "A3DTABLE")


def image_cards(table: Cards) -> Cards:
    """Recover the header of the image that was compressed.

    Cards that begin with Z take the place of those of the table, which are left out; all others stand as they are,
    commentary included. Where missing integers are marked by ZBLANK alone, BLANK is added.

    Raises
    ------
    ValueError
        If the table does not say what the image is.
    """
    values = table.values
    if missing := [key for key in _NEEDED if key not in values]:
        raise ValueError(f"its table has no {missing[0]}")
    if not isinstance(values["ZNAXIS"], int) or values["ZNAXIS"] < 0:
        raise ValueError(f"ZNAXIS is {values['ZNAXIS']!r}")
    naxis = [f"ZNAXIS{i}" for i in range(1, values["ZNAXIS"] + 1)]
    if wrong := [key for key in naxis if not isinstance(values.get(key), int) or values[key] < 0]:
        raise ValueError(f"its table has no {wrong[0]}" if wrong[0] not in values else f"{wrong[0]} is negative")
    groups = dict(table.groups)
    first = [key for key in ("ZSIMPLE", "ZTENSION") if key in groups][:1]
    order = [*first, "ZBITPIX", "ZNAXIS", *naxis]
    # An image that was a primary one has no PCOUNT and GCOUNT.
    order += [key for key in ("ZPCOUNT", "ZGCOUNT") if key in groups and first != ["ZSIMPLE"]]
    texts = [] if first else [str(fits.Card("XTENSION", "IMAGE"))]
    texts += [_renamed(key, groups[key]) for key in order]
    named = [keyword for keyword, text in table.groups if keyword == "EXTNAME" and not _is_unnamed(text)]
    for keyword, text in table.groups:
        if _FIRST.fullmatch(keyword) or _OF_THE_TABLE.fullmatch(keyword):
            continue
        if keyword == "EXTNAME" and named and _is_unnamed(text):  # some archives write both
            continue
        texts.append(_renamed(keyword, text) if keyword in _MOVED else text)
    if (blank := _blank(table)) is not None:
        texts.append(str(fits.Card("BLANK", blank)))
    return read_cards("".join(texts).encode("ascii"))


def column_names(cards: Cards) -> tuple[str, ...]:
    """TTYPE of all columns of a table, upper case; empty where one has none."""
    fields = cards.values.get("TFIELDS", 0)
    numbers: Iterable[int] = range(1, fields + 1) if isinstance(fields, int) and 0 <= fields < 1000 else ()
    return tuple(str(cards.values.get(f"TTYPE{i}", "")).strip().upper() for i in numbers)


def _renamed(keyword: str, text: str) -> str:
    return f"{_MOVED.get(keyword, keyword[1:]):8}{text[8:]}"


def _is_unnamed(text: str) -> bool:
    return fits.Card.fromstring(text).value == _UNNAMED


def _blank(table: Cards) -> int | None:
    """BLANK of an integer image that has none of its own, but missing pixels."""
    values = table.values
    bitpix, keyword = values["ZBITPIX"], values.get("ZBLANK")
    if "BLANK" in values or not isinstance(bitpix, int) or bitpix < 0:
        return None
    if isinstance(keyword, int):
        return keyword
    if "ZBLANK" not in column_names(table):
        return None
    return 255 if bitpix == 8 else -(1 << (bitpix - 1))
