"""Opening FITS: which HDUs become layers, their names and axes, and what is refused."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.readers.fits.fits_files import BLOCK, empty_primary, header_bytes, image, image_cards, table
from visiomatic_dask.cube import Cube, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube

RADIO = {
    "CTYPE1": "RA---SIN",
    "CRVAL1": 83.8,
    "CDELT1": -1e-4,
    "CRPIX1": 2.0,
    "CUNIT1": "deg",
    "CTYPE2": "DEC--SIN",
    "CRVAL2": -5.4,
    "CDELT2": 1e-4,
    "CRPIX2": 2.0,
    "CUNIT2": "deg",
    "CTYPE3": "FREQ",
    "CRVAL3": 1.0e11,
    "CDELT3": 1.0e6,
    "CRPIX3": 2.0,
    "CUNIT3": "Hz",
    "CTYPE4": "STOKES",
    "CRVAL4": 1.0,
    "CDELT4": 1.0,
    "CRPIX4": 1.0,
    "BUNIT": " Jy/beam ",
    "OBJECT": "Orion",
}


def opened(path: Path, *parts: bytes) -> Cube:
    path.write_bytes(b"".join(parts))
    return open_cube(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cube.fits"


def zeros(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.zeros(shape, np.float32)


def test_a_cube_is_described(file: Path) -> None:
    cube = opened(file, image(zeros(2, 3, 4, 5), -32, RADIO))
    assert cube.name == "cube.fits"
    assert cube.fingerprint == SourceFile.of(file).fingerprint
    (layer,) = cube.layers
    assert (layer.name, layer.unit, layer.shape, layer.channels) == ("PRIMARY", "Jy/beam", (2, 3, 4, 5), 6)
    assert (layer.width, layer.height) == (5, 4)
    assert [axis.name for axis in layer.axes] == ["stokes", "frequency", "y", "x"]
    assert [axis.kind for axis in layer.axes] == ["stokes", "spectral", "y", "x"]
    assert [axis.size for axis in layer.axes] == [2, 3, 4, 5]
    assert layer.axes[1].coordinates == pytest.approx((9.9999e10, 1e11, 1.00001e11), rel=1e-12)
    assert layer.axes[0].coordinates == (1.0, 2.0)
    assert layer.axes[2].coordinates is None
    assert layer.warnings == ()
    assert layer.header["OBJECT"] == "Orion"
    assert fits.Header.fromstring(layer.header_text)["CRVAL3"] == 1e11
    assert layer.wcs.frame == "icrs"


def test_header_is_json(file: Path) -> None:
    """Undefined values, commentary and long strings all go through JSON and back."""
    cards = {"NOTE": "it's " + "long " * 40, "FLAG": True, "COUNT": 2**62, "TINY": 1e-300, "UNDEF": None}
    header = opened(file, image(zeros(2, 2), -32, cards)).layers[0].header
    assert json.loads(json.dumps(header, allow_nan=False)) == header
    assert header["NOTE"] == str(cards["NOTE"]).rstrip()
    assert header["FLAG"] is True
    assert header["COUNT"] == 2**62
    assert "UNDEF" not in header


def test_layers_and_their_names(file: Path) -> None:
    def extension(cards: dict[str, Any], *shape: int) -> bytes:
        return image(zeros(*shape), -32, cards, extension=True)

    cube = opened(
        file,
        empty_primary(),
        extension({}, 2, 3),
        extension({"EXTNAME": "SCI"}, 2, 3),
        extension({"EXTNAME": "SCI", "EXTVER": 2}, 2, 4),
        table(),
        extension({"EXTNAME": "SPECTRUM"}, 9),  # one axis: left out
        extension({"EXTNAME": "SCI", "EXTVER": 1}, 2, 5),
        extension({"EXTNAME": "SCI_1"}, 3, 3),
        extension({"EXTNAME": "  "}, 3, 4),
    )
    names = [layer.name for layer in cube.layers]
    assert names == ["1", "SCI_2", "SCI,2", "SCI_3", "SCI_1", "8"]
    assert [layer.width for layer in cube.layers] == [3, 3, 4, 5, 3, 4]
    assert cube.layer("SCI_1").shape == (3, 3)


def test_axes_of_one_kind_are_told_apart(file: Path) -> None:
    layer = opened(file, image(zeros(2, 2, 2, 2), -32, {"CTYPE3": "FREQ", "CTYPE4": "FREQ-LSR"})).layers[0]
    assert [axis.name for axis in layer.axes] == ["frequency_1", "frequency_2", "y", "x"]


@pytest.mark.parametrize(
    ("cards", "warning"),
    [
        ({"BLANK": -1}, "BLANK = -1 is ignored: it is defined for integers only"),
        ({"BSCALE": "two"}, "BSCALE = 'two' is ignored: it is not a number"),
        ({"BZERO": True}, "BZERO = True is ignored: it is not a number"),
    ],
)
def test_nonsense_is_ignored_with_a_warning(file: Path, cards: dict[str, Any], warning: str) -> None:
    layer = opened(file, image(zeros(2, 2) + 7, -32, cards)).layers[0]
    assert warning in layer.warnings
    np.testing.assert_array_equal(layer.reader.read(Window.whole((2, 2))), np.full((2, 2), 7.0, np.float32))


@pytest.mark.parametrize("tail", [bytes(5000), b" " * 300, bytes(1)], ids=["zeros", "blanks", "one byte"])
def test_padding_is_no_complaint(file: Path, tail: bytes) -> None:
    cube = opened(file, image(zeros(2, 2), -32, {}), tail)
    assert cube.layers[0].warnings == ()


@pytest.mark.parametrize("tail", [b"rubbish" * 1000, b"XTENSION= 'IMAGE   '", b"XTENSION" + bytes(4000)])
def test_rubbish_at_the_end_is_left_out(file: Path, tail: bytes) -> None:
    cube = opened(file, image(zeros(2, 2), -32, {}), tail)
    assert cube.layers[0].warnings == ("what follows HDU 0 is no FITS header and is left out",)


def test_no_padding_at_the_end(file: Path) -> None:
    cube = opened(file, image(zeros(2, 2) + 3, -32, {})[: BLOCK + 16])
    assert cube.layers[0].reader.read(Window.whole((2, 2))).sum() == 12


REFUSED: dict[str, tuple[bytes, type[Exception], str]] = {
    "no image": (empty_primary(), UnsupportedFormat, r"holds no image of 2 to 5 axes; found: HDU 0 \(primary\)"),
    "table alone": (empty_primary() + table(), UnsupportedFormat, r"found: .*HDU 1 \(BINTABLE\)"),
    "one axis": (image(zeros(9), -32, {}), UnsupportedFormat, r"a spectrum or another array of one axis \(9 pixels\)"),
    "six axes": (image(zeros(2, 2, 2, 2, 2, 2), -32, {}), UnsupportedFormat, "no image of 2 to 5 axes"),
    "an axis of 0": (header_bytes(image_cards((0, 5), -32, {})), UnsupportedFormat, "no image of 2 to 5 axes"),
    "groups": (header_bytes(image_cards((5, 0), -32, {"GROUPS": True})), UnsupportedFormat, "random groups"),
    "BITPIX 12": (header_bytes(image_cards((2, 2), 12, {})), UnreadableCube, "BITPIX is 12; allowed: 8, 16, 32, 64"),
    "truncated": (image(zeros(999, 9), -32, {})[:9000], UnreadableCube, "truncated: PRIMARY needs 35,964 bytes"),
    "negative axis": (header_bytes(image_cards((-3, 5), -32, {})), UnreadableCube, "negative size"),
    "no NAXIS": (header_bytes({"SIMPLE": True, "BITPIX": 8}), UnreadableCube, "NAXIS"),
    "NAXIS2 is missing": (header_bytes({"SIMPLE": True, "BITPIX": 8, "NAXIS": 2}), UnreadableCube, "NAXIS1"),
    "no END": (b"SIMPLE  =                    T".ljust(BLOCK * 3), UnreadableCube, "it has no END card"),
    "cut header": (empty_primary()[:100], UnreadableCube, "cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_the_reason(file: Path, case: tuple[bytes, type[Exception], str]) -> None:
    content, error, reason = case
    with pytest.raises(error, match=reason) as caught:
        opened(file, content)
    assert type(caught.value) is error
    assert str(caught.value).startswith("cube.fits")
    assert str(file.parent) not in str(caught.value)


def bytes_read() -> int:
    """Bytes this process has read so far, from disk or cache."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("no /proc/self/io on this system: reads cannot be counted")
    return int(counters.read_text().split()[1])


SPARSE: dict[str, tuple[bytes, int]] = {
    "an image of 1 TB": (header_bytes(image_cards((500_000, 500_000), -32, {})), 0),
    "a cube of 1 TB": (header_bytes(image_cards((4000, 8000, 7812), -32, {})), 0),
    "1 TB of padding": (image(zeros(3, 3), -32, {}), 0),
    "1 TB of rubbish": (image(zeros(3, 3), -32, {}) + b"XTENSION= 'IMAGE   '", 64 * 2**20),
}


@pytest.mark.parametrize("case", SPARSE.values(), ids=SPARSE.keys())
def test_a_terabyte_opens_at_once(file: Path, case: tuple[bytes, int]) -> None:
    """From its headers alone: less is read than 2 MiB (64, where an END card is looked for in vain)."""
    content, allowed = case
    file.write_bytes(content)
    os.truncate(file, 10**12 + 2 * BLOCK)
    before, start = bytes_read(), time.perf_counter()
    cube = open_cube(file)
    seconds, read = time.perf_counter() - start, bytes_read() - before
    assert read < (allowed or 2 * 2**20)
    assert seconds < 1
    reader = cube.layers[0].reader
    end = tuple(reader.shape)
    window = Window(tuple(n - 1 for n in end), end)
    assert reader.read(window).reshape(()) == 0
    assert math.prod(end) >= 9


def test_a_header_without_end_is_not_searched_forever(file: Path) -> None:
    file.write_bytes(b"SIMPLE  =                    T".ljust(80))
    os.truncate(file, 10**12)
    before = bytes_read()
    with pytest.raises(UnreadableCube, match="it has no END card"):
        open_cube(file)
    assert bytes_read() - before < 64 * 2**20
