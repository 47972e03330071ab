"""The text of an ENVI header: ``name = value`` a line, where a value in braces may run over several lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from visiomatic_dask.errors import UnreadableCube

_FIELD = re.compile(r"^[ \t]*([^=;\n]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class ENVIHeader:
    """Fields of a header, by their names in lower case.

    Attributes
    ----------
    name : str
        What messages call the cube.
    fields : dict
        Values as they stand there, without braces.
    """

    name: str
    fields: dict[str, str]

    def get(self, key: str, default: str = "") -> str:
        """Return a value as text."""
        return self.fields.get(key, default)

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a value that has to be an integer; `UnreadableCube` where it is none, or missing without default."""
        text = self.fields.get(key)
        if text is None and default is not None:
            return default
        try:
            return int(text or "")
        except ValueError as error:
            raise UnreadableCube(f"{self.name}: its ENVI header says {key} = {text}; allowed: an integer") from error

    def number(self, key: str) -> float | None:
        """Return a value as a number, or None where there is none."""
        try:
            return float(self.fields[key])
        except (KeyError, ValueError):
            return None

    def words(self, key: str) -> list[str] | None:
        """Return the parts of a list, or None where there is none."""
        text = self.fields.get(key)
        return None if text is None else [word.strip() for word in text.split(",")]

    def numbers(self, key: str) -> list[float] | None:
        """Return a list of numbers, or None where there is none, or something else is in it."""
        words = self.words(key)
        try:
            return None if words is None else [float(word) for word in words if word]
        except ValueError:
            return None


def read_header(text: str, name: str) -> ENVIHeader:
    """Parse the text of a header.

    Parameters
    ----------
    text : str
        All of it.
    name : str
        What messages call the cube.

    Raises
    ------
    UnreadableCube
        If it is no ENVI header.
    """
    if not text.startswith("ENVI"):
        raise UnreadableCube(f"{name}: its header does not start with ENVI")
    fields = {match[1].lower(): match[2].strip("{} \t\r\n") for match in _FIELD.finditer(text)}
    return ENVIHeader(name, fields)
