"""Which reader spectra are read from: the copy where it is there and faster, else the layer."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.chunked_fake import ChunkedFake
from tests.contracts.fake_reader import FakeReader
from tests.pyramid.store.test_spectral_copy import TINY, built, cube_of
from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.spectral import SpectralCopies
from visiomatic_dask.pyramid.store.spectral_choice import better_for
from visiomatic_dask.pyramid.store.spectral_copy import create_spectral
from visiomatic_dask.pyramid.store.spectral_plan import SpectralPlan
from visiomatic_dask.pyramid.store.spectral_reader import SpectralReader

SHAPE = (16, 60, 50)


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chosen(
    copies: SpectralCopies, reader: Reader, channels: list[int] | None = None, x: int = 3, y: int = 50
) -> Reader:
    _, layer = cube_of(reader)
    return asyncio.run(copies.reader_for(layer, channels, (x, y), (x, y)))


@pytest.fixture
def source() -> FakeReader:
    return FakeReader(np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32))


def test_the_copy_where_it_is_faster(tmp_path: Path, source: FakeReader) -> None:
    copy = built(str(tmp_path), source)
    copies = SpectralCopies(lambda: str(tmp_path))
    assert chosen(copies, source) == SpectralReader.of(copy)
    assert chosen(copies, source, list(range(8))) == SpectralReader.of(copy)
    assert chosen(copies, source, [3]) is source
    assert chosen(copies, source, []) is source
    assert chosen(copies, source, [99, -1]) is source
    assert chosen(copies, source, x=-5) == SpectralReader.of(copy)  # nothing is read of either


def test_no_store_no_copy(tmp_path: Path, source: FakeReader) -> None:
    assert chosen(SpectralCopies(lambda: None), source) is source
    assert chosen(SpectralCopies(lambda: str(tmp_path)), source) is source
    assert chosen(SpectralCopies(lambda: str(tmp_path / "absent")), source) is source


def test_only_what_is_built(tmp_path: Path, source: FakeReader) -> None:
    copy = create_spectral(str(tmp_path), *cube_of(source), TINY)
    clock = Clock()
    copies = SpectralCopies(lambda: str(tmp_path), clock)
    assert chosen(copies, source) is source
    pieces = copy.pieces()
    wanted = pieces[0]
    copy.build(source, wanted)
    top = copy.plan.box(wanted.shard).top
    row = SHAPE[1] - 1 - top
    clock.now = 11
    assert chosen(copies, source, x=0, y=row) == SpectralReader.of(copy)
    assert chosen(copies, source, x=0, y=0) is source
    for piece in pieces:
        copy.build(source, piece)
    assert chosen(copies, source, x=0, y=0) is source  # it has just been looked for
    clock.now = 22
    assert chosen(copies, source, x=0, y=0) == SpectralReader.of(copy)


def test_a_copy_that_comes_later_is_found(tmp_path: Path, source: FakeReader) -> None:
    clock = Clock()
    copies = SpectralCopies(lambda: str(tmp_path), clock)
    assert chosen(copies, source) is source
    built(str(tmp_path), source)
    assert chosen(copies, source) is source
    clock.now = 11
    assert isinstance(chosen(copies, source), SpectralReader)


def test_what_is_lost_or_forgotten(tmp_path: Path, source: FakeReader) -> None:
    copy = built(str(tmp_path), source)
    clock = Clock()
    copies = SpectralCopies(lambda: str(tmp_path), clock)
    assert isinstance(chosen(copies, source), SpectralReader)
    shutil.rmtree(copy.address)
    copies.lost(cube_of(source)[1])
    assert chosen(copies, source) is source
    built(str(tmp_path), source)
    copies.forget({source.fingerprint})
    clock.now = 11
    assert isinstance(chosen(copies, source), SpectralReader)
    copies.forget({source.fingerprint})
    shutil.rmtree(copy.address)
    assert chosen(copies, source) is source


def test_a_damaged_copy_is_not_used(tmp_path: Path, source: FakeReader, caplog: pytest.LogCaptureFixture) -> None:
    copy = built(str(tmp_path), source)
    Path(copy.address, "zarr.json").write_text("{}")
    assert chosen(SpectralCopies(lambda: str(tmp_path)), source) is source
    assert "damaged" in caplog.text


def test_many_who_ask_at_once(tmp_path: Path, source: FakeReader) -> None:
    copy = built(str(tmp_path), source)
    copies = SpectralCopies(lambda: str(tmp_path))
    _, layer = cube_of(source)

    async def all_at_once() -> list[Reader]:
        return await asyncio.gather(*(copies.reader_for(layer, None, (i, i), (i, i)) for i in range(40)))

    assert asyncio.run(all_at_once()) == [SpectralReader.of(copy)] * 40


@pytest.mark.parametrize(
    ("chunks", "planes", "stop", "better"),
    [
        ((1, 1, 1), None, (10, 10), True),
        ((1, 1, 1), [0], (10, 10), False),
        ((1, 1, 1), [0], (900, 10), False),
        ((1, 1, 1), None, (900, 10), True),
        ((1, 1, 1), None, (900, 900), True),
        ((1, 256, 256), None, (10, 10), True),
        ((1, 256, 256), [7], (10, 10), False),
        ((300, 1, 1), None, (10, 10), False),  # its axes run as those of the copy do
        ((300, 16, 16), None, (10, 10), False),
    ],
)
def test_which_is_better(
    chunks: tuple[int, ...], planes: list[int] | None, stop: tuple[int, int], better: bool
) -> None:
    shape = (300, 1024, 1024)
    array = np.broadcast_to(np.float32(0), shape)
    plan = SpectralPlan.of(FakeReader(array))
    source, copy = ChunkedFake(array, chunks), ChunkedFake(array, plan.chunk)
    assert better_for(source, copy, planes, (10, 10), stop) == better
