"""Shard files: any pieces in any order give what zarr reads of them; what is damaged says so."""

from __future__ import annotations

import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, ZstdCodec
from zarr.codecs.sharding import ShardingCodecIndexLocation

from visiomatic_dask.errors import PyramidGone, StoreError, UnwritableStore
from visiomatic_dask.pyramid.store.shard_file import ShardFiles
from visiomatic_dask.pyramid.store.shard_format import MISSING, PIXELS, Chunks, Content, Wanted, decode
from visiomatic_dask.pyramid.tiles import Box

CHUNKS = Chunks(planes=3, down=2, across=3, rows=4, columns=5)
SHAPE = 3, 7, 13
"""Of the array: one shard, whose chunks reach beyond the edges."""


def by_zarr(store: Any, content: Content, chunks: Chunks = CHUNKS, shape: tuple[int, ...] = SHAPE) -> Any:
    """The array as zarr creates it."""
    codec = ZstdCodec(level=1) if content is MISSING else BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    whole = chunks.planes, chunks.down * chunks.rows, chunks.across * chunks.columns
    return zarr.create_array(
        store,
        shape=shape,
        chunks=(1, chunks.rows, chunks.columns),
        shards={"shape": whole, "index_location": ShardingCodecIndexLocation.start},
        dtype=content.dtype,
        fill_value=content.fill,
        compressors=codec,
    )


def files_of(address: str, content: Content = PIXELS, chunks: Chunks = CHUNKS) -> ShardFiles:
    return ShardFiles.of(address, "a", content, chunks)


@pytest.fixture
def local(tmp_path: Path) -> ShardFiles:
    by_zarr(tmp_path / "p.zarr" / "a", PIXELS)
    return files_of(str(tmp_path / "p.zarr"))


def values(seed: int = 0, planes: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(planes, *SHAPE[1:])).astype(np.float32)


@st.composite
def pieces(draw: st.DrawFn) -> list[tuple[int, NDArray[np.float64]]]:
    """Planes in any order, some more than once, with chunks that are empty."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, SHAPE[0] - 1))
        last = draw(st.integers(first + 1, SHAPE[0]))
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        piece = rng.integers(1, 9, (last - first, *SHAPE[1:])).astype(float)
        for _ in range(draw(st.integers(0, 3))):
            row, column = draw(st.integers(0, 1)) * 4, draw(st.integers(0, 2)) * 5
            piece[draw(st.integers(0, last - first - 1)), row : row + 4, column : column + 5] = 0
        found.append((first, piece))
    return found


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    def pair(size: int) -> tuple[int, int]:
        first = draw(st.integers(0, size - 1))
        return first, draw(st.integers(first + 1, size))

    planes, (top, bottom), (left, right) = (pair(size) for size in SHAPE)
    return planes, Box(top, left, bottom, right)


@pytest.mark.parametrize("content", [PIXELS, MISSING])
@pytest.mark.parametrize("remote", [False, True])
@settings(max_examples=40)
@given(written=pieces(), asked=boxes())
def test_any_pieces_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    content: Content,
    remote: bool,
    written: list[tuple[int, NDArray[np.float64]]],
    asked: tuple[tuple[int, int], Box],
) -> None:
    address = f"memory://{os.urandom(4).hex()}/p.zarr" if remote else str(tmp_path_factory.mktemp("p") / "p.zarr")
    array = by_zarr(f"{address}/a", content)
    if remote:  # what tells that the pyramid is there
        fsspec.filesystem("memory").pipe_file(f"{address}/zarr.json", b"{}")
    files = files_of(address, content)
    expected = np.full(SHAPE, content.fill, content.dtype)
    there = np.zeros(SHAPE[0], bool)
    size = 0
    for first, piece in written:
        part = piece.astype(content.dtype)
        if content is PIXELS:
            part[part == 0] = np.nan
        size = files.write("c/0/0/0", first, part)
        expected[first : first + len(part)] = part
        there[first : first + len(part)] = True
    np.testing.assert_array_equal(array[...], expected)
    planes, box = asked
    out = np.empty((planes[1] - planes[0], box.rows, box.columns), content.dtype)
    assert files.read("c/0/0/0", planes, box, out) == there[slice(*planes)].all()
    np.testing.assert_array_equal(out, expected[slice(*planes), box.top : box.bottom, box.left : box.right])
    assert files.has_planes("c/0/0/0", planes) == there[slice(*planes)].all()
    assert files.size("c/0/0/0") == size
    assert len(files_below(address)) == 2 + remote


def files_below(address: str) -> list[str]:
    fs, path = fsspec.core.url_to_fs(address)
    return list(fs.find(path))


def test_what_zarr_wrote_is_no_shard_of_ours(tmp_path: Path) -> None:
    """zarr's own shards do not say which planes they hold: they are refused, not guessed at."""
    array = by_zarr(tmp_path / "p.zarr" / "a", PIXELS)
    array[...] = values()
    with pytest.raises(StoreError, match="is damaged: the checksum"):
        files_of(str(tmp_path / "p.zarr")).read("c/0/0/0", (0, 1), Box(0, 0, 1, 1), np.empty((1, 1, 1), np.float32))


def test_not_there(local: ShardFiles) -> None:
    out = np.zeros((2, 3, 4), np.float32)
    assert not local.read("c/0/0/0", (0, 2), Box(0, 0, 3, 4), out)
    assert np.isnan(out).all()
    assert not local.has_planes("c/0/0/0", (0, 1))
    assert local.size("c/0/0/0") == 0


def test_planes_that_are_all_nan_were_written(local: ShardFiles) -> None:
    local.write("c/0/0/0", 1, np.full((1, *SHAPE[1:]), np.nan, np.float32))
    assert local.has_planes("c/0/0/0", (1, 2))
    assert not local.has_planes("c/0/0/0", (0, 2))


def test_every_flipped_bit_of_the_head_is_noticed(local: ShardFiles) -> None:
    local.write("c/0/0/0", 0, values())
    path = Path(local.address, "a/c/0/0/0")
    content = path.read_bytes()
    out = np.empty((1, 1, 1), np.float32)
    for position in range(CHUNKS.head_size):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"^p\.zarr: a shard of a is damaged: the checksum") as caught:
            local.read("c/0/0/0", (0, 1), Box(0, 0, 1, 1), out)
        assert local.address not in str(caught.value)


@pytest.mark.parametrize("remote", [False, True])
def test_truncated(tmp_path: Path, remote: bool) -> None:
    address = f"memory://{os.urandom(4).hex()}/p.zarr" if remote else str(tmp_path / "p.zarr")
    by_zarr(f"{address}/a", PIXELS)
    fs, path = fsspec.core.url_to_fs(address)
    fs.pipe_file(f"{path}/zarr.json", b"{}")
    files = files_of(address)
    whole = files.write("c/0/0/0", 0, values())
    content = fs.cat_file(f"{path}/a/c/0/0/0")
    out = np.empty(SHAPE, np.float32)
    for size in (0, 10, CHUNKS.head_size - 1, CHUNKS.head_size, whole - 1):
        fs.pipe_file(f"{path}/a/c/0/0/0", content[:size])
        with pytest.raises(StoreError, match="it ends before its"):
            files.read("c/0/0/0", (0, 3), Box(0, 0, *SHAPE[1:]), out)
        with pytest.raises(StoreError, match="it ends before its"):  # two planes of it are to be kept
            files.write("c/0/0/0", 0, values()[:1])
    files.write("c/0/0/0", 0, values())
    assert files.read("c/0/0/0", (0, 3), Box(0, 0, *SHAPE[1:]), out)
    np.testing.assert_array_equal(out, values())


def test_damaged_chunk(local: ShardFiles) -> None:
    local.write("c/0/0/0", 0, values())
    path = Path(local.address, "a/c/0/0/0")
    content = bytearray(path.read_bytes())
    content[CHUNKS.head_size : CHUNKS.head_size + 16] = bytes(range(100, 116))
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        local.read("c/0/0/0", (0, 1), Box(0, 0, 1, 1), np.empty((1, 1, 1), np.float32))


@pytest.mark.parametrize("content", [PIXELS, MISSING])
def test_a_chunk_with_too_few_pixels_is_damaged(content: Content) -> None:
    out, scratch = np.ones((1, 16, 16), content.dtype), np.ones((16, 16), content.dtype)
    whole = slice(0, 16), slice(0, 16)
    one = Wanted(0, 0, whole, whole, 0)
    decode(one, content.codec.encode(np.zeros((16, 16), content.dtype)), content, out, scratch)
    assert not out.any()
    with pytest.raises(ValueError, match="as many pixels"):
        decode(one, content.codec.encode(np.zeros((4, 4), content.dtype)), content, out, scratch)


def test_bytes_are_on_the_disk_before_the_name(local: ShardFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        done.append(f"sync {name.rpartition('.')[2]}")
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    local.write("c/0/0/0", 0, values())
    assert done == ["sync partial", "name", "sync 0"]


def test_gone_while_it_is_written(tmp_path: Path, local: ShardFiles) -> None:
    Path(local.address).rename(tmp_path / "evicted")
    with pytest.raises(PyramidGone, match=r"^p\.zarr is not in the store any more"):
        local.write("c/0/0/0", 0, values())
    assert not Path(local.address).exists()


def test_gone_from_a_url() -> None:
    files = files_of(f"memory://{os.urandom(4).hex()}/p.zarr")
    with pytest.raises(PyramidGone):
        files.write("c/0/0/0", 0, values())
    assert files_below(files.address) == []


def test_no_room(local: ShardFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left behind, and what was there is still there."""
    local.write("c/0/0/0", 0, values()[:1])

    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UnwritableStore, match="cannot be written to: No space left on device"):
        local.write("c/0/0/0", 1, values()[:1])
    assert local.has_planes("c/0/0/0", (0, 1))
    assert len(files_below(local.address)) == 2


def test_what_killed_writers_left_behind(local: ShardFiles) -> None:
    folder = Path(local.address, "a/c/0/0")
    folder.mkdir(parents=True)
    abandoned, under_way, others = (folder / name for name in (".0.1.partial", ".0.2.partial", ".1.1.partial"))
    for file in (abandoned, under_way, others):
        file.write_bytes(b"x")
    for file in (abandoned, others):
        os.utime(file, (0, 0))
    local.write("c/0/0/0", 0, values())
    assert sorted(entry.name for entry in folder.iterdir()) == [".0.2.partial", ".1.1.partial", "0"]


def test_replaced_while_it_is_read(local: ShardFiles) -> None:
    """Whoever reads while planes are added gets the pixels of one version."""
    local.write("c/0/0/0", 0, values(1)[:1])
    expected = values(1)[0]

    def read(_: int) -> bool:
        out = np.empty((1, *SHAPE[1:]), np.float32)
        local.read("c/0/0/0", (0, 1), Box(0, 0, *SHAPE[1:]), out)
        return bool((out[0] == expected).all())

    with ThreadPoolExecutor(4) as pool:
        results = pool.map(read, range(300))
        for turn in range(40):
            local.write("c/0/0/0", 1 + turn % 2, values(turn)[: 2 - turn % 2])
        assert all(results)


def test_replaced_at_a_url_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"memory://{os.urandom(4).hex()}/p.zarr"
    fs, root = fsspec.core.url_to_fs(address)
    fs.pipe_file(f"{root}/zarr.json", b"{}")
    files = files_of(address)
    files.write("c/0/0/0", 0, values()[:1])
    cat_ranges = type(fs).cat_ranges

    def slowly(self: Any, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(type(fs), "cat_ranges", cat_ranges)
        files.write("c/0/0/0", 1, values()[:2])
        return cat_ranges(self, *args, **kwargs)

    monkeypatch.setattr(type(fs), "cat_ranges", slowly)
    out = np.empty((1, *SHAPE[1:]), np.float32)
    with pytest.raises(StoreError, match="it was replaced while it was read"):
        files.read("c/0/0/0", (0, 1), Box(0, 0, *SHAPE[1:]), out)
    assert files.read("c/0/0/0", (0, 1), Box(0, 0, *SHAPE[1:]), out)
    np.testing.assert_array_equal(out, values()[:1])


def test_memory_is_that_of_two_chunks(tmp_path: Path) -> None:
    chunks = Chunks(planes=2, down=4, across=4, rows=512, columns=512)
    by_zarr(tmp_path / "p.zarr" / "a", PIXELS, chunks, (2, 2048, 2048))
    files = files_of(str(tmp_path / "p.zarr"), chunks=chunks)
    piece = np.random.default_rng(0).normal(size=(1, 2048, 2048)).astype(np.float32)
    files.write("c/0/0/0", 0, piece)
    tracemalloc.start()
    try:
        files.write("c/0/0/0", 1, piece)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20  # of a piece of 16 MiB, in chunks of 1 MiB
    finally:
        tracemalloc.stop()


def test_nothing_is_written_where_nothing_is(local: ShardFiles) -> None:
    assert local.write("c/0/0/0", 0, np.full(SHAPE, np.nan, np.float32)) == CHUNKS.head_size
