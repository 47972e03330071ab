"""Where the pieces of a detector lie: DETSEC and DATASEC, and the frame that they make up. Pure geometry, no I/O.

The keywords are those of the NOAO mosaic data handling system (Valdes & Tody 1998, Proc. SPIE 3355, 497), in the
notation of IRAF: ``[x1:x2,y1:y2]``, pixels from 1, both ends included. A range that runs backwards flips its axis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RANGE = r"\s*(-?\d{1,9})\s*:\s*(-?\d{1,9})\s*"
_SECTION = re.compile(rf"\s*\[{_RANGE},{_RANGE}\]\s*")
_BINNING = re.compile(r"\s*(\d{1,4})[\s,]+(\d{1,4})\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of pixels along one axis, from 1, both ends included; backwards where `first` is beyond `last`."""

    first: int
    last: int

    @property
    def low(self) -> int:
        """The lesser end."""
        return min(self.first, self.last)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return abs(self.last - self.first) + 1

    @property
    def is_reversed(self) -> bool:
        """Whether it runs backwards."""
        return self.first > self.last


Section = tuple[Span, Span]
"""Ranges along x and y."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One image of a mosaic, as its header has it.

    Attributes
    ----------
    detector : tuple of Span
        Where its pixels lie on the detector, unbinned: x, y.
    data : tuple of Span
        Which of its pixels those are.
    binning : tuple of int
        Pixels of the detector in one of its own: x, y.
    """

    detector: Section
    data: Section
    binning: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a run of an image's pixels goes along one axis of the mosaic. Indices are from 0.

    Attributes
    ----------
    start, size : int
        First pixel, and number of pixels, in the mosaic.
    source, source_size : int
        First pixel, and number of pixels, in the image.
    repeat : int
        Pixels of the mosaic for one of the image: more than 1 where other pieces are binned less.
    flipped : bool
        Whether the image runs backwards in the mosaic.
    """

    start: int
    size: int
    source: int
    source_size: int
    repeat: int = 1
    flipped: bool = False

    @property
    def stop(self) -> int:
        """One past its last pixel in the mosaic."""
        return self.start + self.size

    def indices(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pixels of the image that lie at some pixels of the mosaic, counted from `start`."""
        along = offsets // self.repeat
        return self.source + (self.source_size - 1 - along if self.flipped else along)

    def to_frame(self) -> tuple[float, float]:
        """Scale and shift that take a pixel coordinate of the image (centre of the first: 1) into the mosaic."""
        edge = self.start + 0.5
        if self.flipped:
            return -float(self.repeat), edge + self.repeat * (self.source + self.source_size + 0.5)
        return float(self.repeat), edge - self.repeat * (self.source + 0.5)


@dataclass(frozen=True, slots=True)
class Frame:
    """A mosaic: its size, and where each piece goes.

    Attributes
    ----------
    width, height : int
        Pixels.
    binning : tuple of int
        Pixels of the detector in one of the mosaic: the finest that any piece has.
    placed : tuple of (Placed, Placed)
        x and y of each piece, in their order.
    """

    width: int
    height: int
    binning: tuple[int, int]
    placed: tuple[tuple[Placed, Placed], ...]

    @property
    def has_gaps(self) -> bool:
        """Whether some pixel of the mosaic belongs to no piece."""
        return bool((self._coverage() == 0).any())

    @property
    def overlaps(self) -> tuple[tuple[int, int], ...]:
        """Pairs of pieces that want the same pixels."""
        if not (self._coverage() > 1).any():
            return ()
        return tuple(
            (i, j)
            for j, (x, y) in enumerate(self.placed)
            for i, (left, below) in enumerate(self.placed[:j])
            if _meet(x, left) and _meet(y, below)
        )

    def _coverage(self) -> NDArray[np.int64]:
        """How many pieces lie on each rectangle of the grid that all their edges make."""
        xs = np.unique([0, self.width, *(edge for x, _ in self.placed for edge in (x.start, x.stop))])
        ys = np.unique([0, self.height, *(edge for _, y in self.placed for edge in (y.start, y.stop))])
        count = np.zeros((ys.size - 1, xs.size - 1), np.int64)
        for x, y in self.placed:
            rows = slice(*np.searchsorted(ys, (y.start, y.stop)).tolist())
            count[rows, slice(*np.searchsorted(xs, (x.start, x.stop)).tolist())] += 1
        return count


def parse_section(text: object) -> Section:
    """Parse ``[x1:x2,y1:y2]``.

    Raises
    ------
    ValueError
        If it is anything else; the message says what it is.
    """
    found = _SECTION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not of the form [x1:x2,y1:y2]")
    x1, x2, y1, y2 = map(int, found.groups())
    return Span(x1, x2), Span(y1, y2)


def piece_of(header: Mapping[str, Any], width: int, height: int) -> Piece:
    """Read from a header which pixels of an image belong where on the detector.

    The pixels are those of DATASEC, or of TRIMSEC, or all, whichever first stands in the header, lies within the image
    and goes into DETSEC a whole number of times: headers of images that were trimmed still have the sections from
    before.

    Parameters
    ----------
    header : mapping
        Keywords of an image that has a DETSEC.
    width, height : int
        Its size in pixels.

    Raises
    ------
    ValueError
        If DETSEC cannot be read, or no section of the image fits it; the message says why.
    """
    try:
        detector = parse_section(header["DETSEC"])
    except ValueError as error:
        raise ValueError(f"DETSEC = {error}") from error
    stated = _BINNING.fullmatch(str(header.get("CCDSUM", "")))
    binnings = (int(stated[1]), int(stated[2])) if stated else (1, 1)
    tried = []
    for key in ("DATASEC", "TRIMSEC", None):
        if key is not None and key not in header:
            continue
        try:
            data = (Span(1, width), Span(1, height)) if key is None else parse_section(header[key])
            return Piece(detector, data, _binning(detector, data, (width, height), binnings))
        except ValueError as error:
            tried.append(f"{key or 'the whole image'}: {error}")
    raise ValueError(f"no section of it fits DETSEC = {header['DETSEC']} ({'; '.join(tried)})")


def _binning(detector: Section, data: Section, size: tuple[int, int], stated: tuple[int, int]) -> tuple[int, int]:
    """How many pixels of the detector one of the image is along x and y: as stated if that fits, else as it fits."""
    found = []
    for on_detector, pixels, most, said in zip(detector, data, size, stated, strict=True):
        if pixels.low < 1 or pixels.low + pixels.size - 1 > most:
            raise ValueError(f"{pixels.first}:{pixels.last} lies outside 1:{most}")
        for factor in (said, round(on_detector.size / pixels.size)):
            if factor >= 1 and abs(pixels.size - on_detector.size / factor) < 1:
                found.append(factor)
                break
        else:
            raise ValueError(f"{pixels.size} pixels do not bin {on_detector.size}")
    return found[0], found[1]


def assemble(pieces: Sequence[Piece]) -> Frame:
    """Place pieces in the frame that they make up.

    The frame starts at the least pixel of any DETSEC. Its pixels are those of the finest binning; of a piece that is
    binned coarser, by a whole number, pixels are repeated.

    Parameters
    ----------
    pieces : sequence of Piece
        One or more.

    Raises
    ------
    ValueError
        If the binning of one piece is no multiple of the finest.
    """
    columns, width, along_x = _assemble_axis([(p.detector[0], p.data[0], p.binning[0]) for p in pieces])
    rows, height, along_y = _assemble_axis([(p.detector[1], p.data[1], p.binning[1]) for p in pieces])
    return Frame(width, height, (along_x, along_y), tuple(zip(columns, rows, strict=True)))


def _assemble_axis(spans: Sequence[tuple[Span, Span, int]]) -> tuple[list[Placed], int, int]:
    origin = min(detector.low for detector, _, _ in spans)
    finest = min(binning for _, _, binning in spans)
    placed = []
    for detector, data, binning in spans:
        if binning % finest:
            raise ValueError(f"a binning of {binning} is no multiple of {finest}, the finest")
        repeat = binning // finest
        start = (detector.low - origin) // finest
        flipped = detector.is_reversed != data.is_reversed
        placed.append(Placed(start, data.size * repeat, data.low - 1, data.size, repeat, flipped))
    return placed, max(one.stop for one in placed), finest


def _meet(one: Placed, other: Placed) -> bool:
    return one.start < other.stop and other.start < one.stop
