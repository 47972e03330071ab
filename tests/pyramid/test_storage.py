"""Costs are those of the chunks that a reader has to decode; windows of planes are few and in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from visiomatic_dask.cube import Window
from visiomatic_dask.pyramid import Box, Storage, cuts, level_size, plane_windows


def planes_and_box(data: st.DataObject, storage: Storage, level: int) -> tuple[tuple[int, int], Box]:
    first = data.draw(st.integers(0, storage.count - 1))
    last = data.draw(st.integers(first + 1, storage.count))
    height, width = level_size(storage.height, level), level_size(storage.width, level)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    box = Box(top, left, data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width)))
    return (first, last), box


def windows_of(fake: ChunkedFake, planes: tuple[int, int], source: Box) -> list[Window]:
    y = range(fake.shape[-2] - source.bottom, fake.shape[-2] - source.top)
    return list(plane_windows(fake.shape, planes, y, range(source.left, source.right)))


@given(chunked_fakes(), st.integers(0, 4), st.data())
def test_cost_is_that_of_the_chunks_behind(fake: ChunkedFake, level: int, data: st.DataObject) -> None:
    storage = Storage.of(fake)
    planes, box = planes_and_box(data, storage, level)
    source = storage.source_box(level, box)
    chunks = {chunk for window in windows_of(fake, planes, source) for chunk in fake.touched(window)}
    needed = sum(map(fake.pixels, chunks)) * 4
    cost = storage.cost(planes, level, box)
    assert cost >= needed
    if storage.beside == 1 and planes[1] - planes[0] <= 1:
        # Exact but for the last chunk of a run, which is counted as if it were complete where planes are cut.
        assert cost == needed or storage.count % storage.depth
    assert storage.most_cost(box.rows, box.columns, level) * (storage.count // storage.run + storage.count) >= cost


@given(chunked_fakes(), st.integers(0, 3), st.integers(1, 40), st.integers(1, 40))
def test_most_cost_holds_for_every_brick(fake: ChunkedFake, level: int, rows: int, columns: int) -> None:
    storage = Storage.of(fake)
    height, width = level_size(storage.height, level), level_size(storage.width, level)
    most = storage.most_cost(rows, columns, level)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            box = Box(top, left, min(top + rows, height), min(left + columns, width))
            assert storage.cost((0, 1), level, box) <= most


@given(chunked_fakes(), st.data())
def test_windows_of_planes_follow_one_another(fake: ChunkedFake, data: st.DataObject) -> None:
    storage = Storage.of(fake)
    planes, box = planes_and_box(data, storage, 0)
    found = windows_of(fake, planes, box)
    flat = fake.array.reshape(-1, *fake.shape[-2:])[planes[0] : planes[1]]
    expected = flat[:, ::-1][:, box.top : box.bottom, box.left : box.right][:, ::-1]
    pixels = np.concatenate([fake.array[one.slices].reshape(-1, box.rows, box.columns) for one in found])
    np.testing.assert_array_equal(pixels, expected)
    assert len(found) <= 2 * max(1, len(fake.shape) - 2) + 1


@given(chunked_fakes(), st.data())
def test_planes_of_a_block_share_their_chunks(fake: ChunkedFake, data: st.DataObject) -> None:
    storage = Storage.of(fake)
    plane = data.draw(st.integers(0, storage.count - 1))
    first, last = storage.block(plane)
    assert 0 <= first <= plane < last <= storage.count
    pixel = Box(0, 0, 1, 1)

    def chunks(plane: int) -> list[Any]:
        (window,) = windows_of(fake, (plane, plane + 1), pixel)
        return fake.touched(window)

    assert all(chunks(other) == chunks(plane) for other in range(first, last))
    if last < storage.count and storage.beside == 1:
        assert chunks(last) != chunks(plane)


CASES = [
    # shape, chunks, depth, run, beside
    ((40, 9, 9), (1, 4, 4), 1, 40, 1),
    ((40, 9, 9), (16, 4, 4), 16, 40, 1),
    ((40, 9, 9), (64, 4, 4), 40, 40, 1),
    ((4, 40, 9, 9), (1, 64, 4, 4), 40, 160, 1),
    ((4, 40, 9, 9), (4, 40, 1, 1), 160, 160, 1),
    ((4, 40, 9, 9), (2, 16, 4, 4), 16, 40, 2),
    ((2, 3, 10, 9, 9), (1, 2, 10, 4, 4), 20, 30, 1),
    ((9, 9), (4, 4), 1, 1, 1),
]


@pytest.mark.parametrize(("shape", "chunks", "depth", "run", "beside"), CASES)
def test_how_deep_chunks_are(
    shape: tuple[int, ...], chunks: tuple[int, ...], depth: int, run: int, beside: int
) -> None:
    storage = Storage.of(ChunkedFake(np.zeros(shape, np.float32), chunks))
    assert (storage.depth, storage.run, storage.beside) == (depth, run, beside)
    assert storage.is_chunked


@given(chunked_fakes(), st.lists(st.integers(0, 60), max_size=12, unique=True), st.integers(1, 9))
def test_groups_hold_every_plane_once(fake: ChunkedFake, planes: list[int], most: int) -> None:
    storage = Storage.of(fake)
    planes = [plane % storage.count for plane in planes]
    planes = list(dict.fromkeys(planes))
    groups = storage.groups(planes, most)
    assert sorted(plane for group in groups for plane in group) == sorted(planes)
    for group in groups:
        assert group == sorted(group)
        assert group[-1] - group[0] < most
        assert len({storage.block(plane) for plane in group}) == 1
    if storage.depth == 1:
        assert groups == [[plane] for plane in planes]


@given(st.integers(0, 50), st.integers(0, 100), st.integers(1, 30), st.integers(1, 30), st.integers(0, 29))
def test_cuts_end_at_boundaries(first: int, size: int, more: int, chunk: int, offset: int) -> None:
    most, last = chunk + more, first + size
    pieces = list(cuts(first, last, most, chunk, offset))
    assert [i for a, b in pieces for i in range(a, b)] == list(range(first, last))
    assert all(b - a <= most for a, b in pieces)
    assert all((b - offset) % chunk == 0 for _, b in pieces[:-1])
