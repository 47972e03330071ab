"""How numbers and units are written in recipes: regular expressions for grammars to be made of."""

from __future__ import annotations

NUMBER = r"([+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)"
"""A number, as a group: read as far as it goes."""
UNIT = r"[A-Za-zµμÅ%][A-Za-z0-9µμÅ/^.\-]{0,23}"
INVERSE_UNIT = r"1/[A-Za-zµμÅ]{1,23}"
