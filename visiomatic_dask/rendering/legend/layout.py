"""Layout: where the parts of a legend go."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from visiomatic_dask.rendering.legend.drawing import Anchor, Drawing, Gradient, Line, Polygon, Text, rectangle
from visiomatic_dask.rendering.legend.png import text_width
from visiomatic_dask.rendering.legend.subject import BarSubject, Colours, MixSubject
from visiomatic_dask.rendering.legend.ticks import round_ticks

Orientation = Literal["vertical", "horizontal"]
Item = Polygon | Gradient | Line | Text
_MARGIN = 10.0
_TITLE, _SMALL = 13.0, 11.0
_THICKEST = 24.0
_TIP = 11.0
"""Length of the tips that stand for values outside the cuts."""
_TICK = 5.0
_SWATCH = 13.0
_ROW = 20.0
_LONGEST = 400
"""Characters of a text that are looked at."""
_NO_VALUE = "no value"
_NO_VALUE_ROOM = 86.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What a legend is drawn on.

    Attributes
    ----------
    width, height : int
        Pixels.
    orientation : {"vertical", "horizontal"}
        Of its bar.
    foreground : str
        ``#rrggbb`` of texts and lines.
    background : str or None
        ``#rrggbb``, or None for transparent.
    """

    width: int
    height: int
    orientation: Orientation
    foreground: str
    background: str | None

    @property
    def is_vertical(self) -> bool:
        """Whether values rise upwards."""
        return self.orientation == "vertical"

    @property
    def inside(self) -> float:
        """Width between the margins."""
        return self.width - 2 * _MARGIN

    def drawing(self, items: list[Item]) -> Drawing:
        """Put items on it."""
        return Drawing(self.width, self.height, self.background, tuple(items))


def most_entries(frame: Frame) -> int:
    """Channels of a mix that can be named one by one."""
    return max(1, int((frame.height - 2 * _MARGIN) // _ROW)) * (1 if frame.is_vertical else 4)


def most_marks(frame: Frame) -> int:
    """Channels of a mix that can be named along its strip."""
    return max(2, frame.height // 60 if frame.is_vertical else frame.width // 90)


def lay_out_bar(subject: BarSubject, frame: Frame) -> Drawing:
    """Lay out the colour bar of a plane.

    The bar is linear in values, and has the colours that the picture has, whatever the stretch: a value lies where its
    colour is.
    """
    space = frame.height - 80 if frame.is_vertical else frame.inside
    ticks = round_ticks(subject.low, subject.high, max(2, int(space // (32 if frame.is_vertical else 50))))
    unit = " ".join(one for one in (ticks.factor, subject.unit[:_LONGEST]) if one)
    if not frame.is_vertical:
        unit = _fitted(unit, _SMALL, frame.inside / 2)
    is_marked = bool(subject.bad) and not frame.is_vertical
    items, top = _heading(subject.title, unit, frame, _NO_VALUE_ROOM if is_marked else 0.0)
    bottom = frame.height - _MARGIN
    if is_marked:  # beside the unit: below the bar it would take half of what room there is
        left = frame.width - _MARGIN - text_width(unit, _SMALL) - _NO_VALUE_ROOM
        items += _swatch(left, _MARGIN - 0.5, subject.bad, _NO_VALUE, frame, _NO_VALUE_ROOM)
    elif subject.bad:
        bottom -= _ROW
        items += _swatch(_MARGIN, bottom + _ROW - _SWATCH, subject.bad, _NO_VALUE, frame, frame.inside)
    largest = max(abs(subject.low), abs(subject.high))  # of which shares: the difference may be beyond all numbers
    low, span = subject.low / largest, subject.high / largest - subject.low / largest
    marks = [((value / largest - low) / span, label) for value, label in zip(ticks.values, ticks.labels, strict=True)]
    return frame.drawing(items + _bar(subject.colours, marks, frame, top, bottom, (subject.under, subject.over)))


def lay_out_mix(subject: MixSubject, frame: Frame) -> Drawing:
    """Lay out the channels of a mix: one by one, or along a strip of the colours they contribute."""
    if not subject.entries:
        items, top = _heading(subject.title, "", frame)
        return frame.drawing(
            items + _bar(subject.strip, list(subject.marks), frame, top, frame.height - _MARGIN, ("", ""))
        )
    items = []
    x, y = _MARGIN, _MARGIN
    for label, colour in subject.entries:
        wide = _SWATCH + 8 + text_width(label[:_LONGEST], _SMALL)
        if x > _MARGIN and (frame.is_vertical or x + wide > frame.width - _MARGIN):
            x, y = _MARGIN, y + _ROW
        items += _swatch(x, y, colour, label, frame, frame.width - _MARGIN - x)
        x += wide + 14
    return frame.drawing(items)


def fits_entries(subject: MixSubject, frame: Frame) -> bool:
    """Whether all entries lie within the frame."""
    drawn = lay_out_mix(subject, frame)
    return all(item.y <= frame.height - _MARGIN / 2 for item in drawn.items if isinstance(item, Text))


def _heading(title: str, unit: str, frame: Frame, taken: float = 0.0) -> tuple[list[Item], float]:
    """Write the title and the unit: below it, or at the other end, with room between. Return how far they go."""
    items: list[Item] = []
    baseline = _MARGIN + _TITLE - 3
    beside = 0.0 if frame.is_vertical else text_width(unit, _SMALL) + 12 + taken
    items.append(
        Text(_MARGIN, baseline, _fitted(title, _TITLE, frame.inside - beside), _TITLE, frame.foreground, bold=True)
    )
    if unit and frame.is_vertical:
        baseline += _SMALL + 6
        items.append(Text(_MARGIN, baseline, _fitted(unit, _SMALL, frame.inside), _SMALL, frame.foreground))
    elif unit:
        x = frame.width - _MARGIN
        items.append(Text(x, baseline, _fitted(unit, _SMALL, frame.inside), _SMALL, frame.foreground, "end"))
    return items, baseline + 10


def _bar(
    colours: Colours,
    marks: list[tuple[float, str]],
    frame: Frame,
    top: float,
    bottom: float,
    ends: tuple[str, str],
) -> list[Item]:
    """Draw a bar with its ticks, and tips for what lies outside; along y or x alike, by turning points."""
    half = _SMALL / 2
    tips = [_TIP if end else 0.0 for end in ends]
    if frame.is_vertical:
        start, length = bottom - tips[0] - half, bottom - top - sum(tips) - 2 * half
        across, thick = _MARGIN, min(_THICKEST, frame.width / 4)
    else:
        start, length = _MARGIN + tips[0], frame.inside - sum(tips)
        across, thick = top, min(_THICKEST, bottom - top - _TICK - _SMALL - 5)
    length, thick = max(1.0, length), max(4.0, thick)

    def place(along: float, over: float) -> tuple[float, float]:
        return (across + over, start - along) if frame.is_vertical else (start + along, across + over)

    left, high = place(length if frame.is_vertical else 0.0, 0.0)
    size = (thick, length) if frame.is_vertical else (length, thick)
    items: list[Item] = [Gradient(left, high, *size, colours, frame.is_vertical)]
    outline = [place(0, 0), place(length, 0), place(length, thick), place(0, thick)]
    for end, base, tip in ((ends[0], 0.0, -tips[0]), (ends[1], length, length + tips[1])):
        if end:
            triangle = (place(base, 0), place(tip, thick / 2), place(base, thick))
            items.append(Polygon(triangle, None if end == "transparent" else end, frame.foreground))
    items.append(Polygon(tuple(outline), None, frame.foreground))
    for share, label in marks:
        along = share * length
        items.append(Line(*place(along, thick), *place(along, thick + _TICK), frame.foreground))
        if frame.is_vertical:
            x, y = place(along, thick + _TICK + 4)
            room = frame.width - _MARGIN / 2 - x
            items.append(Text(x, y + 0.36 * _SMALL, _fitted(label, _SMALL, room), _SMALL, frame.foreground))
        else:
            x, y = place(along, thick + _TICK + _SMALL + 1)
            items.append(_below(x, y, label, frame))
    return items


def _below(x: float, y: float, label: str, frame: Frame) -> Text:
    """Write a label below its tick, moved inwards where it would reach over the edge."""
    label = label[:_LONGEST]
    half = text_width(label, _SMALL) / 2
    place: tuple[float, Anchor] = (x, "middle")
    if x - half < 2:
        place = (2.0, "start")
    elif x + half > frame.width - 2:
        place = (frame.width - 2.0, "end")
    return Text(place[0], y, label, _SMALL, frame.foreground, place[1])


def _swatch(x: float, y: float, colour: str, label: str, frame: Frame, room: float) -> list[Item]:
    """Draw a colour and what it stands for; transparent as an empty frame that is crossed out."""
    fill = None if colour == "transparent" else colour
    items: list[Item] = [rectangle(x, y, _SWATCH, _SWATCH, fill, frame.foreground)]
    if fill is None:
        items.append(Line(x, y + _SWATCH, x + _SWATCH, y, frame.foreground))
    left = x + _SWATCH + 8
    text = _fitted(label, _SMALL, room - _SWATCH - 8)
    items.append(Text(left, y + _SWATCH / 2 + 0.36 * _SMALL, text, _SMALL, frame.foreground))
    return items


def _fitted(text: str, size: float, room: float) -> str:
    """Shorten a text until it fits. Those of files may be of any length: nobody measures all of it."""
    if len(text) <= _LONGEST and text_width(text, size) <= room:
        return text
    lengths = range(min(len(text), _LONGEST) + 1)
    length = bisect_right(lengths, room, key=lambda one: text_width(text[:one].rstrip() + "…", size)) - 1
    return text[:length].rstrip() + "…" if length > 0 else ""
