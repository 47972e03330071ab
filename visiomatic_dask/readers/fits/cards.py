"""The cards of a FITS header: commentary told from values, standard cards read at once, odd ones by astropy.

A header of 44,000 HISTORY cards takes astropy half a second, in which nothing is learnt; and it looks at every card
three times. Here commentary is kept as text alone, and a card that is written as the FITS standard 4.0 has it
(section 4.2) is read with one regular expression. What is left (CONTINUE, complex values, what is wrong with a file)
goes through astropy, card by card.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from astropy.io import fits

CARD = 80
COMMENTARY = ("COMMENT", "HISTORY", "")

_PRINTABLE = bytes(byte if 32 <= byte < 127 else 32 if byte == 0 else ord("?") for byte in range(256))
# "field: value" in a string may be a record of a distortion paper, which astropy takes apart
_STANDARD = re.compile(
    r"(?:HIERARCH +(?P<long>[A-Z0-9_-]+(?: [A-Z0-9_-]+)*) *=|(?P<keyword>[A-Z0-9_-]{1,8}) *(?<=^.{8})=) +"
    r"(?:'(?P<string>(?:(?!: )[^']|'')*)'|(?P<logical>[TF])|(?P<integer>[+-]?[0-9]+)"
    r"|(?P<real>[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[ED]))(?:[ED][+-]?[0-9]+)?))"
    r" *(?:/.*)?"
)


@dataclass(frozen=True, slots=True)
class Cards:
    """A header, read.

    Attributes
    ----------
    groups : tuple of (str, str)
        Keyword and text of every card, in order, END left out; a card and what CONTINUEs it are one.
    values : dict
        Keywords and values that JSON can hold; commentary and undefined values are left out.
    warnings : tuple of str
        What is wrong with it.
    """

    groups: tuple[tuple[str, str], ...]
    values: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it, END included, 80 characters a card."""
        return "".join(text for _, text in self.groups) + "END".ljust(CARD)

    @property
    def header(self) -> fits.Header:
        """A header without the commentary."""
        return _header_of(self.groups)


def without_commentary(text: str) -> fits.Header:
    """Read a header from its text, 80 characters a card, without the commentary."""
    return _header_of(_grouped(text))


def read_cards(raw: bytes) -> Cards:
    """Read the cards of a header.

    Parameters
    ----------
    raw : bytes
        All cards before END.

    Raises
    ------
    astropy.io.fits.VerifyError
        If a card is beyond repair.
    """
    text = raw.translate(_PRINTABLE).decode("ascii")
    complaints = ["characters that are not ASCII are shown as ?"] if text.count("?") > raw.count(b"?") else []
    groups: list[tuple[str, str]] = []
    values: dict[str, Any] = {}
    for keyword, card in _grouped(text):
        if keyword in COMMENTARY:
            groups.append((keyword, card))
            continue
        standard = _STANDARD.fullmatch(card) if len(card) == CARD else None
        if standard is not None:
            name, value = standard["long"] or standard["keyword"], _value(standard)
        else:
            name, value, card = _by_astropy(card, complaints)
        groups.append((name, card))
        if name not in COMMENTARY and (kept := json_value(value)) is not None:
            values[name] = kept
    return Cards(tuple(groups), values, tuple(dict.fromkeys(complaints)))


def json_value(value: Any) -> bool | int | float | str | None:
    """Turn the value of a card into what JSON can hold; None if that leaves nothing."""
    if isinstance(value, fits.card.Undefined) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)


def _header_of(groups: Iterable[tuple[str, str]]) -> fits.Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `read_cards` has told what is wrong
        return fits.Header.fromstring("".join(text for keyword, text in groups if keyword not in COMMENTARY))


def _grouped(text: str) -> Iterator[tuple[str, str]]:
    """Keyword and text of each card together with the CONTINUE cards that follow it."""
    start, keyword = 0, text[:8].rstrip()
    for position in range(CARD, len(text), CARD):
        following = text[position : position + 8].rstrip()
        if following != "CONTINUE":
            yield keyword, text[start:position].ljust(CARD)
            start, keyword = position, following
    if text:
        yield keyword, text[start:].ljust(CARD)


def _value(card: re.Match[str]) -> bool | int | float | str:
    if (text := card["string"]) is not None:
        return text.replace("''", "'").rstrip()
    if (text := card["logical"]) is not None:
        return text == "T"
    if (text := card["integer"]) is not None:
        return int(text)
    return float(card["real"].replace("D", "E"))


def _by_astropy(text: str, complaints: list[str]) -> tuple[str, Any, str]:
    """Read a card and put it right: keyword, value and text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        card = fits.Card.fromstring(text)
        card.verify("silentfix")
        found = card.keyword, card.value, str(card)
    complaints += [" ".join(str(one.message).split()) for one in caught]
    return found
