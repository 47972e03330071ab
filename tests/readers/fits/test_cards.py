"""Cards as this package reads them equal astropy's; commentary costs nothing and is not lost."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.readers.counting_source import CountedPlace, CountingSource
from tests.readers.fits.fits_files import BLOCK, empty_primary, header_bytes, image, image_cards, padded
from visiomatic_dask.cube import SourceFile, Window
from visiomatic_dask.readers import open_cube, xarray_backend
from visiomatic_dask.readers.fits.cards import read_cards, without_commentary
from visiomatic_dask.readers.fits.format import FITSFormat
from visiomatic_dask.readers.fits.header import json_header, read_hdus

CARDS = [
    "SIMPLE  =                    T / conforms",
    "BITPIX  =                  -32",
    "INT     =                   42 / an integer",
    "INTEGER =+007/no blank before the comment",
    "NEGATIVE=                  -42",
    "LARGE   =  9223372036854775807",
    "REAL    =                 -1.5",
    "POINT   =                  1. /",
    "POINTED =                   .5",
    "EXPONENT=               1.5E-3",
    "DOUBLE  =              -1.5D10",
    "INTEXP  =                  1E5",
    "INFINITE=                1E999",
    "FALSE   =                    F",
    "TEXT    = 'it''s / text  '     / a comment with 'quotes'",
    "EMPTY   = ''",
    "BLANKS  = '   '",
    "SLASH   = 'a/b'/c",
    "UNDEF   =                      / nothing",
    "COMPLEX = (1.0, 2.0)",
    "A-B_C   =                    1",
    "HIERARCH ESO TEL ALT = 45.5 / degrees",
    "HIERARCH ESO NAME = 'a name'",
    "HIERARCH  A.B = 3",
    "LONG    = 'a string that goes on and &'",
    "CONTINUE  'on, over &'",
    "CONTINUE  'three cards' / at last",
    "lower   =                    5",
    "NOVALUE is what this card has",
    "SPACES  =                1 2 3",
    "FREE=1.25",
    "BARE    = a text without quotes",
    "DP1     = 'NAXES: 2' / a record",
    "NOTE    = 'note: it is no record'",
    "TIME    = '2001-02-03T04:05:06'",
    "TWICE   =                    1",
    "TWICE   =                    2",
    "HISTORY it was made",
    "COMMENT = 'not a value'",
    "        nothing at all",
    "",
    "HISTORY and changed",
    "ENDING  =                    1",
]


def raw(*cards: str) -> bytes:
    return "".join(card.ljust(80) for card in cards).encode("ascii")


def by_astropy(cards: bytes) -> fits.Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = fits.Header.fromstring(cards)
        for card in header.cards:
            card.verify("silentfix")
    return header


@pytest.mark.parametrize("card", [*CARDS[:24], *CARDS[27:]])
def test_a_card_equals_astropys(card: str) -> None:
    read = read_cards(raw(card))
    assert read.values == json_header(by_astropy(raw(card)))
    assert [type(value) for value in read.values.values()] == [
        type(value) for value in json_header(by_astropy(raw(card))).values()
    ]


def test_a_header_equals_astropys() -> None:
    read, oracle = read_cards(raw(*CARDS)), by_astropy(raw(*CARDS))
    assert read.values == json_header(oracle)
    assert read.values["LONG"] == "a string that goes on and on, over three cards"
    assert list(read.values) == list(json_header(oracle))
    again = by_astropy(read.text[:-80].encode())
    assert read.values["DP1.NAXES"] == 2
    assert [(c.keyword, str(c.value)) for c in again.cards] == [(c.keyword, str(c.value)) for c in oracle.cards]
    assert not {"HISTORY", "COMMENT", ""}.intersection(read.header)
    assert read.header["TWICE"] == oracle["TWICE"] == 1
    assert list(without_commentary(read.text)) == list(read.header)


def test_standard_cards_stand_as_they_are() -> None:
    standard = [*CARDS[:18], *CARDS[20:23], *CARDS[32:]]
    assert read_cards(raw(*standard)).text == "".join(card.ljust(80) for card in standard) + "END".ljust(80)


def test_what_is_no_text() -> None:
    cards = raw("OBJECT  = 'M 31'", "OBSERVER= 'Andr\x7f'")
    read = read_cards(cards.replace(b"M 31", b"M\x0031").replace(b"\x7f", b"\xe9"))
    assert read.values == {"OBJECT": "M 31", "OBSERVER": "Andr?"}
    assert read.warnings == ("characters that are not ASCII are shown as ?",)
    assert read_cards(raw("QUESTION= 'why?'")).warnings == ()


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_real_headers_equal_astropys(real_files: Path) -> None:
    count = 0
    for path in sorted(real_files.glob("*/*.fits")):
        size = path.stat().st_size
        if path.read_bytes()[:6] != b"SIMPLE":
            continue
        with path.open("rb") as file:
            hdus = read_hdus(file, size, path.name)
        with fits.open(path, ignore_missing_end=True, disable_image_compression=True) as oracle:
            for hdu in hdus:
                header = oracle[hdu.index].header
                for card in header.cards:
                    card.verify("silentfix")
                ours = hdu if hdu.table is None else hdu.table
                assert ours.cards.values == json_header(header), (path.name, hdu.index)
                assert [key for key, _ in ours.cards.groups if key in ("HISTORY", "COMMENT")] == [
                    key for key in header if key in ("HISTORY", "COMMENT")
                ]
                count += 1
    assert count > 50


def commented(count: int) -> bytes:
    """A primary header with `count` cards of commentary around a WCS, and an image."""
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0, "CDELT1": -0.1, "CDELT2": 0.1}
    cards = header_bytes(image_cards((4, 5), -32, wcs)).rstrip()[:-3].rstrip().decode()
    said = ("HISTORY", "COMMENT", "")
    commentary = "".join(f"{said[i % 3]:8}line {i}, CRVAL1  = 1, END".ljust(80) for i in range(count))
    text = (cards.ljust(-(-len(cards) // 80) * 80) + commentary + "LAST    =                    1".ljust(80)).encode()
    return padded(text + b"END".ljust(80)).replace(b"\0", b" ") + padded(np.ones((4, 5), ">f4").tobytes())


def test_commentary_is_kept_but_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """44,000 cards of it, none of which becomes a card of astropy, neither at opening nor for the WCS."""
    path = tmp_path / "history.fits"
    path.write_bytes(commented(44_000))
    made = 0
    fromstring = fits.Card.fromstring.__func__

    def counted(cls: type[fits.Card], image: str) -> fits.Card:
        nonlocal made
        made += 1
        return fromstring(cls, image)

    monkeypatch.setattr(fits.Card, "fromstring", classmethod(counted))
    (layer,) = open_cube(path).layers
    array = xarray_backend.open_cube(path)
    assert array.visiomatic.wcs.wcs.crval.tolist() == [10.0, 20.0]
    assert 0 < made < 1000
    assert layer.warnings == ()
    assert layer.header["LAST"] == 1
    assert "HISTORY" not in layer.header
    assert layer.wcs.frame == "icrs"
    assert layer.reader.read(Window.whole((4, 5))).sum() == 20
    assert len(layer.header_text) > 44_000 * 80
    header = array.visiomatic.header
    assert (len(header["HISTORY"]), len(header["COMMENT"])) == (14_667, 14_667)
    assert header["HISTORY"][-1] == "line 43998, CRVAL1  = 1, END"


def many(path: Path, count: int, pixels: int) -> None:
    """A file of `count` extensions, each of 60 cards and a square of zeros that take no room on the disk."""
    cards = {f"KEY{i}": (i, 1.5 * i, f"text {i}", i % 8 == 3)[i % 4] for i in range(49)}
    header = header_bytes(image_cards((pixels, pixels), -32, cards, extension=True))
    with path.open("wb") as file:
        file.write(empty_primary())
        for _ in range(count):
            file.write(header)
            file.seek(math.ceil(4 * pixels**2 / BLOCK) * BLOCK, 1)
        file.truncate()


@pytest.mark.parametrize(("count", "pixels"), [(120, 4096), (2, 100_000)])
def test_opening_reads_headers_alone(tmp_path: Path, count: int, pixels: int) -> None:
    """Less than 1 MB, however much data lie between them (8 GB and 80 GB)."""
    path = tmp_path / "many.fits"
    many(path, count, pixels)
    source = CountingSource(SourceFile.of(path))
    cube = FITSFormat().open(CountedPlace(source, path.name), path.name)  # type: ignore[arg-type]
    assert len(cube.layers) == count
    assert source.bytes_read < 10**6
    assert json.dumps(cube.layers[-1].header)
    assert cube.layers[-1].header["KEY48"] == 48


def test_one_long_header_is_read_in_few_calls(tmp_path: Path) -> None:
    path = tmp_path / "history.fits"
    path.write_bytes(commented(44_000))
    source = CountingSource(SourceFile.of(path))
    FITSFormat().open(CountedPlace(source, path.name), path.name)  # type: ignore[arg-type]
    assert len(source.calls) < 20
    assert source.bytes_read < 2 * path.stat().st_size


def test_long_strings_survive(tmp_path: Path) -> None:
    """A string over many cards, in a header that ends in the last card of a block."""
    text = "long, it's " * 60
    for extra in range(36):
        cards = {"NOTE": text} | {f"K{i}": i for i in range(extra)}
        path = tmp_path / f"{extra}.fits"
        path.write_bytes(image(np.full((2, 3), 7, np.float32), -32, cards))
        (layer,) = open_cube(path).layers
        assert layer.header["NOTE"] == text.rstrip()
        assert without_commentary(layer.header_text)["NOTE"] == text.rstrip()
        assert layer.reader.read(Window.whole((2, 3))).sum() == 42
