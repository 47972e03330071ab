"""Fingerprints change when, and only when, the file does."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from visiomatic_dask.cube import SourceFile
from visiomatic_dask.errors import CubeChanged, UnreadableCube


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.fits"
    path.write_bytes(b"abc")
    return path


def test_of_and_open(path: Path) -> None:
    file = SourceFile.of(path)
    assert (file.name, file.size) == ("a.fits", 3)
    assert re.fullmatch("[0-9a-f]{16}", file.fingerprint)
    assert SourceFile.of(str(path)) == file
    descriptor = file.open()
    try:
        assert os.pread(descriptor, 10, 0) == b"abc"
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_every_part_counts(path: Path) -> None:
    file = SourceFile.of(path)
    others = [
        SourceFile(file.path + "x", file.size, file.mtime_ns),
        SourceFile(file.path, file.size + 1, file.mtime_ns),
        SourceFile(file.path, file.size, file.mtime_ns + 1),
    ]
    assert len({one.fingerprint for one in [file, *others]}) == 4


def test_link_has_the_fingerprint_of_the_file(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert SourceFile.of(link) == SourceFile.of(path)


def test_changed(path: Path) -> None:
    file = SourceFile.of(path)
    os.utime(path, ns=(0, file.mtime_ns + 1))
    with pytest.raises(CubeChanged, match="has changed since it was opened"):
        file.open()
    path.unlink()
    with pytest.raises(CubeChanged, match="no longer there"):
        file.open()
    with pytest.raises(FileNotFoundError):
        SourceFile.of(path)


def test_cannot_be_opened(path: Path) -> None:
    file = SourceFile.of(path)
    path.unlink()
    path.symlink_to(path)  # a loop
    with pytest.raises(UnreadableCube, match=r"a\.fits cannot be read"):
        file.open()


def test_no_descriptor_is_left_of_a_changed_file(path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc on this system: descriptors cannot be counted")
    file = SourceFile.of(path)
    os.utime(path, ns=(0, 1))
    before = len(list(folder.iterdir()))
    for _ in range(10):
        with pytest.raises(CubeChanged):
            file.open()
    assert len(list(folder.iterdir())) == before
