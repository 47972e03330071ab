"""Sections of a detector: how they are read, and that placing by them equals placing every pixel by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiomatic_dask.readers.fits.detector_sections import Frame, Piece, Span, assemble, parse_section, piece_of


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("[1:2048,1:4096]", ((1, 2048), (1, 4096))),
        ("[4096:2049,1:2048]", ((4096, 2049), (1, 2048))),
        (" [ 10 : 1 , 7 : 7 ] ", ((10, 1), (7, 7))),
        ("[-5:4,0:9]", ((-5, 4), (0, 9))),
    ],
)
def test_sections_are_read(text: str, section: tuple[tuple[int, int], tuple[int, int]]) -> None:
    assert parse_section(text) == tuple(Span(*one) for one in section)


@pytest.mark.parametrize(
    "text",
    ["", "[1:2]", "1:2,3:4", "[1:2,3:4", "[a:b,c:d]", "[1:2,3:4,5:6]", "[1.5:2,3:4]", "[1:9999999999,1:2]", 7, None],
)
def test_what_is_no_section_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"is not of the form \[x1:x2,y1:y2\]"):
        parse_section(text)


def test_span() -> None:
    assert (Span(9, 3).low, Span(9, 3).size, Span(9, 3).is_reversed) == (3, 7, True)
    assert (Span(3, 3).size, Span(3, 3).is_reversed) == (1, False)


BINNED: dict[str, tuple[dict[str, Any], tuple[str, tuple[int, int]]]] = {
    "as stated": ({"DETSEC": "[1:20,1:8]", "DATASEC": "[1:10,1:8]", "CCDSUM": "2 1"}, ("[1:10,1:8]", (2, 1))),
    "by the sizes": ({"DETSEC": "[1:20,1:24]", "DATASEC": "[1:10,1:8]"}, ("[1:10,1:8]", (2, 3))),
    "an odd pixel left over": ({"DETSEC": "[1:21,1:15]", "DATASEC": "[1:10,1:8]"}, ("[1:10,1:8]", (2, 2))),
    "DETSEC in binned pixels": (
        {"DETSEC": "[1:10,1:8]", "DATASEC": "[1:10,1:8]", "CCDSUM": "2 2"},
        ("[1:10,1:8]", (1, 1)),
    ),
    "TRIMSEC": ({"DETSEC": "[1:9,1:8]", "TRIMSEC": "[2:10,1:8]"}, ("[2:10,1:8]", (1, 1))),
    "no section": ({"DETSEC": "[1:12,1:8]"}, ("[1:12,1:8]", (1, 1))),
    "trimmed since": ({"DETSEC": "[1:12,1:8]", "DATASEC": "[5:16,1:8]"}, ("[1:12,1:8]", (1, 1))),
    "DATASEC is nonsense": ({"DETSEC": "[1:9,1:8]", "DATASEC": "none", "TRIMSEC": "[1:9,1:8]"}, ("[1:9,1:8]", (1, 1))),
    "CCDSUM is nonsense": ({"DETSEC": "[1:24,1:8]", "CCDSUM": "x"}, ("[1:12,1:8]", (2, 1))),
}


@pytest.mark.parametrize(("header", "expected"), BINNED.values(), ids=BINNED.keys())
def test_binning(header: dict[str, Any], expected: tuple[str, tuple[int, int]]) -> None:
    """Of an image of 12 × 8."""
    piece = piece_of(header, 12, 8)
    assert (piece.data, piece.binning) == (parse_section(expected[0]), expected[1])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"DETSEC": "[1:2"}, r"DETSEC = '\[1:2' is not of the form"),
        ({"DETSEC": "[1:31,1:8]"}, r"no section of it fits DETSEC = \[1:31,1:8\] \(the whole image: 12 pixels do not"),
        ({"DETSEC": "[1:9,1:9]", "DATASEC": "[0:8,1:8]"}, r"DATASEC: 0:8 lies outside 1:12"),
    ],
)
def test_what_does_not_fit_is_refused(header: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        piece_of(header, 12, 8)


def piece(detector: str, data: str, binning: tuple[int, int] = (1, 1)) -> Piece:
    return Piece(parse_section(detector), parse_section(data), binning)


def test_gaps_and_overlaps() -> None:
    left, right = piece("[11:14,1:5]", "[1:4,1:5]"), piece("[15:18,1:5]", "[1:4,1:5]")
    frame = assemble([left, right])
    assert (frame.width, frame.height, frame.has_gaps, frame.overlaps) == (8, 5, False, ())
    apart = assemble([left, piece("[16:19,1:5]", "[1:4,1:5]")])
    assert (apart.width, apart.has_gaps, apart.overlaps) == (9, True, ())
    third = piece("[14:15,5:6]", "[1:2,1:2]")
    over = assemble([left, right, third])
    assert (over.height, over.has_gaps, over.overlaps) == (6, True, ((0, 2), (1, 2)))


def test_binnings_that_do_not_go_into_one_another() -> None:
    with pytest.raises(ValueError, match="a binning of 3 is no multiple of 2, the finest"):
        assemble([piece("[1:6,1:6]", "[1:3,1:6]", (2, 1)), piece("[7:12,1:6]", "[1:2,1:6]", (3, 1))])


@st.composite
def pieces(draw: st.DrawFn) -> list[tuple[Piece, NDArray[np.int64]]]:
    """Images with prescan and overscan, anywhere, flipped either way, some of them binned twice as coarse."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        spans, sizes, binnings = [], [], []
        for _ in range(2):
            size, before, after = draw(st.integers(1, 6)), draw(st.integers(0, 2)), draw(st.integers(0, 2))
            binning = draw(st.sampled_from([1, 1, 2]))
            start = 2 * draw(st.integers(-3, 8))
            data, detector = (before + 1, before + size), (start + 1, start + size * binning)
            spans.append((detector[:: draw(st.sampled_from([1, -1]))], data[:: draw(st.sampled_from([1, -1]))]))
            sizes.append(before + size + after)
            binnings.append(binning)
        (x_det, x_data), (y_det, y_data) = spans
        one = Piece((Span(*x_det), Span(*y_det)), (Span(*x_data), Span(*y_data)), (binnings[0], binnings[1]))
        pixels = 1000 * number + np.arange(sizes[0] * sizes[1]).reshape(sizes[1], sizes[0])
        found.append((one, pixels))
    return found


def on_detector(given: list[tuple[Piece, NDArray[np.int64]]]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Oracle: put every pixel on an unbinned detector one by one, by FITS numbers; NaN where there is none."""
    value: dict[tuple[int, int], float] = {}
    for one, pixels in given:
        (x_det, y_det), (x_data, y_data) = one.detector, one.data

        def steps(span: Span) -> range:
            return range(span.first, span.last - 1, -1) if span.is_reversed else range(span.first, span.last + 1)

        for j, y in enumerate(steps(y_det)):
            for i, x in enumerate(steps(x_det)):
                row, column = steps(y_data)[j // one.binning[1]], steps(x_data)[i // one.binning[0]]
                value[y, x] = float(pixels[row - 1, column - 1])
    low_y, low_x = min(y for y, _ in value), min(x for _, x in value)
    frame = np.full((max(y for y, _ in value) - low_y + 1, max(x for _, x in value) - low_x + 1), np.nan)
    for (y, x), one_value in value.items():
        frame[y - low_y, x - low_x] = one_value
    return frame, (low_x, low_y)


def by_placements(frame: Frame, images: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    found = np.full((frame.height, frame.width), np.nan)
    for (x, y), pixels in zip(frame.placed, images, strict=True):
        rows, columns = y.indices(np.arange(y.size)), x.indices(np.arange(x.size))
        found[y.start : y.stop, x.start : x.stop] = pixels[np.ix_(rows, columns)]
    return found


@given(given=pieces())
def test_placements_equal_the_detector(given: list[tuple[Piece, NDArray[np.int64]]]) -> None:
    frame = assemble([one for one, _ in given])
    expected, _ = on_detector(given)
    step_x, step_y = frame.binning
    found = by_placements(frame, [pixels for _, pixels in given])
    # All starts are even, so that the finest binning goes into them.
    np.testing.assert_array_equal(found, expected[::step_y, ::step_x])
    assert frame.has_gaps == bool(np.isnan(expected).any())
    covered = sum(x.size * y.size for x, y in frame.placed)
    assert bool(frame.overlaps) == (covered > np.count_nonzero(~np.isnan(found)))


@given(given=pieces())
def test_coordinates_follow_their_pixels(given: list[tuple[Piece, NDArray[np.int64]]]) -> None:
    """What `to_frame` says of a pixel's centre is the middle of the pixels that show it."""
    frame = assemble([one for one, _ in given])
    for placed in (axis for pair in frame.placed for axis in pair):
        scale, shift = placed.to_frame()
        shown = placed.indices(np.arange(placed.size))
        for pixel in set(shown.tolist()):
            middle = np.flatnonzero(shown == pixel).mean() + placed.start + 1
            assert scale * (pixel + 1) + shift == middle
