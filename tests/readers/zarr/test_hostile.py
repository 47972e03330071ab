"""Zarr that somebody made to read what is not theirs, to keep threads waiting, or to fill the memory."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from numcodecs import LZ4, Blosc, GZip, Zlib, Zstd
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from visiomatic_dask.cube import Window
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.shared_cache import CHUNKS
from visiomatic_dask.readers.zarr.metadata_limit import MOST_BYTES
from visiomatic_dask.readers.zarr.sized_store import decoded_size

MIB = 2**20
VERSIONS: tuple[Any, ...] = (2, 3)
ENDS_WITHIN = 20.0
"""Seconds that are given to what takes milliseconds, unless it waits for good."""


def write(folder: Path, version: Any, **options: Any) -> Path:
    """Write a group with one array of one chunk; return the chunk."""
    group = zarr.create_group(folder, zarr_format=version)
    array = group.create_array("data", shape=(16, 16), chunks=(16, 16), dtype="u1", **options)
    array[:] = 7
    return folder / "data" / ("0.0" if version == 2 else "c/0/0")


def read(path: Path | str) -> Any:
    CHUNKS.clear()
    reader = open_cube(path).layers[0].reader
    return reader.read(Window.whole(reader.shape))


def said_by(act: Callable[[], Any]) -> str:
    """What is refused, by a thread that is left to itself if it never ends."""
    said: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except UnreadableCube as error:
            said.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(ENDS_WITHIN)
    assert not thread.is_alive(), "it waits for good"
    assert said, "nothing was refused"
    return str(said[0])


@pytest.mark.parametrize("version", VERSIONS)
def test_chunk_that_is_a_link(tmp_path: Path, version: Any) -> None:
    chunk = write(tmp_path / "a.zarr", version, compressors=None)
    inside = chunk.with_name("kept")
    chunk.rename(inside)
    chunk.symlink_to(inside)
    assert (read(tmp_path / "a.zarr") == 7).all()
    (tmp_path / "secret").write_bytes(b"S" * 256)
    chunk.unlink()
    chunk.symlink_to(tmp_path / "secret")
    said = said_by(lambda: read(tmp_path / "a.zarr"))
    assert said.endswith("is a link to something outside, and such links are not followed")
    assert said.startswith("a.zarr: data/")


def test_chunks_in_a_folder_that_is_a_link(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", 3)
    shutil.move(tmp_path / "a.zarr/data/c", tmp_path / "c")
    (tmp_path / "a.zarr/data/c").symlink_to(tmp_path / "c")
    assert "a.zarr: data/c is a link" in said_by(lambda: read(tmp_path / "a.zarr"))


def test_shard_that_is_a_link(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("data", data=np.ones((16, 16), "u1"), chunks=(4, 4), shards=(16, 16))
    shard = tmp_path / "a.zarr/data/c/0/0"
    shutil.move(shard, tmp_path / "shard")
    shard.symlink_to(tmp_path / "shard")
    reader = open_cube(tmp_path / "a.zarr").layers[0].reader
    with pytest.raises(UnreadableCube, match=r"^a\.zarr: data/c/0/0 is a link"):
        reader.read(Window((4, 4), (8, 8)))


@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
@pytest.mark.parametrize("version", VERSIONS)
def test_consolidated_array_that_is_a_link(tmp_path: Path, version: Any) -> None:
    write(tmp_path / "a.zarr", version)
    zarr.consolidate_metadata(tmp_path / "a.zarr")
    shutil.move(tmp_path / "a.zarr/data", tmp_path / "data")
    (tmp_path / "a.zarr/data").symlink_to(tmp_path / "data")
    assert "is a link to something outside" in said_by(lambda: read(tmp_path / "a.zarr"))


@pytest.mark.parametrize("version", VERSIONS)
def test_metadata_that_are_a_link(tmp_path: Path, version: Any) -> None:
    write(tmp_path / "a.zarr", version)
    metadata = tmp_path / "a.zarr/data" / ("zarr.json" if version == 3 else ".zarray")
    shutil.move(metadata, tmp_path / "secret.json")
    metadata.symlink_to(tmp_path / "secret.json")
    said = said_by(lambda: open_cube(tmp_path / "a.zarr"))
    assert said.startswith(f"a.zarr: data/{metadata.name} is a link")


def test_folder_opened_through_a_link(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", 3)
    (tmp_path / "b.zarr").symlink_to(tmp_path / "a.zarr")
    assert (read(tmp_path / "b.zarr") == 7).all()


def test_metadata_that_are_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    os.mkfifo(tmp_path / "a.zarr/zarr.json")
    said = said_by(lambda: open_cube(tmp_path / "a.zarr"))
    assert said == "a.zarr cannot be read: zarr.json is not a regular file"


@pytest.mark.parametrize("version", VERSIONS)
def test_chunk_that_is_a_pipe(tmp_path: Path, version: Any) -> None:
    chunk = write(tmp_path / "a.zarr", version)
    chunk.unlink()
    os.mkfifo(chunk)
    assert said_by(lambda: read(tmp_path / "a.zarr")).endswith("is not a regular file")


def refused_within(most: int, act: Callable[[], Any]) -> str:
    """What is refused, having taken no more than some bytes of memory at any time."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableCube) as caught:
            act()
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return str(caught.value)


def zip_of_spaces(path: Path, count: int, size: int) -> None:
    """Write a zip file of metadata that are nothing but spaces, which take a thousandth when packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(count):
            with file.open(f"{number}/zarr.json" if number else "zarr.json", "w") as one:
                for _ in range(size // MIB):
                    one.write(b" " * MIB)


def test_metadata_are_bounded_in_zip_files(tmp_path: Path) -> None:
    zip_of_spaces(tmp_path / "a.zarr.zip", 1, 64 * MIB)
    said = refused_within(8 * MIB, lambda: open_cube(tmp_path / "a.zarr.zip"))
    assert said == "a.zarr.zip cannot be opened: its zarr.json has 67,108,864 bytes; allowed: up to 16,777,216"


def test_sizes_in_zip_files_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    zip_of_spaces(path, 1, 64 * MIB)
    true, told = (size.to_bytes(4, "little") for size in (64 * MIB, 100))
    content = path.read_bytes()
    assert true in content
    path.write_bytes(content.replace(true, told))
    assert "a.zarr.zip is damaged" in refused_within(8 * MIB, lambda: open_cube(path))


def test_metadata_are_bounded_in_folders(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_group(path)
    os.truncate(path / "zarr.json", MOST_BYTES + 1)
    assert "its zarr.json has 16,777,217 bytes" in refused_within(8 * MIB, lambda: open_cube(path))


def test_metadata_are_bounded_at_urls(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_group(path)
    os.truncate(path / "zarr.json", MOST_BYTES + 1)
    fs = fsspec.filesystem("memory")
    fs.put(str(path), "/hostile/a.zarr", recursive=True)
    try:
        said = refused_within(8 * MIB, lambda: open_cube("memory://hostile/a.zarr"))
    finally:
        fs.rm("/hostile", recursive=True)
    assert "its zarr.json has 16,777,217 bytes" in said


def test_metadata_are_bounded_in_all(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    for number in range(10):
        group.create_group(str(number))
        with (path / f"{number}/zarr.json").open("a") as file:
            file.write(" " * 8 * MIB)
    said = refused_within(80 * MIB, lambda: open_cube(path))
    assert said == "a.zarr cannot be opened: its metadata take more than the 67,108,864 bytes that are allowed"


@pytest.mark.parametrize("version", VERSIONS)
def test_chunks_are_bounded(tmp_path: Path, version: Any) -> None:
    """One of them takes the memory that all of it takes, whatever is asked for."""
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=version)
    group.create_array("most", shape=(8, 8), chunks=(2**14, 2**14), dtype="f8")
    group.create_array("more", shape=(60_000, 60_000), chunks=(2**14, 2**14 + 1), dtype="f8")
    most, *others = open_cube(path).layers
    assert (most.name, others) == ("most", [])
    said = "a.zarr: array more has chunks of 268,451,840 pixels; allowed: up to 268,435,456"
    assert most.warnings[0] == said
    shutil.rmtree(path / "most")
    with pytest.raises(UnreadableCube) as caught:
        open_cube(path)
    assert str(caught.value) == said


PACKED: tuple[tuple[Any, Any, Callable[[bytes], bytes]], ...] = (
    (2, GZip(), gzip.compress),
    (2, Zlib(), zlib.compress),
    (3, GzipCodec(), gzip.compress),
)


@pytest.mark.parametrize(("version", "codec", "pack"), PACKED)
def test_chunks_become_what_they_can_need(
    tmp_path: Path, version: Any, codec: Any, pack: Callable[[bytes], bytes]
) -> None:
    chunk = write(tmp_path / "a.zarr", version, compressors=codec)
    assert (read(tmp_path / "a.zarr") == 7).all()
    chunk.write_bytes(pack(b"\0" * 64 * MIB))
    said = refused_within(8 * MIB, lambda: read(tmp_path / "a.zarr"))
    assert said == "a.zarr: chunks of array data cannot be read or decoded (OversizedChunk)"
    chunk.write_bytes(pack(bytes(range(256)))[:-1])
    assert said_by(lambda: read(tmp_path / "a.zarr")).endswith("(TruncatedChunk)")
    chunk.write_bytes(pack(bytes(range(256)))[:20] + b"?" * 20)
    assert "cannot be read or decoded" in said_by(lambda: read(tmp_path / "a.zarr"))


SIZED: tuple[tuple[Any, Any, Any], ...] = (
    (2, LZ4(), LZ4()),
    (2, Blosc(), Blosc()),
    (2, Zstd(), Zstd()),
    (3, BloscCodec(), Blosc()),
    (3, ZstdCodec(), Zstd()),
)


@pytest.mark.parametrize(("version", "ours", "codec"), SIZED)
def test_headers_of_chunks_are_not_believed(tmp_path: Path, version: Any, ours: Any, codec: Any) -> None:
    chunk = write(tmp_path / "a.zarr", version, compressors=ours)
    assert (read(tmp_path / "a.zarr") == 7).all()
    for length in (255, 300, 70_000):  # with a length of one, two, and four bytes in Zstandard's header
        content = codec.encode(b"\0" * length)
        assert decoded_size(codec.codec_id, content) == length
    chunk.write_bytes(codec.encode(b"\0" * 16 * MIB))
    said = refused_within(8 * MIB, lambda: read(tmp_path / "a.zarr"))
    assert said == "a.zarr: chunks of array data cannot be read or decoded (OversizedChunk)"


def test_chunk_of_several_members(tmp_path: Path) -> None:
    """As pigz and bgzip write them, and as Python's gzip reads them: zeros may follow."""
    chunk = write(tmp_path / "a.zarr", 2, compressors=GZip())
    values = bytes(range(256))
    chunk.write_bytes(gzip.compress(values[:100]) + gzip.compress(values[100:]) + b"\0" * 5)
    assert read(tmp_path / "a.zarr").tobytes() == np.arange(256, dtype="u1").reshape(16, 16)[::-1].tobytes()
