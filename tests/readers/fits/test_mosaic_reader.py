"""The mosaic reader keeps the contract, over mosaics of every sort; NumPy puts them together as the oracle."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.contracts.fake_reader import FakeReader
from tests.contracts.reader_contract import ReaderContract, Source
from tests.readers.fits.fits_files import STORED, empty_primary, image, table
from visiomatic_dask.cube import Reader, SourceFile, Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.fits.detector_sections import Frame, Placed, assemble, parse_section, piece_of
from visiomatic_dask.readers.fits.mosaic_reader import MosaicReader
from visiomatic_dask.readers.raw_reader import RawReader


@dataclass(frozen=True)
class Part:
    """One extension: its stored pixels, and what its header says."""

    bitpix: int
    shape: tuple[int, ...]
    cards: dict[str, Any]

    def stored(self, number: int) -> NDArray[Any]:
        dtype = np.dtype(STORED[self.bitpix]).newbyteorder("=")
        return (np.arange(np.prod(self.shape)).reshape(self.shape) % 120 + number).astype(dtype)


@dataclass(frozen=True)
class MosaicCase:
    """A file, and how NumPy puts its parts together."""

    id: str
    parts: Sequence[Part]
    assemble: Callable[..., NDArray[Any]]

    def pixels(self) -> NDArray[Any]:
        return self.assemble(*(part.stored(number) for number, part in enumerate(self.parts)))

    def write(self, path: Path) -> None:
        hdus = [
            image(part.stored(number), part.bitpix, part.cards, extension=True)
            for number, part in enumerate(self.parts)
        ]
        path.write_bytes(b"".join([empty_primary(), hdus[0], table(), *hdus[1:]]))


def section(detsec: str, datasec: str | None = None, **cards: Any) -> dict[str, Any]:
    return {"DETSEC": detsec} | ({"DATASEC": datasec} if datasec else {}) | cards


def gaps(*parts: NDArray[Any]) -> NDArray[Any]:
    found = np.full((7, 12), np.nan, np.float32)
    found[:5, :4], found[2:, 6:] = parts
    return found


def overlapping(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    found = np.empty((5, 9), first.dtype)
    found[:, :6], found[:, 4:] = first, second
    return found


CASES = [
    MosaicCase(
        "four amplifiers, flipped towards their corners",
        [
            Part(16, (5, 8), section("[1:6,1:5]", "[2:7,1:5]")),
            Part(16, (5, 8), section("[12:7,1:5]", "[2:7,1:5]")),
            Part(16, (6, 7), section("[1:6,10:6]", "[1:6,1:5]")),
            Part(16, (5, 7), section("[7:12,6:10]", "[6:1,5:1]")),
        ],
        lambda a, b, c, d: np.block([[a[:, 1:7], b[:, 6:0:-1]], [c[4::-1, :6], d[::-1, 5::-1]]]),
    ),
    MosaicCase(
        "gaps in integers",
        [Part(16, (5, 4), section("[101:104,51:55]")), Part(16, (5, 6), section("[107:112,53:57]"))],
        gaps,
    ),
    MosaicCase(
        "BITPIX differs",
        [Part(-32, (3, 4), section("[1:4,1:3]")), Part(32, (3, 4), section("[5:8,1:3]"))],
        lambda a, b: np.hstack([a.astype(np.float64), b]),
    ),
    MosaicCase(
        "small BITPIX differ",
        [Part(8, (3, 4), section("[1:4,1:3]")), Part(16, (3, 4), section("[5:8,1:3]"))],
        lambda a, b: np.hstack([a.astype(np.float32), b]),
    ),
    MosaicCase(
        "scaled and unsigned",
        [
            Part(16, (3, 4), section("[1:4,1:3]", BZERO=32768)),
            Part(16, (3, 4), section("[5:8,3:1]", BSCALE=0.5, BZERO=1.0)),
        ],
        lambda a, b: np.hstack([a.astype(np.float32) + 32768, (b.astype(np.float32) * 0.5 + 1)[::-1]]),
    ),
    MosaicCase(
        "all binned alike",
        [
            Part(-32, (5, 4), section("[1:8,1:10]", CCDSUM="2 2")),
            Part(-32, (5, 4), section("[16:9,1:10]", CCDSUM="2 2")),
        ],
        lambda a, b: np.hstack([a, b[:, ::-1]]),
    ),
    MosaicCase(
        "one binned coarser",
        [Part(-64, (6, 9), section("[1:9,1:6]")), Part(-64, (2, 5), section("[19:10,1:6]"))],
        lambda a, b: np.hstack([a, b.repeat(3, axis=0).repeat(2, axis=1)[:, ::-1]]),
    ),
    MosaicCase(
        "overlapping",
        [Part(32, (5, 6), section("[1:6,1:5]")), Part(32, (5, 5), section("[5:9,1:5]"))],
        overlapping,
    ),
    MosaicCase(
        "cubes",
        [Part(16, (2, 3, 4, 5), section("[1:5,1:4]")), Part(16, (2, 3, 4, 5), section("[10:6,4:1]"))],
        lambda a, b: np.concatenate([a, b[..., ::-1, ::-1]], axis=-1),
    ),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    folder = tmp_path_factory.mktemp("mosaics")
    found = {}
    for number, case in enumerate(CASES):
        path = folder / f"{number}.fits"
        case.write(path)
        found[case.id] = Source(path, open_cube(path).layer("MOSAIC").reader, case.pixels())
    return found


class TestMosaicReader(ReaderContract):
    @pytest.fixture(params=[case.id for case in CASES])
    def source(self, request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
        return sources[request.param]

    def reopen(self, source: Source, path: Path) -> Reader:
        return open_cube(path).layer("MOSAIC").reader

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = source.reader
        assert isinstance(reader, MosaicReader)
        last = reader.parts[-1].reader
        assert isinstance(last, RawReader)
        os.truncate(path, last.offset + 1)
        with pytest.raises(UnreadableCube, match="is truncated"):
            open_cube(path)
        found = SourceFile.of(path)
        parts = []
        for part in reader.parts:
            assert isinstance(part.reader, RawReader)
            parts.append(dataclasses.replace(part, reader=dataclasses.replace(part.reader, source=found)))
        return dataclasses.replace(reader, parts=tuple(parts))


def fakes(*detsecs: str, height: int = 40, width: int = 60) -> tuple[MosaicReader, list[FakeReader]]:
    readers = [FakeReader(np.arange(height * width, dtype=np.int32).reshape(height, width)) for _ in detsecs]
    frame = assemble([piece_of({"DETSEC": one}, width, height) for one in detsecs])
    return MosaicReader.of(readers, frame), readers


def test_only_what_is_needed_is_read() -> None:
    mosaic, (left, right, above) = fakes("[1:60,1:40]", "[120:61,1:40]", "[1:60,80:41]")
    mosaic.read(Window((5, 50), (10, 70)))
    assert left.windows == [Window((5, 50), (10, 60))]
    assert right.windows == [Window((5, 50), (10, 60))]  # from the middle on, backwards
    assert above.windows == []
    mosaic.read(Window((0, 1), (80, 60), (7, 5)))
    assert left.windows[1:] == [Window((0, 1), (36, 57), (7, 5))]
    assert above.windows == [Window((2, 1), (38, 57), (7, 5))]  # rows 42, 49 … 77 of the mosaic
    assert left.windows[1].shape == (6, 12)
    assert above.windows[0].shape == (6, 12)
    mosaic.read(Window((50, 70), (60, 80)))  # where there is nothing
    assert (len(left.windows), len(right.windows), len(above.windows)) == (2, 1, 1)


def test_of_a_binned_part_a_pixel_is_read_once() -> None:
    fine, coarse = FakeReader(np.zeros((8, 8))), FakeReader(np.zeros((4, 4)))
    square = parse_section("[1:8,1:8]")
    frame = assemble([piece_of({"DETSEC": "[1:8,1:8]"}, 8, 8), piece_of({"DETSEC": "[9:16,1:8]"}, 4, 4)])
    assert square[0].size == 8
    mosaic = MosaicReader.of([fine, coarse], frame)
    mosaic.read(Window((0, 8), (8, 16)))
    assert coarse.windows == [Window((0, 0), (4, 4))]
    mosaic.read(Window((0, 8), (8, 16), (4, 2)))
    assert coarse.windows[1] == Window((0, 0), (3, 4), (2, 1))


def test_chunks_and_item_size_are_the_largest() -> None:
    class Chunked(FakeReader):
        @property
        def chunks(self) -> tuple[int, ...]:
            return (100, 2)

    small, large = Chunked(np.zeros((3, 4), np.int16)), FakeReader(np.zeros((3, 4), np.float64))
    frame = Frame(8, 3, (1, 1), tuple((Placed(left, 4, 0, 4), Placed(0, 3, 0, 3)) for left in (0, 4)))
    mosaic = MosaicReader.of([small, large], frame)
    assert (mosaic.chunks, mosaic.source_itemsize, mosaic.dtype) == ((3, 2), 8, np.dtype(np.float64))


def test_sixty_parts_are_a_small_message(tmp_path: Path) -> None:
    """The reader is part of every message for a tile, whatever has been asked of its parts before."""
    shape, path = (6, 4), tmp_path / "sixty.fits"
    spans = [(4 * (i % 10), 6 * (i // 10)) for i in range(60)]
    parts = [
        image(
            np.full(shape, i, np.int16), 16, section(f"[{x + 4}:{x + 1},{y + 1}:{y + 6}]", BZERO=32768), extension=True
        )
        for i, (x, y) in enumerate(spans)
    ]
    path.write_bytes(b"".join([empty_primary(), *parts]))
    cube = open_cube(path)
    assert all(layer.reader.token for layer in cube.layers)
    reader = cube.layer().reader
    message = pickle.dumps(reader)
    assert len(message) < 2000
    again = pickle.loads(message)
    assert again == reader
    assert again.token == reader.token
    assert pickle.loads(message) is again  # the next tile need not unpack it
