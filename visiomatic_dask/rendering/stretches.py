"""Stretches: curves that take 0 … 1 to 0 … 1, written as short texts."""

from __future__ import annotations

from visiomatic_dask.errors import InvalidRequest

LINEAR = "linear"


def check_stretch(text: str) -> str:
    """Return the text if it is the canonical one of a stretch, else raise `InvalidRequest`."""
    if text != LINEAR:
        raise InvalidRequest.value("stretch", text, LINEAR)
    return text
