"""Drawings as PNG, with the typeface that Pillow brings along, so that every front end draws the same."""

from __future__ import annotations

import io
import unicodedata
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visiomatic_dask.rendering.legend.drawing import Drawing, Gradient, Line, Polygon

_FINER = 2
"""Everything is drawn so many times larger, and averaged."""
_BOLD = 0.6
_SPELT = {
    "−": "-", "–": "-", "—": "-", "⁻": "-", "×": "x", "…": "...", "°": "°", "·": "·", "µ": "u", "μ": "u", "’": "'",
    "\u00c5": "Angstrom", "\u212b": "Angstrom", "α": "alpha", "β": "beta", "λ": "lambda", "ν": "nu",
}  # fmt: skip
"""The typeface has little more than ASCII."""
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def as_png(drawing: Drawing) -> bytes:
    """Draw a drawing."""
    size = drawing.width * _FINER, drawing.height * _FINER
    shapes = Image.new("RGBA", size, drawing.background or "#00000000")
    pen = ImageDraw.Draw(shapes)
    for item in drawing.items:
        if isinstance(item, Polygon):
            points = [(x * _FINER, y * _FINER) for x, y in item.points]
            if item.fill is not None:
                pen.polygon(points, fill=item.fill)
            if item.stroke is not None:
                pen.line([*points, points[0]], fill=item.stroke, width=_FINER, joint="curve")
        elif isinstance(item, Gradient):
            _paste(shapes, item)
        elif isinstance(item, Line):
            pen.line([(item.x1 * _FINER, item.y1 * _FINER), (item.x2 * _FINER, item.y2 * _FINER)], item.stroke, _FINER)
        else:
            pen.text(
                (item.x * _FINER, item.y * _FINER),
                as_ascii(item.text),
                fill=item.fill,
                font=_font(item.size * _FINER),
                anchor=_ANCHORS[item.anchor],
                stroke_width=_BOLD if item.bold else 0,
            )
    picture = shapes.resize((drawing.width, drawing.height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def as_ascii(text: str) -> str:
    """Write a text with what the typeface has: superscripts as ``^-5``, other letters without their accents."""
    parts, raised = [], False
    for character in text:
        spelt = _SPELT.get(character)
        is_raised = unicodedata.decomposition(character).startswith("<super>") or character == "⁻"
        if spelt is None:
            plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            spelt = plain if plain or unicodedata.combining(character) else "?"
        parts.append("^" + spelt if is_raised and not raised else spelt)
        raised = is_raised
    return "".join(one for one in parts if one.isprintable())


def text_width(text: str, size: float) -> float:
    """Width of a text, in pixels."""
    return float(_font(size * _FINER).getlength(as_ascii(text))) / _FINER


@lru_cache(maxsize=32)
def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _paste(shapes: Image.Image, item: Gradient) -> None:
    left, top = round(item.x * _FINER), round(item.y * _FINER)
    right, bottom = round((item.x + item.width) * _FINER), round((item.y + item.height) * _FINER)
    length = bottom - top if item.vertical else right - left
    places = (np.arange(length) * len(item.colours) // max(1, length)).astype(np.int64)
    line = item.colours[places]
    pixels = line[::-1, np.newaxis] if item.vertical else line[np.newaxis]
    area = np.broadcast_to(pixels, (bottom - top, right - left, 3))
    shapes.paste(Image.fromarray(np.ascontiguousarray(area)), (left, top))
