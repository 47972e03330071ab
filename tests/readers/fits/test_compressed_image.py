"""Tile-compressed images as layers: their headers, what is read of their files, and what is said of broken ones."""

from __future__ import annotations

import dataclasses
import gzip
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.readers.counting_source import CountedPlace, CountingSource
from tests.readers.fits.compressed_files import CASES, CompressedCase, Table
from tests.readers.fits.fits_files import BLOCK, empty_primary, image
from visiomatic_dask.cube import SourceFile, Window
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.fits.compressed_reader import CompressedReader
from visiomatic_dask.readers.fits.format import FITSFormat
from visiomatic_dask.readers.shared_cache import CHUNKS

DITHER = {"quantize_method": 1, "dither_seed": 42}


def written(path: Path, case: CompressedCase) -> CompressedReader:
    case.write(path)
    reader = open_cube(path).layers[0].reader
    assert isinstance(reader, CompressedReader)
    return reader


def table_of(case: CompressedCase, path: Path) -> Table:
    case.write(path)
    return Table.read(path.read_bytes())


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_header_is_that_of_the_image(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits.fz"
    header = fits.Header(
        [
            ("OBJECT", "M 31", "what it is"),
            ("BUNIT", "Jy/beam"),
            ("CTYPE1", "RA---TAN"),
            ("CTYPE2", "DEC--TAN"),
            ("CRVAL1", 10.0),
            ("CTYPE3", "FREQ"),
            ("CRVAL3", 1e9),
            ("CRPIX3", 1.0),
            ("CDELT3", 1e6),
            ("CUNIT3", "Hz"),
            ("NOTE", "long " * 40),
            ("ZPOINT", 25.0, "begins with Z, but is the image's"),
            ("TELESCOP", "begins with T"),
        ]
    )
    header.add_history("made by a test")
    header.add_comment("no comment")
    pixels = np.arange(2 * 9 * 11, dtype=np.int16).reshape(2, 9, 11)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header, name="SCI")]).writeto(path)
    (layer,) = open_cube(path).layers
    with fits.open(path) as hdus:
        oracle = hdus[1].header
    again = fits.Header.fromstring(layer.header_text)
    assert list(again) == list(oracle)
    assert [str(card.value) for card in again.cards] == [str(card.value) for card in oracle.cards]
    assert list(again)[:6] == ["XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3"]
    assert again["HISTORY"][0] == "made by a test"
    assert layer.unit == "Jy/beam"
    assert [axis.name for axis in layer.axes] == ["frequency", "y", "x"]
    assert layer.axes[0].coordinates == (1e9, 1.001e9)
    assert layer.wcs.frame == "icrs"


def test_layers_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits"
    pixels = np.arange(20, dtype=np.int16).reshape(4, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdus = [
            fits.PrimaryHDU(pixels),
            fits.CompImageHDU(pixels + 1, name="SCI"),
            fits.ImageHDU(pixels + 2),
            fits.CompImageHDU(pixels + 3, name="SCI", header=fits.Header([("EXTVER", 2)])),
            fits.BinTableHDU.from_columns([fits.Column("x", "D", array=[1.0])], name="ROWS"),
            fits.CompImageHDU(pixels + 4),
            fits.CompImageHDU(pixels[0]),
        ]
        fits.HDUList(hdus).writeto(path)
    cube = open_cube(path)
    assert [layer.name for layer in cube.layers] == ["PRIMARY", "SCI", "2", "SCI,2", "COMPRESSED_IMAGE"]
    for index, layer in enumerate(cube.layers):
        np.testing.assert_array_equal(layer.reader.read(Window.whole((4, 5))), pixels + index)


@pytest.mark.parametrize("names", [("COMPRESSED_IMAGE", "CCD01"), ("CCD01", "COMPRESSED_IMAGE")])
def test_the_name_that_archives_add_gives_way(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "cube.fits"
    table = table_of(CompressedCase("names", "i2"), path)
    table.header["EXTNAME"] = names[0]
    table.header.append(("EXTNAME", names[1]))
    table.write(path)
    (layer,) = open_cube(path).layers
    assert layer.name == "CCD01"
    assert layer.header["EXTNAME"] == "CCD01"


def test_scale_and_zero_as_keywords(tmp_path: Path) -> None:
    """The standard lets them be keywords, which astropy does not read: the same numbers in columns are its oracle."""
    path = tmp_path / "cube.fits"
    table = table_of(CompressedCase("keywords", "f4", tile=(10, 20), options=DITHER), path)
    rows = len(table.columns["ZSCALE"][1])
    columns: dict[str, Any] = {
        "ZSCALE": ("1D", np.full((rows, 1), 0.25, ">f8")),
        "ZZERO": ("1D", np.full((rows, 1), -3.0, ">f8")),
    }
    table.having(**columns).write(path)
    with fits.open(path) as hdus:
        pixels = hdus[1].data
    table.header["ZSCALE"], table.header["ZZERO"] = 0.25, -3.0
    table.having(ZSCALE=None, ZZERO=None).write(path)
    (layer,) = open_cube(path).layers
    np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), pixels)


def test_blank_of_floats_is_no_complaint(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits"
    next(case for case in CASES if case.id == "BLANK of floats").write(path)
    assert open_cube(path).layers[0].warnings == ()


def test_heap_behind_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits"
    case = CompressedCase("gap", "i2", tile=(10, 20))
    table_of(case, path).write(path, gap=1234)
    (layer,) = open_cube(path).layers
    np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), case.pixels)


def large(path: Path) -> CompressedReader:
    """A file of 1,500 rows of tiles, three to a row."""
    case = CompressedCase("large", "i2", shape=(1500, 90), tile=(1, 30), algorithm="NOCOMPRESS")
    return written(path, case)


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits"
    inner = large(path)
    counted = CountingSource(SourceFile.of(path))
    cube = FITSFormat().open(CountedPlace(counted, path.name), path.name)  # type: ignore[arg-type]
    assert counted.bytes_read <= 4 * BLOCK  # headers, and not the 36 kB of descriptors
    reader = dataclasses.replace(inner, source=(source := CountingSource(inner.source)))
    CHUNKS.clear()
    window = Window((700, 35), (710, 40))
    pixels = reader.read(window)
    rows, tiles = source.calls
    assert rows == [(reader.table.offset + 2 * 8192, 8192)]
    assert [size for _, size in tiles] == [60] * 10  # the middle one of each three
    assert cube.layers[0].reader.chunks == (1, 30)
    # Again, and overlapping: what is there is not read again.
    np.testing.assert_array_equal(reader.read(window), pixels)
    assert len(source.calls) == 2
    reader.read(Window((700, 0), (720, 90)))
    assert len(source.calls) == 3
    # Tiles that follow one another are one range: 1 and 3 of each of ten rows, then all of ten rows
    assert sum(size for _, size in source.calls[2]) == (10 * 2 + 10 * 3) * 60
    assert len(source.calls[2]) == 11
    # A step over tiles leaves them out.
    CHUNKS.clear()
    reader.read(Window((0, 0), (1000, 30), (100, 1)))
    assert sum(size for _, size in source.calls[-1]) == 10 * 60


def test_tiles_are_shared_but_windows_are_not(tmp_path: Path) -> None:
    reader = large(tmp_path / "cube.fits")
    CHUNKS.clear()
    whole = Window.whole(reader.shape)
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(reader.read, [whole] * 16))
    many[0][...] = -1
    for one in many[1:]:
        assert one.min() > -32768 / 3 - 1
        np.testing.assert_array_equal(one, many[1])
    np.testing.assert_array_equal(reader.read(whole), many[1])


@pytest.mark.parametrize("algorithm", ["HCOMPRESS_1", "RICE_1", "PLIO_1", "GZIP_2"])
def test_codecs_in_many_threads(tmp_path: Path, algorithm: str) -> None:
    """The C code of HCOMPRESS has static variables: without a lock this fails."""
    case = CompressedCase("threads", "i4", shape=(256, 256), tile=(32, 32), algorithm=algorithm)
    reader = written(tmp_path / "cube.fits", case)
    tiles = [Window((y, x), (y + 32, x + 32)) for y in range(0, 256, 32) for x in range(0, 256, 32)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            CHUNKS.clear()
            for window, pixels in zip(tiles, pool.map(reader.read, tiles), strict=True):
                np.testing.assert_array_equal(pixels, case.pixels[window.slices])


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no data": ({}, {"count": 0}, "it has no data"),
    "beyond the heap": ({}, {"offset": 2**31 - 5}, "beyond the heap"),
    "RICE is cut": ({}, {"count": 9}, "hit end of compressed byte stream"),
    "gzip is cut": ({"algorithm": "GZIP_1"}, {"count": 30}, "its gzip stream is cut off"),
    "gzip is none": ({"algorithm": "GZIP_2"}, {"offset": 3}, "gzip: "),
    "NOCOMPRESS of too few": ({"algorithm": "NOCOMPRESS"}, {"count": 41}, "unpacks to 41 bytes for 53 pixels"),
    "HCOMPRESS is none": ({"algorithm": "HCOMPRESS_1", "tile": (16, 20)}, {"offset": 3}, "no HCOMPRESS stream"),
    "HCOMPRESS is short": ({"algorithm": "HCOMPRESS_1", "tile": (16, 20)}, {"count": 9}, "too short for HCOMPRESS"),
    "PLIO is cut": ({"algorithm": "PLIO_1"}, {"count": 7}, "does not end within it"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_tile_is_named(tmp_path: Path, name: str) -> None:
    """And others are read all the same."""
    options, change, reason = BROKEN[name]
    path = tmp_path / "cube.fits"
    case = CompressedCase("damaged", "i2", **options)
    table = table_of(case, path)
    form = table.columns["COMPRESSED_DATA"][0]
    packed = table.column("COMPRESSED_DATA", ">i4").copy()
    count, offset = (int(one) for one in packed[1])
    packed[1] = change.get("count", count), min(offset + change.get("offset", 0), 2**31 - 1)
    table.having(COMPRESSED_DATA=(form, packed)).write(path)
    (layer,) = open_cube(path).layers
    with pytest.raises(
        UnreadableCube, match=rf"^cube\.fits: compressed tile 2 of \d+, .*, is damaged: .*{reason}"
    ) as caught:
        layer.reader.read(Window.whole(layer.shape))
    assert str(tmp_path) not in str(caught.value)
    last = Window((36, 0), (37, 53))
    np.testing.assert_array_equal(layer.reader.read(last), case.pixels[last.slices])


@pytest.mark.parametrize("algorithm", ["RICE_1", "GZIP_1", "HCOMPRESS_1", "PLIO_1"])
def test_rubbish_never_crashes(tmp_path: Path, algorithm: str) -> None:
    """Whatever stands in the heap, there are pixels or there is a sentence."""
    path = tmp_path / "cube.fits"
    table = table_of(CompressedCase("rubbish", "i2", tile=(16, 20), algorithm=algorithm), path)
    random = np.random.default_rng(1)
    for _ in range(60):
        heap = np.frombuffer(table.heap, np.uint8).copy()
        heap[random.integers(0, heap.size, 40)] = random.integers(0, 256, 40)
        dataclasses.replace(table, heap=heap.tobytes()).write(path)
        (layer,) = open_cube(path).layers
        for y, x in ((0, 0), (16, 20), (36, 52)):
            try:
                assert layer.reader.read(Window((y, x), (y + 1, x + 1))).shape == (1, 1)
            except UnreadableCube as error:
                assert "is damaged" in str(error)  # noqa: PT017


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A tile that holds more than its pixels is refused before it fills the memory."""
    path = tmp_path / "cube.fits"
    table = table_of(CompressedCase("bomb", "i2", algorithm="GZIP_1"), path)
    bomb = gzip.compress(bytes(10**8))
    packed = table.column("COMPRESSED_DATA", ">i4").copy()
    packed[:] = len(bomb), 0
    form = table.columns["COMPRESSED_DATA"][0]
    dataclasses.replace(table, heap=bomb).having(COMPRESSED_DATA=(form, packed)).write(path)
    (layer,) = open_cube(path).layers
    with pytest.raises(UnreadableCube, match="unpacks to more than 424 bytes for 53 pixels"):
        layer.reader.read(Window((0, 0), (1, 1)))


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "algorithm": ({"ZCMPTYPE": "BZIP2"}, UnsupportedFormat, "SCI is compressed by BZIP2 .*allowed: RICE_1"),
    "dither": ({"ZQUANTIZ": "DITHER_9"}, UnsupportedFormat, "RICE_1 with DITHER_9; allowed: .*SUBTRACTIVE_DITHER_2"),
    "seed": ({"ZDITHER0": 0}, UnreadableCube, "ZDITHER0 is 0; allowed: 1 to 10000"),
    "tiles": ({"ZTILE2": 0}, UnreadableCube, r"its tiles are \[53, 0\]; allowed: whole numbers from 1"),
    "more tiles than rows": ({"ZTILE1": 5}, UnreadableCube, "has 407 compressed tiles, but its table 37 rows"),
    "bytes": ({"ZVAL2": 3}, UnreadableCube, "RICE with BYTEPIX 3"),
    "heap": ({"THEAP": 5}, UnreadableCube, "THEAP is 5"),
    "no size": ({"ZNAXIS2": None}, UnsupportedFormat, "no image of 2 to 5 axes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    cards, error, reason = REFUSED[name]
    path = tmp_path / "cube.fits"
    table = table_of(CompressedCase("refused", "f4", options=DITHER), path)
    for key, value in cards.items():
        if value is None:
            del table.header[key]
        else:
            table.header[key] = value
    table.write(path)
    with pytest.raises(error, match=reason) as caught:
        open_cube(path)
    assert str(caught.value).startswith("cube.fits")


def test_one_table_that_is_no_image_does_not_hide_others(tmp_path: Path) -> None:
    path = tmp_path / "cube.fits"
    table = table_of(CompressedCase("hidden", "i2"), path)
    del table.header["ZNAXIS2"]
    table.write(path)
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    broken = path.read_bytes()[BLOCK:]
    path.write_bytes(empty_primary() + broken + image(pixels, -32, {}, extension=True))
    (layer,) = open_cube(path).layers
    np.testing.assert_array_equal(layer.reader.read(Window.whole((3, 4))), pixels)


REAL = {
    "astropy/comp.fits": {"COMPRESSED_IMAGE": ((300, 440), (1, 440), "int16")},
    "fitsio/test_rice_dither2_seed42.fits.fz": {"1": ((100, 100), (1, 100), "float64")},
    "fitsjs/CFHTLS_03_g_sci.fits.fz": {"COMPRESSED_IMAGE": ((401, 401), (1, 401), "float32")},
    "legacypipe/c4d_130105_065255_ood_r_a1-N15.fits.fz": {"N15": ((375, 280), (1, 280), "int32")},
    "legacypipe/c4d_130105_065255_ooi_r_a1-N15.fits.fz": {"N15": ((375, 280), (1, 280), "float32")},
    "nom-tam-fits/m13_gzip.fits": {"COMPRESSED_IMAGE": ((300, 300), (1, 300), "int16")},
    "nom-tam-fits/m13_hcomp.fits": {"COMPRESSED_IMAGE": ((300, 300), (300, 300), "int16")},
    "nom-tam-fits/m13_plio.fits": {"COMPRESSED_IMAGE": ((300, 300), (1, 300), "int16")},
    "nom-tam-fits/m13_rice.fits": {"COMPRESSED_IMAGE": ((300, 300), (1, 300), "int16")},
    "nom-tam-fits/m13real_rice.fits": {"COMPRESSED_IMAGE": ((300, 300), (1, 300), "float32")},
    "profound/r.fits": {"1": ((2600, 2600), (16, 2600), "float32")},
}


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
@pytest.mark.parametrize("name", REAL)
def test_real_files_equal_astropys(real_files: Path, name: str) -> None:
    layers = open_cube(real_files / name).layers
    assert {one.name: (one.shape, one.reader.chunks, str(one.dtype)) for one in layers} == REAL[name]
    with fits.open(real_files / name) as hdus:
        images = [hdu for hdu in hdus if isinstance(hdu, fits.CompImageHDU)]
        for hdu, layer in zip(images, layers, strict=True):
            pixels, header = hdu.data, hdu.header
            np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), pixels)
            random = np.random.default_rng(0)
            for _ in range(20):
                start = tuple(int(random.integers(n)) for n in layer.shape)
                stop = tuple(int(random.integers(a, n)) + 1 for a, n in zip(start, layer.shape, strict=True))
                window = Window(start, stop, tuple(int(random.integers(1, 4)) for _ in start))
                np.testing.assert_array_equal(layer.reader.read(window), pixels[window.slices])
            ours = {key: value for key, value in layer.header.items() if key != "EXTNAME"}
            theirs = {key: header[key] for key in header if key not in ("EXTNAME", "HISTORY", "COMMENT", "")}
            assert ours == theirs
