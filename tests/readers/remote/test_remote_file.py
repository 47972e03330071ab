"""Files at URLs: the contract over a web server that sends ranges, over S3, and what is said when a server will not."""

from __future__ import annotations

import dataclasses
import gzip
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from tests.contracts.reader_contract import ReaderContract, Source
from tests.range_server import RangeServer, range_server
from tests.s3 import s3_bucket
from visiomatic_dask.cube import ByteSource, Reader, Window
from visiomatic_dask.errors import CubeChanged, CubeNotFound, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.remote.remote_file import RemoteFile

PIXELS = np.random.default_rng(5).normal(size=(3, 700, 900)).astype(np.float32)


def write(path: Path, pixels: NDArray[Any] = PIXELS) -> None:
    fits.writeto(path, pixels, overwrite=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    write(tmp_path / "cube.fits")
    with range_server(tmp_path) as state:
        yield state


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    with s3_bucket("sky") as fs:
        yield fs


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    """All temporary files of this run."""
    with range_server(tmp_path_factory.getbasetemp()) as state:
        yield state


class TestOverTheWeb(ReaderContract):
    """The raw reader keeps its contract where its file is at a URL."""

    server: RangeServer

    @pytest.fixture(params=[np.int16, np.float32])
    def source(self, request: pytest.FixtureRequest, everything: RangeServer, tmp_path: Path) -> Source:
        self.server = everything
        path = tmp_path / "cube.fits"
        pixels = (100 * PIXELS[:2, :20, :30]).astype(request.param)
        write(path, pixels)
        return Source(path, self._open(path), pixels)

    def _url(self, path: Path) -> str:
        return f"{self.server.url}/{path.relative_to(self.server.folder)}"

    def _open(self, path: Path) -> RawReader:
        reader = open_cube(self._url(path)).layers[0].reader
        assert isinstance(reader, RawReader)
        return reader

    def reopen(self, source: Source, path: Path) -> Reader:
        return self._open(path)

    def on_truncated(self, source: Source, path: Path) -> Reader:
        reader = self._open(path)
        os.truncate(path, reader.offset + 100)
        return dataclasses.replace(reader, source=RemoteFile.of(self._url(path)))


def test_opens_from_its_header_alone(server: RangeServer) -> None:
    cube = open_cube(f"{server.url}/cube.fits")
    assert cube.name == "cube.fits"
    assert cube.layers[0].shape == PIXELS.shape
    assert server.sent < 300_000
    assert isinstance(cube.source, ByteSource)
    assert cube.fingerprint == RemoteFile.of(f"{server.url}/cube.fits").fingerprint


@pytest.mark.parametrize(
    "window",
    [
        Window((0, 0, 0), PIXELS.shape),
        Window((1, 5, 7), (2, 6, 8)),
        Window((0, 3, 100), (3, 690, 300), (2, 5, 3)),
        Window((0, 0, 0), (0, 700, 900)),
    ],
)
def test_windows_equal_the_file(server: RangeServer, window: Window) -> None:
    reader = open_cube(f"{server.url}/cube.fits").layers[0].reader
    np.testing.assert_array_equal(reader.read(window), PIXELS[window.slices])


def test_close_ranges_are_one_request_and_far_ones_come_together(server: RangeServer) -> None:
    reader = open_cube(f"{server.url}/cube.fits").layers[0].reader
    server.requests.clear()
    reader.read(Window((0, 100, 200), (1, 140, 456)))  # 40 pieces of rows that lie 3,600 bytes apart
    assert [one[0] for one in server.requests] == ["GET", "HEAD"]
    server.requests.clear()
    server.meet = threading.Barrier(3)  # nobody is answered before all three have asked
    reader.read(Window((0, 300, 0), (3, 301, 900)))
    server.meet = None
    assert [one[0] for one in server.requests] == ["GET"] * 3 + ["HEAD"]


def test_a_new_version_is_noticed(server: RangeServer) -> None:
    cube = open_cube(f"{server.url}/cube.fits")
    reader = cube.layers[0].reader
    assert bool(cube.is_current)
    write(server.folder / "new.fits", PIXELS + 1)
    os.utime(server.folder / "new.fits", ns=(0, 1))
    (server.folder / "new.fits").replace(server.folder / "cube.fits")
    assert not bool(cube.is_current)
    with pytest.raises(CubeChanged, match=r"cube\.fits has changed"):
        reader.read(Window.whole(reader.shape))
    again = open_cube(f"{server.url}/cube.fits").layers[0].reader
    assert again.token != reader.token
    np.testing.assert_array_equal(again.read(Window.whole(again.shape)), PIXELS + 1)
    (server.folder / "cube.fits").unlink()
    with pytest.raises(CubeChanged, match="no longer there"):
        again.read(Window.whole(again.shape))


def test_a_file_that_becomes_shorter_has_changed(server: RangeServer) -> None:
    reader = open_cube(f"{server.url}/cube.fits").layers[0].reader
    os.truncate(server.folder / "cube.fits", 10_000)
    with pytest.raises(CubeChanged):
        reader.read(Window.whole(reader.shape))
    with pytest.raises(UnreadableCube, match="is truncated"):
        open_cube(f"{server.url}/cube.fits")


def test_what_a_server_will_not_do_is_said(server: RangeServer) -> None:
    with pytest.raises(CubeNotFound, match=r"none\.fits: there is no such file"):
        open_cube(f"{server.url}/none.fits")
    server.status["/cube.fits"] = 403
    with pytest.raises(UnreadableCube, match="the server answers 403"):
        open_cube(f"{server.url}/cube.fits")
    server.status.clear()
    (server.folder / "text").write_text("hello")
    with pytest.raises(UnsupportedFormat, match="of no known format"):
        open_cube(f"{server.url}/text")
    (server.folder / "empty").touch()
    with pytest.raises(UnreadableCube, match="empty"):
        open_cube(f"{server.url}/empty")


@pytest.mark.parametrize("only_gets", [False, True])
def test_nobody_is_sent_to_another_host(
    server: RangeServer, tmp_path_factory: pytest.TempPathFactory, only_gets: bool
) -> None:
    inner = tmp_path_factory.mktemp("inner")
    write(inner / "cube.fits", PIXELS + 1)
    with range_server(inner) as other:
        moved = server.moved_gets if only_gets else server.moved
        moved["/cube.fits"] = f"{other.url}/cube.fits"
        with pytest.raises(UnreadableCube, match="the server redirects to another host: open it there") as caught:
            open_cube(f"{server.url}/cube.fits")
        assert "127.0.0.1" not in str(caught.value)
        moved.clear()
        reader = open_cube(f"{server.url}/cube.fits").layers[0].reader
        server.moved_gets["/cube.fits"] = f"{other.url}/cube.fits"
        with pytest.raises(UnreadableCube, match="redirects to another host"):
            reader.read(Window.whole(reader.shape))
        assert other.requests == []


def test_on_one_host_redirects_are_followed(server: RangeServer) -> None:
    server.moved["/old.fits"] = "/cube.fits"
    reader = open_cube(f"{server.url}/old.fits").layers[0].reader
    np.testing.assert_array_equal(reader.read(Window.whole(reader.shape)), PIXELS)


def test_a_server_without_ranges_is_refused_before_it_sends_the_file(tmp_path: Path) -> None:
    write(tmp_path / "cube.fits", np.zeros((10, 1000, 1000), np.float32))
    with range_server(tmp_path) as server:
        server.ranges = False
        with pytest.raises(UnreadableCube, match="does not send parts of files"):
            open_cube(f"{server.url}/cube.fits")


def test_nobody_there() -> None:
    with pytest.raises(UnreadableCube, match="the server does not answer") as caught:
        open_cube("http://127.0.0.1:9/cube.fits")  # the discard port: nobody listens
    assert "127.0.0.1" not in str(caught.value)
    with pytest.raises(UnreadableCube, match=r"cube\.fits cannot be read"):
        open_cube("nosuchprotocol://host/cube.fits")


def test_s3(bucket: Any, tmp_path: Path) -> None:
    write(tmp_path / "cube.fits")
    bucket.put(str(tmp_path / "cube.fits"), "sky/cube.fits")
    cube = open_cube("s3://sky/cube.fits")
    reader = cube.layers[0].reader
    window = Window((0, 3, 100), (3, 690, 300), (2, 5, 3))
    np.testing.assert_array_equal(reader.read(window), PIXELS[window.slices])
    assert bool(cube.is_current)
    write(tmp_path / "cube.fits", PIXELS + 1)
    bucket.put(str(tmp_path / "cube.fits"), "sky/cube.fits")
    assert not bool(cube.is_current)
    with pytest.raises(CubeChanged, match="has changed"):
        reader.read(window)
    bucket.rm("sky/cube.fits")
    with pytest.raises(CubeNotFound):
        open_cube("s3://sky/cube.fits")
    with pytest.raises(CubeChanged, match="no longer there"):
        reader.read(window)


def test_what_has_to_be_unpacked_is_refused(server: RangeServer) -> None:
    (server.folder / "packed.fits.gz").write_bytes(gzip.compress((server.folder / "cube.fits").read_bytes()))
    with pytest.raises(UnsupportedFormat, match="compressed files and zip files can be opened only where they lie"):
        open_cube(f"{server.url}/packed.fits.gz")


def test_hdf5_is_read_by_ranges(server: RangeServer) -> None:
    with h5py.File(server.folder / "cube.hdf5", "w") as file:
        file.create_dataset("0/DATA", data=PIXELS, chunks=(1, 128, 128), compression="gzip")
    reader = open_cube(f"{server.url}/cube.hdf5").layers[0].reader
    window = Window((0, 3, 100), (3, 690, 300), (2, 5, 3))
    np.testing.assert_array_equal(reader.read(window), PIXELS[window.slices])
