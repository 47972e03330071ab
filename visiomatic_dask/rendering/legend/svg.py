"""Drawings as SVG 1.1, with texts as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

import numpy as np

from visiomatic_dask.rendering.legend.drawing import Drawing, Gradient, Line, Polygon, Text

_FONT = "system-ui, 'Helvetica Neue', Arial, sans-serif"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 does not allow in any form: control characters, and lone surrogates."""


def as_svg(drawing: Drawing) -> bytes:
    """Write a drawing."""
    width, height = drawing.width, drawing.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{_FONT}">'
    ]
    if drawing.background is not None:
        parts.append(f'<rect width="{width}" height="{height}" fill="{drawing.background}"/>')
    for number, item in enumerate(drawing.items):
        parts += _item(item, number)
    return "\n".join([*parts, "</svg>", ""]).encode()


def _item(item: Polygon | Gradient | Line | Text, number: int) -> Iterator[str]:
    if isinstance(item, Gradient):
        yield from _gradient(item, f"g{number}")
    elif isinstance(item, Polygon):
        points = " ".join(f"{x:g},{y:g}" for x, y in item.points)
        yield f'<polygon points="{points}" fill="{item.fill or "none"}" stroke="{item.stroke or "none"}"/>'
    elif isinstance(item, Line):
        yield f'<path d="M{item.x1:g} {item.y1:g}L{item.x2:g} {item.y2:g}" stroke="{item.stroke}"/>'
    else:
        weight = ' font-weight="600"' if item.bold else ""
        yield (
            f'<text x="{item.x:g}" y="{item.y:g}" font-size="{item.size:g}" fill="{item.fill}" '
            f'text-anchor="{item.anchor}"{weight}>{escape(_NOT_XML.sub("�", item.text))}</text>'
        )


def _gradient(item: Gradient, name: str) -> Iterator[str]:
    """Write the stops that are needed: of a run of equal colours the first and the last."""
    colours = item.colours.astype(np.int64)
    count = len(colours)
    ends = "x2='0' y1='1' y2='0'" if item.vertical else "x2='1' y1='0' y2='0'"
    yield f'<linearGradient id="{name}" x1="0" {ends}>'.replace("'", '"')
    changes = np.concatenate([[True], (np.diff(colours, axis=0) != 0).any(axis=1), [True]])
    for index in np.flatnonzero(changes[:-1] | changes[1:]):
        red, green, blue = colours[index]
        yield f'<stop offset="{index / max(1, count - 1):.5g}" stop-color="#{red:02x}{green:02x}{blue:02x}"/>'
    yield "</linearGradient>"
    yield (f'<rect x="{item.x:g}" y="{item.y:g}" width="{item.width:g}" height="{item.height:g}" fill="url(#{name})"/>')
