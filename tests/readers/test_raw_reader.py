"""The raw reader keeps the contract, over a table of all that a plain FITS image can be; astropy is the oracle."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from tests.readers.counting_source import CountingSource
from tests.readers.fits.fits_files import CASES, FITSCase
from visiomatic_dask.cube import Reader, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.raw_reader import RawReader


def by_astropy(path: Path, hdu: int, case: FITSCase) -> NDArray[Any]:
    """Pixels as astropy reads them, but for two things in which the FITS standard says otherwise (section 4.4.2.5).

    BLANK = 0 is a BLANK (astropy 8 tests it for truth), and one that comes with the unsigned convention counts too
    (astropy takes the values for plain unsigned integers).
    """
    blank = case.cards.get("BLANK")
    special = blank is not None and (blank == 0 or case.id.startswith("unsigned"))
    with fits.open(path, memmap=False, uint=not special) as hdus:
        pixels = np.array(hdus[hdu].data)
    if special:
        pixels = pixels.astype(np.float32 if case.bitpix <= 16 else np.float64)
        pixels[case.stored == blank] = np.nan
    return pixels


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """The table as files, opened by us and read by astropy."""
    folder = tmp_path_factory.mktemp("fits")
    found = {}
    for index, case in enumerate(CASES):
        path = folder / f"{index}.fits"
        hdu = case.write(path)
        found[case.id] = Source(path, open_cube(path).layer(case.layer).reader, by_astropy(path, hdu, case))
    return found


class TestRawReader(ReaderContract):
    @pytest.fixture(params=[case.id for case in CASES])
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        (layer,) = open_cube(path).layers
        return layer.reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = source.reader
        assert isinstance(reader, RawReader)
        os.truncate(path, reader.offset + reader.source_itemsize * source.pixels.size - 1)
        with pytest.raises(UnreadableCube, match="is truncated"):
            open_cube(path)
        return dataclasses.replace(reader, source=SourceFile.of(path))


def test_table_has_what_it_says() -> None:
    """Every case with a BLANK has such pixels, where the stored type allows."""
    for case in CASES:
        if "BLANK" in case.cards and case.cards["BLANK"] != -1:
            assert np.count_nonzero(case.stored == case.cards["BLANK"]) >= 2, case.id
    assert len({case.id for case in CASES}) == len(CASES)


def test_whole_rows_are_one_read(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.id == "shape (4, 3, 70, 300)")
    path = tmp_path / "counted.fits"
    case.write(path)
    reader = open_cube(path).layers[0].reader
    assert isinstance(reader, RawReader)
    source = CountingSource(reader.source)
    dataclasses.replace(reader, source=source).read(Window((1, 0, 10, 0), (3, 2, 20, 300)))
    plane, row = 70 * 300 * 2, 300 * 2
    first = reader.offset
    assert source.calls == [[(first + (3 * c + s) * plane + 10 * row, 10 * row) for c in (1, 2) for s in (0, 1)]]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "one.fits"
    CASES[0].write(path)
    reader = open_cube(path).layers[0].reader
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else None
    if before is None:
        pytest.skip("no /proc on this system: descriptors cannot be counted")
    for _ in range(20):
        reader.read(Window.whole(reader.shape))
    os.truncate(path, 2880 + 3)
    assert isinstance(reader, RawReader)
    broken = dataclasses.replace(reader, source=SourceFile.of(path))
    for _ in range(20):
        with pytest.raises(UnreadableCube):
            broken.read(Window.whole(reader.shape))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
