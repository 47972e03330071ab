"""Loading what is stored in chunks: the same pixels as ever, and no chunk decoded twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.chunked_fake import ChunkedFake, chunked_fakes
from tests.contracts.strategies import block_means
from visiomatic_dask.pyramid import Box, Storage, level_size, load_block, load_preview_block, loading, preview

from .test_storage import planes_and_box

BANDS = st.sampled_from([1, 400, 3000, 2**23])


def expected(fake: ChunkedFake, planes: tuple[int, int], level: int, box: Box) -> NDArray[np.float64]:
    flat = fake.array.reshape(-1, *fake.shape[-2:])[planes[0] : planes[1], ::-1]
    whole = np.stack([block_means(plane, level) for plane in flat])
    return whole[:, box.top : box.bottom, box.left : box.right]


def loaded(fake: ChunkedFake, planes: tuple[int, int], level: int, box: Box, band: int) -> NDArray[np.float32]:
    out = np.full((planes[1] - planes[0], box.rows, box.columns), 7e7, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_CHUNK_BAND", band)
        patch.setattr(loading, "_BAND", band)
        load_block(fake, planes, level, box, out)
    return out


def read_together(storage: Storage, planes: tuple[int, int]) -> bool:
    """Whether one window holds all planes that share a chunk; the planner sees to it wherever it can."""
    if storage.beside > 1:
        return planes[1] - planes[0] == 1
    return all(
        (first, last) == storage.block(first) or first // storage.fastest == (last - 1) // storage.fastest
        for first, last in storage.blocks(planes)
    )


@given(chunked_fakes(), st.integers(0, 5), BANDS, st.data())
def test_level_is_the_nanmean_of_level_0(fake: ChunkedFake, level: int, band: int, data: st.DataObject) -> None:
    """Any shape of chunks and bands, deep ones, from either end; sums of small integers are exact."""
    planes, box = planes_and_box(data, Storage.of(fake), level)
    found = loaded(fake, planes, level, box, band)
    np.testing.assert_array_equal(found, expected(fake, planes, level, box).astype(np.float32))


@given(chunked_fakes(), st.integers(0, 5), BANDS, st.data())
def test_every_chunk_is_decoded_once(fake: ChunkedFake, level: int, band: int, data: st.DataObject) -> None:
    storage = Storage.of(fake)
    planes, box = planes_and_box(data, storage, level)
    loaded(fake, planes, level, box, band)
    if read_together(storage, planes):
        assert fake.most_often == 1
        assert fake.bytes_decoded <= storage.cost(planes, level, box)


@given(chunked_fakes(), st.integers(0, 4), st.one_of(st.integers(1, 4000), st.integers(1, 400_000)), st.data())
def test_previews_keep_to_the_limit(fake: ChunkedFake, level: int, limit: int, data: st.DataObject) -> None:
    storage = Storage.of(fake)
    planes, box = planes_and_box(data, storage, level)
    out = np.full((planes[1] - planes[0], box.rows, box.columns), 7e7, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "LEAST_READ", 1)
        load_preview_block(fake, planes, level, box, out, limit)
    blocks = len(list(storage.blocks(planes)))
    if storage.is_chunked and read_together(storage, planes):
        assert fake.bytes_decoded <= blocks * max(limit, storage.block_nbytes)
        assert fake.most_often == 1
    # Everything shown lies between the extremes of what is there.
    assert np.nanmax(out, initial=-1e4) <= 1000
    wanted = expected(fake, planes, level, box)
    if limit >= storage.cost(planes, level, box):
        np.testing.assert_array_equal(out, wanted.astype(np.float32))


def test_previews_show_what_is_near() -> None:
    """A gradient, sampled from one chunk in sixteen, is still a gradient."""
    y, x = np.mgrid[0:512, 0:512]
    fake = ChunkedFake((y + x).astype(np.float32), (16, 16))
    box = Box(0, 0, level_size(512, 2), level_size(512, 2))
    out = np.empty((1, box.rows, box.columns), np.float32)
    load_preview_block(fake, (0, 1), 2, box, out, 64 * 16 * 16 * 4)
    assert len(fake.decoded) == 64
    np.testing.assert_allclose(out, expected(fake, (0, 1), 2, box), atol=2 * 64)


def test_memory_is_bounded_however_deep_and_wide_chunks_are() -> None:
    """Windows of a band hold a few megabytes, or a chunk."""
    fake = ChunkedFake(np.zeros((16, 64, 8192), np.float32), (16, 64, 64))
    sizes = []
    read = fake.read

    class Noting:
        def __getattr__(self, name: str) -> object:
            return getattr(fake, name)

        def read(self, window):  # type: ignore[no-untyped-def]
            sizes.append(window.size * 4)
            return read(window)

    load_block(Noting(), (0, 16), 3, Box(0, 0, 8, 1024), np.empty((16, 8, 1024), np.float32))  # type: ignore[arg-type]
    assert max(sizes) <= 8 * 2**20
    assert len(sizes) == 4
    assert fake.most_often == 1
