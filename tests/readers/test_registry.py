"""What a file is, told from its content; and what is said when it is nothing that can be opened."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import numpy as np
import pytest

from tests.readers.fits.fits_files import CASES, image
from visiomatic_dask.errors import CubeNotFound, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import Place, format_of, formats, open_cube

PLAIN = image(np.zeros((2, 3), np.float32), -32, {})
GZIPPED = gzip.compress(PLAIN, mtime=0)


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(PLAIN)
    assert format_of(Place.look(path)) is formats()[0]
    assert open_cube(path).layers[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5", "reading it failed"),
        (b"CDF\x01" + bytes(2), "NetCDF", "its NetCDF header cannot be read"),
        (b"CDF\x02" + b"\xff" * 100, "NetCDF", "its NetCDF header cannot be read"),
    ],
)
def test_damaged_header_is_unreadable(tmp_path: Path, content: bytes, name: str, reason: str) -> None:
    path = tmp_path / "cube"
    path.write_bytes(content)
    found = format_of(Place.look(path))
    assert found is not None
    assert found.name == name
    with pytest.raises(UnreadableCube, match=rf"^cube: {reason}"):
        open_cube(path)


def test_name_is_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(PLAIN)
    assert open_cube(path).name == "a.fits"
    assert open_cube(str(path), name="folder/a").name == "folder/a"
    path.write_bytes(PLAIN[:2900])
    with pytest.raises(UnreadableCube, match=r"^folder/a is truncated"):
        open_cube(path, name="folder/a")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lzma.compress(PLAIN), "compressed with xz; unpack it first"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "compressed with Zstandard; unpack it first"),
        (b"\x1f\x9d\x90" + bytes(100), r"compressed with compress \(\.Z\); unpack it first"),
        (gzip.compress(b"hello", mtime=0), "is compressed with gzip, and what is inside is of no known format"),
        (bz2.compress(b"hello"), "is compressed with bzip2, and what is inside is of no known format"),
        (gzip.compress(lzma.compress(PLAIN), mtime=0), "with gzip, and of what is inside: it is compressed with xz"),
        (
            gzip.compress(GZIPPED, mtime=0),
            "with gzip, and what is inside is compressed once more, with gzip",
        ),
        (
            bz2.compress(GZIPPED),
            "with bzip2, and what is inside is compressed once more, with gzip",
        ),
        (gzip.compress(b"", mtime=0), "with gzip, and there is nothing inside"),
        (bz2.compress(b""), "with bzip2, and there is nothing inside"),
        (b"BZhello", "its content is of no known format"),
        (b"CDF\x03" + bytes(100), "its content is of no known format"),
        (b"GILDAS-IMAGE" + bytes(100), "it is a GILDAS file; write it as FITS first"),
        (b"PK\x03\x04" + bytes(100), "it is a zip archive"),
        (b"hello", "its content is of no known format"),
        (b"SIMPLE", "its content is of no known format"),
    ],
)
def test_unknown_says_what_it_is_and_what_can_be_opened(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "cube.fits"
    path.write_bytes(content)
    assert format_of(Place.look(path)) is None
    with pytest.raises(UnsupportedFormat, match=reason) as caught:
        open_cube(path)
    assert all(one.name in str(caught.value) for one in formats())


def test_empty_missing_folder(tmp_path: Path) -> None:
    empty = tmp_path / "empty.fits"
    empty.touch()
    assert format_of(Place.look(empty)) is None
    with pytest.raises(UnreadableCube, match=r"empty\.fits is empty"):
        open_cube(empty)
    with pytest.raises(CubeNotFound, match=r"none\.fits: there is no such file") as caught:
        open_cube(tmp_path / "none.fits")
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(UnreadableCube, match="it is a folder"):
        open_cube(tmp_path)


def test_pipe_is_refused_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.fits"
    os.mkfifo(pipe)
    with pytest.raises(UnreadableCube, match="it is not a regular file"):
        open_cube(pipe)


def test_loop_of_links(tmp_path: Path) -> None:
    link = tmp_path / "loop.fits"
    link.symlink_to(link)
    with pytest.raises(UnreadableCube, match="cannot be read"):
        open_cube(link)


def test_link_is_followed(tmp_path: Path) -> None:
    CASES[0].write(tmp_path / "real.fits")
    link = tmp_path / "link.fits"
    link.symlink_to("real.fits")
    assert open_cube(link).fingerprint == open_cube(tmp_path / "real.fits").fingerprint


def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "secret.fits"
    path.write_bytes(PLAIN)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(UnreadableCube, match=r"secret\.fits cannot be read"):
        open_cube(path)
